"""Cluster specs for tests that move VIPs, and the wait for their new owner."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

OFFSET = "}\ntrack_file offset {\n  file /tmp/offset"  # closes global_defs; an instance follows
NOPREEMPT = ClusterSpec(preempt=False, advert_int=1, requests_per_second=0)
TRACKED = replace(
    NOPREEMPT,
    extra_instance="track_file {\n    offset weight 0\n  }",
    extra_global=OFFSET,
)


def others(cluster: Cluster, node: Node) -> list[Node]:
    """Returns all nodes except this one."""
    return [n for n in cluster.nodes if n is not node]


def wait_for_stable_owner(cluster: Cluster, before: Node) -> Node:
    """Returns the node that alone has the VIPs for two advert intervals; two backups may both take them briefly."""
    owners = [cluster.wait_for_master(among=others(cluster, before))]
    since = time.monotonic()

    def is_stable() -> Node | None:
        nonlocal since
        if cluster.holders() != owners:
            owners[:] = [cluster.wait_for_master(among=others(cluster, before))]
            since = time.monotonic()
        return owners[0] if time.monotonic() - since > 2 * cluster.spec.advert_int else None

    return poll(is_stable, 20, "a stable owner")
