"""Clusters whose VIPs move, and which node has the VIPs in the end."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

OFFSET = "}\ntrack_file offset {\n  file /tmp/offset"  # ends global_defs: it must be defined before it is tracked
NOPREEMPT = ClusterSpec(preempt=False, advert_int=1, requests_per_second=0)
TRACKED = replace(
    NOPREEMPT,
    extra_instance="track_file {\n    offset weight 0\n  }",
    extra_global=OFFSET,
)


def others(cluster: Cluster, node: Node) -> list[Node]:
    """Return all nodes but this one."""
    return [n for n in cluster.nodes if n is not node]


def lasting_owner(cluster: Cluster, before: Node) -> Node:
    """Return who has the VIPs alone for two adverts: backups 4 ms apart may both take them for a moment."""
    lasts = [cluster.wait_for_master(among=others(cluster, before))]
    since = time.monotonic()

    def lasted() -> Node | None:
        nonlocal since
        if cluster.holders() != lasts:
            lasts[:] = [cluster.wait_for_master(among=others(cluster, before))]
            since = time.monotonic()
        return lasts[0] if time.monotonic() - since > 2 * cluster.spec.advert_int else None

    return poll(lasted, 20, "an owner that lasts")
