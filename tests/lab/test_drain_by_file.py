"""Drains by the track file of a FILE_CHECK on real keepalived: a reload or a flapping check does not undo them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import ExitCode
from kvtui.actions.drain.active_drains import active_drains, lost_drains
from tests.lab.draining import kvtui, observe, succeed
from tests.lab.poll import poll

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

DRAINED = "-r 10.4.0.11:80 -g -w 0\n"


@pytest.fixture
def node(cluster: Cluster) -> Node:
    """Returns the master. rs-1 has weight 10 and a FILE_CHECK whose file it shares with rs-4."""
    node = cluster.master()
    (node.folder / "tmp" / "rs").write_text("0\n")
    text = node.conf_path.read_text()
    text = text.replace("# Service:", "track_file rs {\n  file /tmp/rs\n}\n# Service:", 1)
    for real, weight, check in (("10.4.0.11", 10, "weight 4"), ("10.4.0.14", 1, "")):
        head = f"real_server {real} 80 {{\n    weight"
        assert f"{head} 1\n" in text
        text = text.replace(f"{head} 1\n", f"{head} {weight}\n    FILE_CHECK {{\n track_file rs\n {check}\n }}\n")
    node.reload(text)
    poll(lambda: "-r 10.4.0.11:80 -g -w 10\n" in node.ipvs(), 20, "the configured weight")
    return node


def file_value(node: Node) -> str:
    return (node.folder / "tmp" / "rs").read_text()


@pytest.mark.lab(timeout=600)
def test_the_drain_survives_a_reload_and_a_flapping_check_and_undrain_ends_it(
    cluster: Cluster, node: Node, state: Path
) -> None:
    before = node.ipvs()
    printed = succeed(node, state, "--reason", "disk", "drain", "10.4.0.11")
    assert "10.4.0.14:80 in 10.4.0.51:80 (to weight 0) share track file rs, so they are drained too" in printed
    assert file_value(node) == "-3\n"
    drained = before.replace("-r 10.4.0.11:80 -g -w 10\n", DRAINED).replace("14:80 -g -w 1\n", "14:80 -g -w 0\n")
    assert node.ipvs() == drained
    known = active_drains(Journal(state).entries())
    assert [(d.real[0], d.weight, d.check.file.after if d.check else None) for d in known] == [
        ("10.4.0.11", 10, -3),
        ("10.4.0.14", 1, -3),
    ]

    node.reload(node.conf_path.read_text().replace("    weight 10\n", "    weight 12\n"))
    assert node.ipvs() == drained
    link = ["ip", "-n", cluster.network.servers[0], "link", "set", "eth0"]
    subprocess.run([*link, "down"], check=True)
    poll(lambda: "10.4.0.11:80" not in node.ipvs(), 60, "the failed check")
    subprocess.run([*link, "up"], check=True)
    poll(lambda: "10.4.0.11:80" in node.ipvs(), 60, "the check that passes again")
    assert DRAINED in node.ipvs()
    assert lost_drains(observe(node), known) == ()

    printed = succeed(node, state, "undrain", "10.4.0.11")
    assert "seen in the kernel: 10.4.0.11:80 in 10.4.0.50:80: weight 12" in printed
    assert file_value(node) == "0\n"
    assert sorted(node.ipvs().splitlines()) == sorted(before.replace("-w 10", "-w 12").splitlines())
    assert active_drains(Journal(state).entries()) == ()


@pytest.mark.lab(timeout=600)
def test_a_slow_drain_is_undone(node: Node, state: Path) -> None:
    before = node.ipvs()
    (node.folder / "tmp" / "rs").unlink()
    poll(lambda: node.ipvs() == before, 10, "a file that is gone counts as 0")
    succeed(node, state, "drain", "10.4.0.11", "--over", "2s")
    assert file_value(node) == "-3\n"
    assert DRAINED in node.ipvs()
    (drain, _other) = active_drains(Journal(state).entries())
    assert (drain.weight, drain.check and (drain.check.file.before, drain.check.file.after)) == (10, (0, -3))
    succeed(node, state, "undo")
    assert node.ipvs() == before
    assert not (node.folder / "tmp" / "rs").exists()


@pytest.mark.lab(timeout=600)
def test_a_server_undrained_while_its_check_fails_returns_with_its_weight(
    cluster: Cluster, node: Node, state: Path
) -> None:
    before = node.ipvs()
    succeed(node, state, "drain", "10.4.0.11")
    link = ["ip", "-n", cluster.network.servers[0], "link", "set", "eth0"]
    subprocess.run([*link, "down"], check=True)
    poll(lambda: "10.4.0.11:80" not in node.ipvs(), 60, "the failed check")
    assert "only the file is written" in succeed(node, state, "undrain", "10.4.0.11")
    assert file_value(node) == "0\n"
    subprocess.run([*link, "up"], check=True)
    poll(lambda: sorted(node.ipvs().splitlines()) == sorted(before.splitlines()), 60, "its weight")


@pytest.mark.lab(timeout=600)
def test_a_check_of_weight_0_is_not_used_and_its_shared_file_is_not_written(node: Node, state: Path) -> None:
    text = node.conf_path.read_text()
    last = text.index("track_file rs\n", text.index("real_server 10.4.0.14"))
    start = text.index("track_file rs {")
    text = text[:last] + text[last:].replace("track_file rs\n", "track_file rs\n weight 0\n", 1)
    node.reload(text[:start] + text[start:].replace("file /tmp/rs\n", "file /tmp/rs\n  weight 0\n", 1))
    refused = kvtui(node, state, "drain", "10.4.0.11")
    assert refused.returncode == ExitCode.REFUSED
    assert "10.4.0.14:80 in 10.4.0.51:80 share track file rs with weight 0" in refused.stderr
    succeed(node, state, "drain", "10.4.0.14")
    assert "-r 10.4.0.14:80 -g -w 0\n" in node.ipvs()
    assert file_value(node) == "0\n"
