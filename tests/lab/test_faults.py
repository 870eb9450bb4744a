"""Faults of the machine: kvtui goes on and says what is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lab.owners import NOPREEMPT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster
    from tests.lab.spec import ClusterSpec

    MakeCluster = Callable[[ClusterSpec], Cluster]

UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


@pytest.mark.long
@pytest.mark.lab(spec=NOPREEMPT)
def test_hidepid(make_cluster: MakeCluster) -> None:
    """Where /proc hides other users' processes, an unprivileged kvtui says that it sees none, and shows the rest."""
    node = make_cluster(NOPREEMPT).wait_for_master()
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", *UNPRIVILEGED]
    ran = node.exec([*argv, sys.executable, "-m", "kvtui", "--no-kube", "-o", "json", "status"])
    assert "Traceback" not in ran.stderr
    status = json.loads(ran.stdout)
    source = next(s for s in status["sources"] if s["name"] == "keepalived")
    assert source["state"] == "unavailable"
    assert "kvtui cannot see it" in source["detail"]
