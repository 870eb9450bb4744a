"""The actions by the command line, on the keepalived of other Debian releases (packaging/keepalived-versions).

2.1.5 differs: its running config cannot be read, and its `-t` exits with 0 for any error and crashes on a missing
brace. 2.3.3 writes other dumps. Each cluster has three nodes with nopreempt.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.core.journal import Journal
from tests.lab.difference import changed_lines
from tests.lab.operate import kvtui, succeed
from tests.lab.owners import wait_for_stable_owner
from tests.lab.poll import poll
from tests.lab.spec import ECHO, NGINX, ClusterSpec
from tests.lab.tcpdump import Tcpdump, next_priority
from tests.lab.watching import watching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]

LAB = Path(__file__).parents[2] / ".lab"
VERSIONS = ("2.1.5", "2.3.3")
CONF = "/etc/keepalived/keepalived.conf"


def spec_of(version: str) -> ClusterSpec:
    """Returns a spec with an advert_int of 1: on a busy machine late adverts must not make another node master."""
    return ClusterSpec(preempt=False, advert_int=1, root=str(LAB / f"keepalived-{version}"))


@pytest.fixture(params=VERSIONS)
def other(request: pytest.FixtureRequest, make_cluster: MakeCluster) -> Cluster:
    """Returns a cluster of that version. Without the version the test fails with the way to get it."""
    root = Path(spec_of(request.param).root)
    if not (root / "usr/sbin/keepalived").exists():
        why = Path(f"{root}.why")
        pytest.fail(why.read_text() if why.exists() else f"{root} is missing: packaging/keepalived-versions makes it.")
    return make_cluster(spec_of(request.param))


SHORT = pytest.mark.parametrize("other", ["2.1.5", pytest.param("2.3.3", marks=pytest.mark.long)], indirect=True)
"""Tests on 2.1.5 only in `make test`, which has tests marked `debian13` for 2.3.3."""


def last_facts(state: Path) -> Mapping[str, Any]:
    """Returns the facts of the newest action in the journal."""
    return Journal(state).entries()[-1].facts


def status_of(node: Node, state: Path) -> dict[str, Any]:
    """Returns the document of `kvtui status`; all sources must be ok."""
    status: dict[str, Any] = json.loads(succeed(node, state, "status", "-o", "json"))
    states = {s["name"]: (s["state"], s["detail"]) for s in status["sources"] if s["name"] != "kubernetes"}
    assert set(states.values()) == {("ok", "")}, states
    return status


@SHORT
def test_status_is_the_same_on_each_version(other: Cluster, state: Path) -> None:
    master = other.master()
    for node in other.nodes:
        status = status_of(node, state)
        [own] = [k for k in status["keepalived"] if k["pid"] == node.keepalived_pid]
        assert (own["version"], own["conf"]) == (node.version.text, CONF)
        children = Path(f"/proc/{node.keepalived_pid}/task/{node.keepalived_pid}/children").read_text().split()
        assert sorted(own["children"].values()) == sorted(int(pid) for pid in children)
        [instance] = status["vrrp_instances"]
        priority = other.spec.priority(node.index)
        assert instance["name"] == "vips"
        assert instance["state"] == ("MASTER" if node is master else "BACKUP")
        assert (instance["priority"], instance["effective_priority"]) == (priority, priority)
        assert (instance["vrid"], instance["version"], instance["nopreempt"]) == (50, 3, True)
        assert instance["vips"] == [NGINX.vip, ECHO.vip]
        assert instance["master"] == {
            "address": master.address,
            "priority": other.spec.priority(master.index),
            "self": node is master,
        }
        assert [(v["address"], v["present"], v["owner"]) for v in status["vips"]] == [
            (vip, node is master, master.address) for vip in other.spec.vips
        ]
        servers = {(r["address"], r["weight"], r["configured_weight"], r["state"]) for r in reals(status)}
        assert servers == {(f"10.4.0.{n}", 1, 1, "up") for n in range(11, 16)}


async def test_triage_of_a_file_where_the_running_config_cannot_be_read(other: Cluster) -> None:
    """2.1.5 has no copy of the running config, so kvtui reads the file. It reports faults of this version only."""
    node = next(n for n in other.nodes if n is not other.master())
    text = node.conf_path.read_text()
    empty = "vrrp_instance empty {\n state BACKUP\n interface nope0\n virtual_router_id 99\n priority 1\n}\n"
    node.write_conf(text.replace("weight 1", "weight 0", 1) + empty)
    async with watching(node) as watch:
        if not node.version.keeps_running_conf:
            await watch.until("version-fault", "instance-without-vips", "interface-missing")
        else:
            await watch.until("config-not-reloaded")
            assert not watch.reported.keys() & {"version-fault", "instance-without-vips", "interface-missing"}
    node.write_conf(text)


def reals(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [real for service in status["virtual_servers"] for real in service["real_servers"]]


@SHORT
def test_drain_and_undrain(other: Cluster, state: Path) -> None:
    node = other.master()
    before = node.ipvs()
    failed = other.traffic()["failed"]
    succeed(node, state, "--yes", "drain", "10.4.0.12")
    line = "-r 10.4.0.12:80 -g -w "
    assert node.ipvs() == before.replace(f"{line}1", f"{line}0")
    [drained] = [r for r in reals(status_of(node, state)) if r["address"] == "10.4.0.12"]
    assert (drained["weight"], drained["configured_weight"], drained["state"]) == (0, 1, "drained")
    succeed(node, state, "--yes", "undrain", "10.4.0.12")
    assert node.ipvs() == before
    assert other.traffic()["failed"] == failed


@SHORT
def test_failover_with_nopreempt(other: Cluster, state: Path) -> None:
    node = other.master()
    data = node.conf_path.read_bytes()
    succeed(node, state, "--yes", "failover", "vips", "--force")
    facts = last_facts(state)
    owner = wait_for_stable_owner(other, node)
    assert facts["owner_after"] == owner.address
    assert facts["seconds_without_owner"] >= 0
    assert [other.holders(vip) for vip in other.spec.vips] == [[owner], [owner]]
    assert other.wait_for_answer() in {"rs-1", "rs-2", "rs-3"}
    succeed(node, state, "--yes", "undo")
    assert node.conf_path.read_bytes() == data
    assert [other.holders(vip) for vip in other.spec.vips] == [[owner], [owner]]


@SHORT
def test_a_changed_priority_is_advertised_and_undo_restores_the_file(other: Cluster, state: Path) -> None:
    node = other.master()
    data = node.conf_path.read_bytes()
    old = other.spec.priority(node.index)
    wire = Tcpdump(node)
    succeed(node, state, "--yes", "priority", "vips", "110")
    assert set(wire.stop()) == {old, 110}
    facts = last_facts(state)
    assert facts["on_the_wire"] is True
    assert (facts["predicted_master"], facts["seen_master"]) == (node.address, node.address)
    changed = [f"-   priority {old}", "+   priority 110"]
    assert changed_lines(data.decode(), node.conf_path.read_text()) == changed
    succeed(node, state, "--yes", "undo")
    assert node.conf_path.read_bytes() == data
    poll(lambda: next_priority(node) == old, 20, "the old priority on the wire")
    assert other.master() is node


def edited(pattern: str, replacement: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, replacement, text, count=1)


BROKEN: dict[str, tuple[Callable[[str], str | None], str]] = {
    "no VRID": (edited(r"\n *virtual_router_id 50", ""), rf"REFUSED: {CONF}:\d+: .*virtual_router_id is missing"),
    "early brace": (edited(r"priority (\d+)", r"priority \1\n}"), rf"REFUSED: {CONF}:\d+: This '}}' closes no block"),
    "empty file": (lambda _text: "", rf"REFUSED: {CONF} has no vrrp_instance and no virtual_server"),
    "missing file": (lambda _text: None, rf"REFUSED: {CONF} does not exist: a reload would remove every"),
    "missing include": (lambda text: f"{text}\ninclude nowhere.conf\n", r"UNSAFE: .*No file matches 'nowhere.conf'"),
    "missing brace": (lambda text: text.rstrip().removesuffix("}"), rf"REFUSED: {CONF}:\d+: "),
}


@SHORT
def test_broken_configs_are_refused(other: Cluster, state: Path) -> None:
    node = other.master()
    text = node.conf_path.read_text()
    before = (node.keepalived_pid, node.addresses(), node.ipvs(), node.log().count("eload"))
    for name, (edit, sentence) in BROKEN.items():
        broken = edit(text)
        if broken is None:
            node.conf_path.unlink()
        else:
            assert broken != text
            node.write_conf(broken)
            os.utime(node.conf_path, (time.time() - 60,) * 2)  # else kvtui would wait: the file is new
        ran = kvtui(node, state, "--yes", "reload")
        assert ran.returncode == 3, f"{name}\n{ran.stdout}\n{ran.stderr}"
        assert re.search(f"^{sentence}", ran.stdout, re.MULTILINE), f"{name}\n{ran.stdout}"
        assert Path(f"/proc/{node.keepalived_pid}/comm").read_text() == "keepalived\n"
        assert (node.keepalived_pid, node.addresses(), node.ipvs(), node.log().count("eload")) == before, name
    assert Journal(state).entries() == ()
    node.write_conf(text)


@SHORT
def test_a_priority_out_of_range_gets_a_warning_and_keepalived_continues(other: Cluster, state: Path) -> None:
    """keepalived uses its default, 100. The VIP stays, because of nopreempt."""
    node = other.master()
    pid, addresses = node.keepalived_pid, node.addresses()
    text = node.conf_path.read_text()
    node.write_conf(re.sub(r"priority \d+", "priority 300", text, count=1))
    ran = kvtui(node, state, "--yes", "reload")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"^WARNING: {CONF}:\d+: .*300", ran.stdout, re.MULTILINE), ran.stdout
    [row] = last_facts(state)["vrrp"]
    assert (row["priority_before"], row["priority_after"]) == (other.spec.priority(node.index), 100)
    assert (node.keepalived_pid, node.addresses()) == (pid, addresses)
    assert other.master() is node
    node.reload(text)
