"""Failover: the VIPs leave the node by the method with the shortest gap, and undo restores the node."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.lab.operate import graded, operate
from tests.lab.owners import NOPREEMPT, TRACKED, others, wait_for_stable_owner
from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]


def priority_in(node: Node) -> int:
    match = re.search(r"^ *priority (\d+)", node.conf_path.read_text(), re.MULTILINE)
    assert match
    return int(match[1])


@pytest.mark.lab(spec=NOPREEMPT)
def test_nopreempt_everywhere(make_cluster: MakeCluster) -> None:
    """Another node becomes master although no node preempts; undo leaves the VIP there."""
    cluster = make_cluster(NOPREEMPT)
    node = cluster.master()
    text = node.conf_path.read_text()
    report = operate(node, "failover", "vips", "--force")
    assert report["code"] == 0, report
    facts = report["facts"]
    owner = wait_for_stable_owner(cluster, node)
    assert facts["owner_after"] == owner.address
    assert facts["seconds_without_owner"] >= 0
    assert facts["way"].startswith("lowest priority, then the VIP is removed")
    assert cluster.wait_for_answer() != ""
    for vip in cluster.spec.vips:
        assert cluster.holders(vip) == [owner]
    assert priority_in(node) == 1
    undone = operate(node, "undo", report["id"])
    assert undone["code"] == 0, undone
    assert node.conf_path.read_text() == text
    assert "stays where it is" in facts["undo"]
    assert cluster.holders() == [owner]


@pytest.mark.debian13
def test_preempting_peers_take_over_without_a_gap(cluster: Cluster) -> None:
    node = cluster.master()
    text = node.conf_path.read_text()
    report = operate(node, "failover", "vips", "--force")
    assert report["code"] == 0, report
    facts = report["facts"]
    assert facts["way"].startswith("lowest priority, peers preempt")
    assert facts["seconds_without_owner"] == 0
    assert facts["owner_after"] in {n.address for n in others(cluster, node)}
    undone = operate(node, "undo", report["id"])
    assert undone["code"] == 0, undone
    assert node.conf_path.read_text() == text
    assert cluster.wait_for_master(among=[node]) is node


@pytest.mark.lab(spec=TRACKED)
def test_a_track_file_is_used_if_there_is_one(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(TRACKED)
    node = cluster.master()
    before = (node.conf_path.read_text(), node.log().count("Reloading"))
    report = operate(node, "failover", "vips", "--force")
    assert report["code"] == 0, report
    assert report["changes"] == [["track file offset", "0", "1"]]
    assert report["facts"]["seconds_without_owner"] >= 0
    assert (node.conf_path.read_text(), node.log().count("Reloading")) == before
    owner = cluster.wait_for_master(among=others(cluster, node))
    undone = operate(node, "undo", report["id"])
    assert undone["code"] == 0, undone
    assert not (node.folder / "tmp" / "offset").exists()
    assert poll(lambda: "Entering BACKUP STATE" in node.log()[-1500:], 10, "BACKUP again")
    assert cluster.holders() == [owner]


def test_a_track_file_that_keepalived_ignores_is_not_used(make_cluster: MakeCluster) -> None:
    """keepalived ignores a track_file that is defined after the instance that tracks it."""
    late = replace(TRACKED, extra_global="", extra="track_file offset {\n  file /tmp/offset\n}")
    report = operate(make_cluster(late).master(), "failover", "vips", dry_run=True)
    assert report["summary"].endswith("lowest priority, then the VIP is removed so that keepalived steps down")


@pytest.mark.lab(spec=ClusterSpec(nodes=1, requests_per_second=0))
def test_the_priority_is_put_back_when_no_node_takes_over(make_cluster: MakeCluster) -> None:
    """With preemption the VIP stays on the node until another takes it, so the failover is not unsafe."""
    cluster = make_cluster(ClusterSpec(nodes=1, requests_per_second=0))
    node = cluster.master()
    text = node.conf_path.read_text()
    report = operate(node, "failover", "vips")
    assert report["code"] == 1, report
    assert any("Nothing is lost: the VIP stays here" in t for t in graded(report, "NOTE")), report
    assert "no other node took over" in report["detail"]
    assert "everything was put back" in report["detail"]
    assert node.conf_path.read_text() == text
    assert cluster.wait_for_master() is node


@pytest.mark.debian13
@pytest.mark.parametrize("name", ["node-a", "node-b"])
def test_refused_on_a_node_that_is_not_master(cluster: Cluster, name: str) -> None:
    node = cluster.node(name)
    report = operate(node, "failover", "vips", "--force")
    assert report["code"] == 3
    assert graded(report, "IMPOSSIBLE")[0].startswith("vips is BACKUP here, not MASTER")


def test_unicast_peers_are_known_from_the_config(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(replace(NOPREEMPT, unicast=True))
    node = cluster.master()
    report = operate(node, "failover", "vips")
    assert report["code"] == 0, report
    assert report["facts"]["owner_after"] in {n.address for n in others(cluster, node)}
    assert report["facts"]["seconds_without_owner"] >= 0
