"""kvtui reads real keepalived.conf files as keepalived does."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from kvtui.backend.conf.reader import read
from kvtui.model.conf import (
    Conf,
    ConfInstance,
    ConfRealServer,
    ConfTrack,
    ConfTrackFile,
    ConfVirtualServer,
    Location,
    SyncGroup,
)
from kvtui.model.ipvs import ForwardingMethod, Protocol
from tests.conf.reading import read_conf, value_problems, vip
from tests.shared import SHARED, shared_path

CONFS = SHARED / "confs"


@cache
def shared(name: str, config_id: str = "node") -> Conf:
    """Reads a real file, and each only once, because the largest takes seconds."""
    return read(str(shared_path("confs", f"{name}.conf")), config_id=config_id, now=5.0)


VIPS = ConfInstance(
    name="vips",
    at=Location("", 18),
    state="BACKUP",
    interface="eth0",
    vrid=50,
    priority=100,
    nopreempt=True,
    advert_interval=1.0,
    tracks=(ConfTrack("interface", "eth0"),),
)


def like(conf: Conf, at: int, priority_at: int, **more: object) -> ConfInstance:
    """Returns keepalived-vip's instance with the fields that differ from file to file."""
    fields = {name: getattr(VIPS, name) for name in VIPS.__struct_fields__}
    fields["version"] = int(conf.globals.get("vrrp_version", "2"))
    fields |= {"at": Location(conf.path, at), "priority_at": Location(conf.path, priority_at, 12)} | more
    return ConfInstance(**fields)


def pod(conf: Conf, address: str, line: int, column: int = 3) -> ConfRealServer:
    at = Location(conf.path, line, column)
    return ConfRealServer(address, 8080, at, weight=1, method=ForwardingMethod.MASQ, checks=("TCP_CHECK",))


def echoheaders(conf: Conf, line: int, service: str, servers: tuple[int, int], **more: object) -> ConfVirtualServer:
    fields: dict[str, object] = {
        "at": Location(conf.path, line),
        "address": "10.4.0.50",
        "port": 80,
        "scheduler": "wlc",
        "protocol": Protocol.TCP,
        "method": ForwardingMethod.MASQ,
        "persistence_timeout": 1800,
        "service": service,
        "real_servers": (pod(conf, "10.2.68.5", servers[0]), pod(conf, "10.2.68.6", servers[1])),
    }
    return ConfVirtualServer(**(fields | more))  # type: ignore[arg-type]  # a dict of mixed fields


def test_golden_nat_with_vip_only_and_unicast() -> None:
    conf = shared("golden-aledbf-nat+vip+unicast")
    assert conf.instances == (
        like(
            conf,
            19,
            23,
            vips=(vip("10.4.0.60"), vip("10.4.0.50")),
            unicast_source="10.4.0.3",
            unicast_peers=("10.4.0.4", "10.4.0.5"),
        ),
    )
    assert conf.virtual_servers == (echoheaders(conf, 60, "default-echoheaders", (68, 76)),)
    assert conf.globals == {
        "vrrp_version": "3",
        "vrrp_iptables": "KUBE-KEEPALIVED-VIP",
        "script_user": "root",
        "enable_script_security": "",
    }
    assert conf.files == (conf.path,)
    assert conf.modified == Path(conf.path).stat().st_mtime
    assert (conf.read_at, conf.problems) == (5.0, ())


def test_golden_nat() -> None:
    conf = shared("golden-aledbf-nat")
    (found,) = conf.instances
    assert found == like(conf, found.at.line, found.at.line + 4, vips=(vip("10.4.0.50"),))
    (server,) = conf.virtual_servers
    lines = (server.real_servers[0].at.line, server.real_servers[1].at.line)
    assert server == echoheaders(conf, server.at.line, "default-echoheaders", lines)
    text = Path(conf.path).read_text().split("\n")
    assert text[server.at.line - 1] == "virtual_server 10.4.0.50 80 {"
    assert [text[line - 1].strip() for line in lines] == [
        "real_server 10.2.68.5 8080 {",
        "real_server 10.2.68.6 8080 {",
    ]


def test_golden_of_the_other_controllers() -> None:
    old, newer = shared("golden-c09-nat"), shared("golden-c011-nat")
    assert old.virtual_servers == (echoheaders(old, 29, "default/echoheaders", (37, 45)),)
    assert newer.virtual_servers == (echoheaders(newer, 31, "default/echoheaders", (39, 47)),)
    assert old.instances == (like(old, 8, 12, vips=(vip("10.4.0.50"),)),)


def test_golden_vip_only() -> None:
    conf = shared("golden-aledbf-viponly")
    assert [i.vips for i in conf.instances] == [(vip("10.4.0.60"),)]
    assert conf.virtual_servers == ()


def test_golden_udp() -> None:
    (server,) = shared("golden-aledbf-udp").virtual_servers
    assert (server.protocol, server.port, server.method) == (Protocol.UDP, 53, ForwardingMethod.MASQ)
    assert [r.checks for r in server.real_servers] == [("TCP_CHECK",)]  # the file has it twice


def test_golden_proxy_is_read_as_nat() -> None:
    conf = shared("golden-aledbf-proxy-value-without-proxymode")
    assert conf.virtual_servers[0].method is ForwardingMethod.MASQ
    assert value_problems(conf) == [(52, 14, "lvs_method 'PROXY' is unknown: keepalived ignores it")]


def test_golden_empty() -> None:
    conf = shared("golden-aledbf-empty")
    assert (conf.instances, conf.virtual_servers, conf.problems) == ((), (), ())
    old = shared("golden-c09-empty")
    assert old.instances == (like(old, 8, 12),)
    assert value_problems(old) == [
        (8, 1, "vips: no virtual_ipaddress: VRRP version 3 needs one: keepalived exits on it")
    ]


def test_fwmark() -> None:
    conf = shared("up-fwmark")
    (server,) = conf.virtual_servers
    assert (server.fwmark, server.address, server.port, server.protocol) == (1, None, None, Protocol.FWMARK)
    assert [(r.address, r.port, r.weight) for r in server.real_servers] == [
        ("192.168.201.100", None, 1),
        ("192.168.201.101", None, 1),
    ]


def test_group() -> None:
    """Each member is a virtual server in the kernel and has the block's real servers."""
    servers = shared("up-virtual_server_group").virtual_servers
    assert {(s.group, s.persistence_timeout, len(s.real_servers)) for s in servers} == {("VSG_1", 50, 2)}
    assert [(s.address, s.port) for s in servers if s.fwmark is None] == [
        ("10.0.0.1", 8080),
        ("10.0.0.2", 80),
        ("192.168.200.1", 1358),
        *((f"192.168.200.{n}", 80) for n in range(3, 11)),
    ]
    assert [(s.protocol, s.fwmark) for s in servers if s.fwmark] == [(Protocol.FWMARK, 1), (Protocol.FWMARK, 2)]
    assert [r.checks for r in servers[0].real_servers] == [("HTTP_GET",), ("HTTP_GET",)]


@pytest.mark.parametrize(
    ("lines", "members"),
    [
        ("fd00::a-c 80", [("fd00::a", 80), ("fd00::b", 80), ("fd00::c", 80)]),
        ("10.0.0.1", [("10.0.0.1", None)]),
        ("10.0.0.1 ${_RANDOM}", [(None, None)]),
        ("10.0.0.9-3 80\n10.0.0.1 80", [("10.0.0.1", 80)]),  # keepalived skips a line that it cannot read
        ("fd00::0-ffff 80", [(None, None)]),
        ("10.0.0.1 80\n10.0.0.300 80", [("10.0.0.1", 80)]),
        ("fwmark 7\n10.0.0.8/31 80\n10.0.0.9/31 80", [("10.0.0.8", 80), ("10.0.0.9", 80), (None, None)]),
        ("10.0.0.254-10.0.1.1 80", [("10.0.0.254", 80), ("10.0.0.255", 80), ("10.0.1.0", 80), ("10.0.1.1", 80)]),
        ("nonsense 80", []),
        ("", []),
    ],
)
def test_members_of_a_group(tmp_path: Path, lines: str, members: list[tuple[str | None, int | None]]) -> None:
    real = "real_server 10.9.0.1 80 {\n}"
    conf = read_conf(tmp_path, f"virtual_server_group G {{\n{lines}\n}}\nvirtual_server group G {{\n{real}\n}}\n")
    assert [(s.address, s.port) for s in conf.virtual_servers] == members
    assert {s.group for s in conf.virtual_servers} <= {"G"}


def test_a_virtual_server_of_an_undefined_group_is_ignored(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, "virtual_server group G {\nreal_server 10.9.0.1 80 {\n}\n}\n")
    assert conf.virtual_servers == ()
    assert value_problems(conf) == [
        (1, 1, "virtual_server_group G is not defined: keepalived ignores this virtual server")
    ]


def test_with_direct_routing_real_servers_have_the_port_of_the_group_member(tmp_path: Path) -> None:
    body = "lvs_method DR\nreal_server 10.1.0.1 80 {\n}\nreal_server 10.1.0.2 80 {\nlvs_method NAT\n}\n"
    group = "virtual_server_group G {\n10.0.0.1 81\nfwmark 7\n}\n"
    conf = read_conf(tmp_path, f"{group}virtual_server group G {{\n{body}}}\n")
    assert [[r.port for r in s.real_servers] for s in conf.virtual_servers] == [[81, 80], [80, 80]]


def test_sync_groups() -> None:
    conf = shared("up-vrrp.sync")
    assert conf.sync_groups == (
        SyncGroup("G1", ("VI_1", "VI_2", "VI_5", "VI_6", "VI_7", "VI_8", "VI_9")),
        SyncGroup("G2", ("VI_3", "VI_4")),
    )
    assert conf.instances[1].vips == (vip("192.168.201.18", 26),)


def test_sorry_server() -> None:
    conf = shared("up-sample")
    sorry, real = conf.virtual_servers[0].real_servers
    assert sorry == ConfRealServer(
        "192.168.200.200", 1358, Location(conf.path, 33, 5), method=ForwardingMethod.MASQ, sorry=True
    )
    assert (real.sorry, real.weight) == (False, 1)
    assert "notification_email" not in conf.globals
    assert conf.globals["smtp_server"] == "192.168.200.1"


def test_inhibit_and_quorum() -> None:
    assert shared("up-inhibit").virtual_servers[0].real_servers[0].inhibit_on_failure
    assert not shared("up-fwmark").virtual_servers[0].real_servers[0].inhibit_on_failure
    assert shared("up-quorum").virtual_servers[0].quorum == 7


@pytest.mark.parametrize(("config_id", "priority", "line"), [("high", 170, 19), ("low", 85, 20)])
def test_conditional_lines(config_id: str, priority: int, line: int) -> None:
    conf = shared("up-conditional_conf", config_id)
    (found,) = conf.instances
    assert (found.priority, found.priority_literal) == (priority, False)
    assert found.priority_at == Location(conf.path, line, 16 if config_id == "high" else 15)
    assert found.tracks == (
        ConfTrack("interface", "eth3"),
        ConfTrack("interface", "eth2", 20),
        ConfTrack("script", "check_VI_0"),
    )
    assert conf.globals == {"net_namespace": config_id}
    assert shared("up-conditional_conf", "other").instances[0].priority == 100


def test_multi_line_macros_and_sequences() -> None:
    conf = shared("pqa-seq", "high")
    assert [(i.name, i.vrid, i.interface, i.priority, i.priority_literal) for i in conf.instances] == [
        (f"4.1.1.{n}", n, "bond1.1", 130, False) for n in (1, 2, 3, 4)
    ]
    assert conf.instances[2].vips == (vip("10.1.1.3", 24),)
    assert conf.instances[2].tracks == (ConfTrack("file", "offset_instance_4.1.1.3"),)
    assert conf.track_files[0] == ConfTrackFile("offset_instance_4.1.1.1", f"{CONFS}/../track_files/4.1.1.1", -100)


def test_sequences_and_lists_of_addresses() -> None:
    (found,) = shared("pqa-1581").instances
    addresses = [v.address for v in found.vips]
    assert addresses[:4] == ["192.168.10.1", "192.168.20.4", "192.168.5.6", "192.168.12.8"]
    assert addresses[4:16] == [f"192.169.{a}.{b}" for a in (1, 2, 3, 4) for b in (5, 6, 7)]
    last = [f"192.{n}.{a}" for a in ("10.1", "20.4", "5.6", "12.8") for n in (170, 172, 174, 176, 178)]  # 168: again
    assert addresses[16:] == last


def test_a_file_that_generates_too_many_lines_is_cut() -> None:
    conf = shared("pqa-1173", "low")
    assert conf.problems[0].message.startswith("Macros and sequences generate more than 50000 lines")


@pytest.mark.parametrize("path", sorted(CONFS.glob("*.conf")), ids=lambda p: p.stem)
def test_every_real_file_is_read(path: Path) -> None:
    conf = shared(path.stem, "low")
    lines = path.read_text(errors="replace").split("\n")
    for problem in conf.problems:
        assert problem.at.file == str(path)
        assert 1 <= problem.at.line <= len(lines)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1
    assert "s3cret" not in repr(conf)
