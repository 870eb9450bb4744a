"""Requests dumps from real keepalived in its pod, from the node."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.requester import DumpRequester
from kvtui.backend.linux import processes
from kvtui.model.vrrp import VrrpState
from tests.lab.poll import poll
from tests.lab.spec import ECHO, NGINX, ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

pytestmark = pytest.mark.debian13

TIMEOUT = 60  # the lab's kernel is slow


def dumper(node: Node, *, timeout: float = TIMEOUT, signals: bool = True) -> DumpRequester:
    found = processes.choose(processes.find(), node.keepalived_pid)
    assert found is not None
    return DumpRequester(found, signals=signals, timeout=timeout)


def dump_lines(node: Node) -> dict[str, int]:
    texts = {"json": node.version.json_log, "data": node.version.data_log}
    return {name: node.log().count(text) if text else 0 for name, text in texts.items()}


def test_a_json_dump_shows_the_master_and_costs_at_most_one_log_line(cluster: Cluster) -> None:
    node = cluster.master()
    before = dump_lines(node)
    dump = dumper(node).read(time.time())
    (instance,) = dump.instances
    assert (instance.name, instance.state, instance.interface) == ("vips", VrrpState.MASTER, "eth0")
    assert (instance.base_priority, instance.vrid, instance.version) == (102, 50, 3)
    assert [(vip.address, vip.installed) for vip in instance.vips] == [(NGINX.vip, True), (ECHO.vip, True)]
    assert instance.counters["become_master"] >= 1  # more if an earlier test moved the VIP
    assert (dump.how, dump.checks, dump.detail) == ("json", None, "")
    assert abs(dump.read_at - time.time()) < TIMEOUT
    lines = 1 if node.version.json_log else 0
    assert dump_lines(node) == {"json": before["json"] + lines, "data": before["data"]}


def test_a_backup_knows_master_and_checks(cluster: Cluster) -> None:
    node, master = cluster.node("node-a"), cluster.master()

    def known() -> bool:
        return dumper(node).read(time.time(), full=True).instances[0].master_address is not None

    poll(known, 60, "the first advert")
    dump = dumper(node).read(time.time(), full=True)
    (instance,) = dump.instances
    assert (instance.state, instance.master_address, instance.master_priority) == (
        VrrpState.BACKUP,
        master.address,
        102,
    )
    assert (instance.unicast_source, instance.effective_priority) == (node.address, 100)
    assert instance.counters["advert_rcvd"] > 0
    assert dump.checks is not None
    assert {(c.virtual_server, c.address, c.alive) for c in dump.checks} == {
        (f"{service.vip}:80", real, True) for service in (NGINX, ECHO) for real in service.real_servers
    }


@pytest.mark.lab(spec=ClusterSpec(unicast=True))
def test_unicast_peers(make_cluster: Callable[[ClusterSpec], Cluster]) -> None:
    cluster = make_cluster(ClusterSpec(unicast=True))
    node = cluster.node("node-a")
    (instance,) = dumper(node).read(time.time(), full=True).instances
    assert set(instance.unicast_peers) == {other.address for other in cluster.nodes if other is not node}


def test_after_a_reload_without_instances_the_old_json_dump_is_not_read(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    assert len(dumper(node).read(time.time()).instances) == 1
    node.reload("global_defs {\n}\n")
    dump = dumper(node, timeout=3).read(time.time())
    assert (node.folder / "tmp" / "keepalived.json").stat().st_size > 0
    assert (dump.instances, dump.how) == ((), "data")


def test_without_signals_only_an_existing_dump_is_read(cluster: Cluster) -> None:
    node = cluster.node("node-b")
    for file in (node.folder / "tmp").iterdir():
        file.unlink()
    quiet = dumper(node, signals=False)
    before = dump_lines(node)
    with pytest.raises(DumpError, match="signals are switched off"):
        quiet.read(time.time())
    assert dump_lines(node) == before
    dumper(node).read(time.time())
    dump = quiet.read(time.time())
    assert (len(dump.instances), dump.how) == (1, "file")


def test_a_symbolic_link_in_the_pod_is_not_followed(cluster: Cluster) -> None:
    node = cluster.node("node-b")
    planted = node.folder / "tmp" / "keepalived.json"
    planted.unlink(missing_ok=True)
    planted.symlink_to("/etc/hostname")
    with pytest.raises(DumpError, match="symbolic links"):
        dumper(node, signals=False).read(time.time())
    planted.unlink()


def test_members_of_a_group_are_named_as_the_kernel_names_them(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    group = """
virtual_server_group web {
    10.4.0.60 80
    10.4.0.61-62 81
    fwmark 9
}
virtual_server group web {
    lvs_sched wlc
    lvs_method DR
    protocol TCP
    real_server 10.4.0.11 80 {
        weight 3
    }
}
virtual_server fwmark 7 {
    lvs_sched wlc
    lvs_method DR
    real_server 10.4.0.12 0 {
        weight 2
    }
}
"""
    node.reload(node.conf_path.read_text() + group)
    checks = dumper(node).read(time.time(), full=True).checks
    assert checks is not None
    extra = {(c.virtual_server, c.address, c.port) for c in checks if c.configured_weight != 1}
    assert extra == {
        ("10.4.0.60:80", "10.4.0.11", 80),
        ("10.4.0.61:81", "10.4.0.11", 81),
        ("10.4.0.62:81", "10.4.0.11", 81),
        ("fwmark 9", "10.4.0.11", 0),
        ("fwmark 7", "10.4.0.12", 0),
    }
    table = node.ipvs()
    assert "-a -t 10.4.0.61:81 -r 10.4.0.11:81 -g -w 3" in table
    assert "-a -f 9 -r 10.4.0.11:0 -g -w 3" in table


def test_the_dump_shows_a_failed_real_server(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    closed = """
virtual_server 10.4.0.70 80 {
    delay_loop 1
    lvs_sched wlc
    lvs_method NAT
    protocol TCP
    real_server 10.4.0.11 81 {
        weight 3
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
"""
    node.reload(node.conf_path.read_text() + closed)
    ask = dumper(node)

    def failed() -> list[tuple[str, str, int, int | None]]:
        checks = ask.read(time.time(), full=True).checks
        assert checks is not None
        return [(c.virtual_server, c.address, c.port, c.failed_checkers) for c in checks if c.alive is False]

    assert poll(failed, 60, "a failed check", interval=1) == [("10.4.0.70:80", "10.4.0.11", 81, 1)]
