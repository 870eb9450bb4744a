"""Priority: the config line, the adverts, the prediction, and the undo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.difference import changed_lines
from tests.lab.operate import graded, operate
from tests.lab.owners import OFFSET
from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec
from tests.lab.tcpdump import Tcpdump, next_priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster

    MakeCluster = Callable[[ClusterSpec], Cluster]

TRACKED = ClusterSpec(extra_instance="track_file {\n    offset weight 2\n  }", extra_global=OFFSET)


@pytest.mark.debian13
def test_a_changed_priority_is_advertised_and_undo_restores_the_file(cluster: Cluster) -> None:
    node = cluster.master()
    data = node.conf_path.read_bytes()
    mode = node.conf_path.stat().st_mode
    wire = Tcpdump(node)
    report = operate(node, "priority", "vips", "110")
    priorities = wire.stop()
    assert report["code"] == 0, report
    assert set(priorities) == {102, 110}
    assert priorities == sorted(priorities)
    assert changed_lines(data.decode(), node.conf_path.read_text()) == ["-   priority 102", "+   priority 110"]
    assert node.conf_path.stat().st_mode == mode
    assert [f.name for f in node.conf_path.parent.iterdir() if f.name.startswith(".")] == []  # no temp file is left
    facts = report["facts"]
    assert facts["on_the_wire"] is True
    assert (facts["predicted_master"], facts["seen_master"]) == (node.address, node.address)
    assert facts["prediction_came_true"] is True
    assert [line for line in report["diff"].splitlines() if line[0] in "+-"][2:] == [
        "-  priority 102",
        "+  priority 110",
    ]
    undone = operate(node, "undo", report["id"])
    assert undone["code"] == 0, undone
    assert node.conf_path.read_bytes() == data
    assert [next_priority(node) for _ in range(3)] == [102] * 3
    assert cluster.master() is node


@pytest.mark.debian13
def test_a_backup_with_the_highest_priority_takes_over_as_predicted(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    report = operate(node, "priority", "vips", "150")
    assert report["code"] == 0, report
    facts = report["facts"]
    assert (facts["predicted_master"], facts["seen_master"]) == (node.address, node.address)
    assert facts["seen_seconds"] > 0
    assert cluster.wait_for_master(among=[node]) is node
    reset = operate(node, "priority", "vips", "--reset")
    assert reset["code"] == 0, reset
    assert "priority of vips: 150 → 100" in reset["summary"]
    assert "priority 100" in node.conf_path.read_text()
    assert cluster.wait_for_master(among=[cluster.node("node-c")]).name == "node-c"


@pytest.mark.lab(spec=ClusterSpec(unicast=True))
def test_a_wrong_prediction_is_reported(make_cluster: MakeCluster) -> None:
    """kvtui assumes that all nodes have nopreempt as this one does. The others do not, and the VIP moves."""
    cluster = make_cluster(ClusterSpec(unicast=True))
    node = cluster.master()
    text = node.conf_path.read_text()
    node.reload(text.replace("advert_int", "nopreempt\n  advert_int"))
    report = operate(node, "priority", "vips", "50")
    assert report["code"] == 4, report
    facts = report["facts"]
    assert facts["prediction_came_true"] is False
    assert facts["seen_master"] != node.address
    assert "which was not predicted: undo the change with `kvtui undo`" in report["detail"]


@pytest.mark.lab(spec=TRACKED)
def test_a_track_file_is_preferred(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(TRACKED)
    node = cluster.master()
    line = operate(node, "priority", "vips", "110", "--config-line", dry_run=True)
    assert line["changes"] == [["priority of vips", "102", "110"]]
    text = node.conf_path.read_text()
    report = operate(node, "priority", "vips", "110")
    assert "method automatic: its track file" in graded(report, "NOTE")[0]
    assert report["code"] == 0, report
    assert report["changes"] == [["track file offset", "0", "4"]]
    assert (node.folder / "tmp" / "offset").read_text() == "4\n"
    assert node.conf_path.read_text() == text
    assert report["facts"]["on_the_wire"] is True
    odd = operate(node, "priority", "vips", "109", "--track-file", dry_run=True)
    assert graded(odd, "IMPOSSIBLE")[0].startswith("priority 109 cannot be reached exactly from 110")
    odd = operate(node, "priority", "vips", "109", dry_run=True)
    assert odd["changes"] == [["priority of vips", "102", "109"]]
    assert "not by its track file: priority 109 cannot be reached exactly from 110" in graded(odd, "NOTE")[0]
    reset = operate(node, "priority", "vips", "--reset")
    assert reset["code"] == 0, reset
    assert (node.folder / "tmp" / "offset").read_text() == "0\n"


def test_a_priority_that_is_not_literal_is_refused(cluster: Cluster) -> None:
    node = cluster.master()
    text = node.conf_path.read_text()
    node.reload("$PRIO=102\n" + text.replace("priority 102", "priority $PRIO"))
    before = node.conf_path.read_bytes()
    report = operate(node, "priority", "vips", "110", "--force")
    assert report["code"] == 3
    assert "priority of vrrp_instance vips cannot be changed" in graded(report, "IMPOSSIBLE")[0]
    assert node.conf_path.read_bytes() == before


def test_a_config_that_is_a_mount_point_is_refused_in_the_plan(cluster: Cluster) -> None:
    node = cluster.master()
    node.exec_in_pod(
        ["mount", "--bind", "/etc/keepalived/keepalived.conf", "/etc/keepalived/keepalived.conf"], check=True
    )
    try:
        report = operate(node, "priority", "vips", "110", "--force")
        assert report["code"] == 3
        [why] = graded(report, "IMPOSSIBLE")
        assert "keepalived.conf is itself a mount point and cannot be replaced: change the file that is mounted" in why
        assert str(node.conf_path.name) in why
    finally:
        node.exec_in_pod(["umount", "/etc/keepalived/keepalived.conf"], check=True)


@pytest.mark.debian13
def test_a_dry_run_writes_nothing(cluster: Cluster) -> None:
    node = cluster.master()
    before = (node.conf_path.read_bytes(), node.log().count("Reloading"))
    report = operate(node, "priority", "vips", "50", dry_run=True)
    assert (report["code"], report["id"]) == (0, "")
    assert (node.conf_path.read_bytes(), node.log().count("Reloading")) == before


def test_undo_refuses_after_an_edit_by_another_program(cluster: Cluster) -> None:
    node = cluster.master()
    report = operate(node, "priority", "vips", "110")
    assert report["code"] == 0, report
    node.write_conf(node.conf_path.read_text() + "\n# mine\n")
    undone = operate(node, "undo", report["id"])
    assert undone["code"] == 3, json.dumps(undone)
    assert node.conf_path.read_text().endswith("# mine\n")
    assert poll(lambda: cluster.master() is node, 10, "the same master")
