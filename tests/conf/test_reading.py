"""What read() takes out of real and of small files."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.conf import expand, macros
from kvtui.backend.conf.reader import read
from kvtui.model.conf import (
    Conf,
    ConfInstance,
    ConfRealServer,
    ConfTrack,
    ConfTrackFile,
    ConfVirtualServer,
    Location,
    ProblemKind,
    SyncGroup,
)
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.vrrp import VirtualAddress
from tests.shared import SHARED, shared_path

CONFS = SHARED / "confs"


@cache
def shared(name: str, config_id: str = "node") -> Conf:
    """A real file as it is read; each once, since the runaway one takes seconds."""
    return read(str(shared_path("confs", f"{name}.conf")), config_id=config_id, now=5.0)


def said(tmp_path: Path, text: str, config_id: str = "node") -> Conf:
    path = tmp_path / "keepalived.conf"
    path.write_bytes(text.encode())
    return read(str(path), config_id=config_id, now=5.0)


def values(conf: Conf) -> list[tuple[int, int, str]]:
    return [(p.at.line, p.at.column, p.message) for p in conf.problems if p.kind is ProblemKind.VALUE]


def instance(body: str) -> str:
    return f"vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\n{body}\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"


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
    """keepalived-vip's instance with what differs from file to file."""
    fields = {name: getattr(VIPS, name) for name in VIPS.__dataclass_fields__}
    fields |= {"at": Location(conf.path, at), "priority_at": Location(conf.path, priority_at, 12)} | more
    return ConfInstance(**fields)


def pod(conf: Conf, address: str, line: int, column: int = 3) -> ConfRealServer:
    at = Location(conf.path, line, column)
    return ConfRealServer(address, 8080, at, weight=1, checks=("TCP_CHECK",))


def vip(address: str, prefixlen: int = 32, interface: str | None = None) -> VirtualAddress:
    return VirtualAddress(address, prefixlen, interface)


def echoheaders(conf: Conf, line: int, service: str, servers: tuple[int, int], **more: object) -> ConfVirtualServer:
    fields: dict[str, object] = {
        "at": Location(conf.path, line),
        "address": "10.4.0.50",
        "port": 80,
        "scheduler": "wlc",
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
    assert [r.checks for r in server.real_servers] == [("TCP_CHECK",), ("TCP_CHECK",)]


def test_golden_proxy_is_read_as_nat() -> None:
    conf = shared("golden-aledbf-proxy-value-without-proxymode")
    assert conf.virtual_servers[0].method is ForwardingMethod.MASQ
    assert values(conf) == [(52, 14, "lvs_method 'PROXY' is unknown: keepalived takes NAT")]


def test_golden_empty() -> None:
    conf = shared("golden-aledbf-empty")
    assert (conf.instances, conf.virtual_servers, conf.problems) == ((), (), ())
    old = shared("golden-c09-empty")
    assert old.instances == (like(old, 8, 12),)
    assert values(old) == [(8, 1, "vips: no virtual_ipaddress: keepalived may refuse the instance")]


def test_fwmark() -> None:
    conf = shared("up-fwmark")
    (server,) = conf.virtual_servers
    assert (server.fwmark, server.address, server.port, server.protocol) == (1, None, None, Protocol.FWMARK)
    assert [(r.address, r.port, r.weight) for r in server.real_servers] == [
        ("192.168.201.100", None, 1),
        ("192.168.201.101", None, 1),
    ]


def test_group() -> None:
    """Each member is a virtual server in the kernel; all have the block's real servers."""
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
        ("10.0.0.9-3 80", [(None, None)]),
        ("fd00::0-ffff 80", [(None, None)]),
        ("nonsense 80", [(None, None)]),
        ("10.0.0.1 80\n10.0.0.300 80", [(None, None)]),  # one that is not known: none is
        ("", []),
    ],
)
def test_members_of_a_group(tmp_path: Path, lines: str, members: list[tuple[str | None, int | None]]) -> None:
    conf = said(tmp_path, f"virtual_server_group G {{\n{lines}\n}}\nvirtual_server group G {{\n}}\n")
    assert [(s.address, s.port) for s in conf.virtual_servers] == members
    assert {s.group for s in conf.virtual_servers} <= {"G"}


def test_a_group_that_is_nowhere_stays_a_group(tmp_path: Path) -> None:
    (server,) = said(tmp_path, "virtual_server group G {\n}\n").virtual_servers
    assert (server.group, server.address, server.fwmark) == ("G", None, None)


def test_by_direct_routing_a_members_real_servers_have_its_port(tmp_path: Path) -> None:
    body = "lvs_method DR\nreal_server 10.1.0.1 80 {\n}\nreal_server 10.1.0.2 80 {\nlvs_method NAT\n}\n"
    group = "virtual_server_group G {\n10.0.0.1 81\nfwmark 7\n}\n"
    conf = said(tmp_path, f"{group}virtual_server group G {{\n{body}}}\n")
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
    assert sorry == ConfRealServer("192.168.200.200", 1358, Location(conf.path, 33, 5), sorry=True)
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
    assert shared("up-conditional_conf", "other").instances[0].priority is None


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
    last = [f"192.{n}.{a}" for a in ("10.1", "20.4", "5.6", "12.8") for n in (168, 170, 172, 174, 176, 178)]
    assert addresses[16:] == last


def test_a_runaway_file_ends() -> None:
    conf = shared("pqa-1173", "low")
    assert conf.problems[0].message.startswith("Macros and sequences make more than 100000 lines")


@pytest.mark.parametrize("path", sorted(CONFS.glob("*.conf")), ids=lambda p: p.stem)
def test_every_real_file_is_read(path: Path) -> None:
    conf = shared(path.stem, "low")
    lines = path.read_text(errors="replace").split("\n")
    for problem in conf.problems:
        assert problem.at.file == str(path)
        assert 1 <= problem.at.line <= len(lines)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1
    assert "s3cret" not in repr(conf)


def test_crlf_and_no_final_newline_change_nothing(tmp_path: Path) -> None:
    text = shared_path("confs", "golden-aledbf-nat+vip+unicast.conf").read_text()
    plain = said(tmp_path, text)
    dos = said(tmp_path, text.rstrip().replace("\n", "\r\n"))
    assert (dos.instances, dos.virtual_servers, dos.digest) == (plain.instances, plain.virtual_servers, plain.digest)


def test_the_last_keyword_wins(tmp_path: Path) -> None:
    (found,) = said(tmp_path, instance("priority 5\npriority 6\nnopreempt\npreempt")).instances
    assert (found.priority, found.priority_at and found.priority_at.line, found.nopreempt) == (6, 5, False)


def test_the_first_instance_of_a_name_wins(tmp_path: Path) -> None:
    conf = said(tmp_path, instance("priority 5") + instance("priority 6"))
    assert [i.priority for i in conf.instances] == [5]
    assert values(conf) == [(9, 1, "vrrp_instance V is already defined: keepalived skips this one")]


@pytest.mark.parametrize(
    ("value", "priority", "literal"),
    [("100", 100, True), ("$P", 7, False), ("${P}", 7, False), ("${P}0", 70, False), ("${_RANDOM 1 9}", None, False)],
)
def test_literal_priorities(tmp_path: Path, value: str, priority: int | None, literal: bool) -> None:
    conf = said(tmp_path, f"$P=7\n{instance('priority ' + value)}")
    assert (conf.instances[0].priority, conf.instances[0].priority_literal) == (priority, literal)
    assert conf.problems == ()


def test_a_priority_of_a_sequence_is_not_literal(tmp_path: Path) -> None:
    conf = said(tmp_path, instance("~SEQ(I, 3, 4) priority ${I}"))
    assert (conf.instances[0].priority, conf.instances[0].priority_literal) == (4, False)


def test_one_line_blocks_lose_their_tails(tmp_path: Path) -> None:
    text = (
        "vrrp_instance V { interface eth0\nvirtual_router_id 1\nauthentication { auth_type PASS auth_pass hunter2 }\n"
    )
    conf = said(tmp_path, text + "virtual_ipaddress { 10.0.0.1/24 10.0.0.2 }\nunicast_peer { 10.0.0.8 10.0.0.9 }\n}\n")
    (found,) = conf.instances
    assert (found.vips, found.unicast_peers, found.auth_type) == ((vip("10.0.0.1", 24),), ("10.0.0.8",), "PASS")
    assert values(conf) == [
        (3, 33, "keepalived reads only the type on this line: give auth_pass a line of its own"),
        (4, 33, "keepalived takes one address a line: it ignores '10.0.0.2' after 10.0.0.1/24"),
        (5, 25, "keepalived takes one peer a line: it ignores '10.0.0.9'"),
    ]
    assert "hunter2" not in repr(conf)


def test_addresses(tmp_path: Path) -> None:
    body = (
        "virtual_ipaddress_excluded {\n10.0.0.2/24 brd 10.0.0.255 dev eth1 label eth1:v no_track\n"
        "FE80::0:1 dev eth2\n10.0.0.3/99\n}"
    )
    (found,) = said(tmp_path, instance(body)).instances
    assert found.excluded_vips == (vip("10.0.0.2", 24, "eth1"), vip("fe80::1", 128, "eth2"), vip("10.0.0.3"))


def test_tracks(tmp_path: Path) -> None:
    body = (
        "track_script {\nchk weight -20 reverse\n}\ntrack_file {\ntf weight 5\n}\ntrack_process {\np\n}\n"
        "track_interface { eth1 eth2 }"
    )
    conf = said(tmp_path, instance(body) + "track_file tf { file /run/tf\nweight 3\n}\nvrrp_track_file old {\n}\n")
    assert conf.instances[0].tracks == (
        ConfTrack("script", "chk", -20),
        ConfTrack("file", "tf", 5),
        ConfTrack("process", "p"),
    )
    assert conf.track_files == (ConfTrackFile("tf", "/run/tf", 3), ConfTrackFile("old", None))
    assert values(conf) == [(13, 24, "keepalived takes one entry a line: 'eth2' makes it ignore this one")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (instance("priority 300"), [(4, 10, "V: priority must be between 1 and 255; keepalived takes 100 instead")]),
        (instance("priority 0"), [(4, 10, "V: priority must be between 1 and 255; keepalived takes 100 instead")]),
        (instance("virtual_router_id 256"), [(4, 19, "V: virtual_router_id must be between 1 and 255")]),
        (
            "vrrp_instance V {\ninterface e\nvirtual_ipaddress {\n1.1.1.1\n}\n}",
            [(1, 1, "V: virtual_router_id is missing: keepalived exits on it")],
        ),
        (
            "vrrp_instance V {\nvirtual_router_id 1\nvirtual_ipaddress {\n1.1.1.1\n}\n}",
            [(1, 1, "V: no interface")],
        ),
        ("vrrp_instance {\n}", [(1, 1, "vrrp_instance needs exactly one name: keepalived skips the block")]),
        (
            instance("priority ${P}"),
            [
                (4, 1, "${P} is not defined: keepalived takes its '}' for the end of the block"),
                (4, 10, "V: priority must be between 1 and 255; keepalived takes 100 instead"),
            ],
        ),
    ],
)
def test_values_that_keepalived_rejects(tmp_path: Path, text: str, expected: list[tuple[int, int, str]]) -> None:
    assert values(said(tmp_path, text)) == expected


def test_unbalanced_braces(tmp_path: Path) -> None:
    conf = said(tmp_path, "vrrp_instance V {\n priority 5\n}\n}\nglobal_defs {\n")
    assert [(p.kind, p.at.line, p.at.column) for p in conf.problems if p.kind is ProblemKind.SYNTAX] == [
        (ProblemKind.SYNTAX, 4, 1),
        (ProblemKind.SYNTAX, 5, 1),
    ]


def test_virtual_servers(tmp_path: Path) -> None:
    text = """# Service: a/b

virtual_server 2001:DB8::1 443 {
  lb_kind TUN
  persistence_timeout
  weight 4
  sorry_server 2001:db8::f 80
  sorry_server_lvs_method NAT
  sorry_server_inhibit
  real_server 2001:db8::2 443 {
    lvs_method DR
    uthreshold 10
    lthreshold 5
    FILE_CHECK { track_file tf }
    MISC_CHECK {
      misc_path x
    }
  }
  real_server 2001:db8::3 443 { weight 0
    inhibit_on_failure
  }
}
# Service: not/this
global_defs {
}
virtual_server 10.0.0.1 80 {
}
"""
    conf = said(tmp_path, text)
    first, second = conf.virtual_servers
    assert (first.address, first.port, first.service) == ("2001:db8::1", 443, "a/b")
    assert (first.method, first.persistence_timeout) == (ForwardingMethod.TUNNEL, 360)
    place = conf.path
    assert first.real_servers == (
        ConfRealServer(
            "2001:db8::f",
            80,
            Location(place, 7, 3),
            method=ForwardingMethod.MASQ,
            inhibit_on_failure=True,
            sorry=True,
        ),
        ConfRealServer(
            "2001:db8::2",
            443,
            Location(place, 10, 3),
            weight=4,
            method=ForwardingMethod.DIRECT,
            upper_threshold=10,
            lower_threshold=5,
            checks=("FILE_CHECK", "MISC_CHECK"),
            file_check="tf",
        ),
        ConfRealServer("2001:db8::3", 443, Location(place, 19, 3), weight=0, inhibit_on_failure=True),
    )
    assert (second.service, second.persistence_timeout, second.method) == (None, None, None)


def test_a_missing_main_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "no.conf"), now=0)


def test_an_executable_main_file(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text("")
    path.chmod(0o755)
    (problem,) = read(str(path), now=0).problems
    assert (problem.kind, problem.at) == (ProblemKind.INCLUDE, Location(str(path), 1))


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        read(str(tmp_path / "pipe"), now=0)


PARTS = [
    *("vrrp_instance V", "virtual_server", "real_server 1.1.1.1", "virtual_ipaddress", "priority", "fwmark", "weight"),
    *(
        "global_defs",
        "authentication",
        "auth_type",
        "track_interface",
        "unicast_peer",
        "group",
        "include",
        "10.0.0.1/24",
    ),
    *(
        "{",
        "}",
        '"',
        "#",
        "\\",
        "@id ",
        "@^id ",
        "$A=",
        "$A",
        "${A}",
        "${_PWD}",
        "$A= \\\n",
        "~SEQ(I,1,3) ",
        "~LST(I,a,b) ",
    ),
    *("7", "-1", "999999999999999999999", "\n", "\n", "\n", "\r\n", "\t", " ", " ", "\0", "é", "*", "/"),
]


@given(st.lists(st.sampled_from(PARTS), max_size=80).map("".join))
@settings(max_examples=300)
def test_reading_never_fails_and_trouble_lies_in_the_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz" / "keepalived.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        # nested sequences multiply: the same limits, reached sooner, or most of the time goes into a few examples
        patch.setattr(expand, "GENERATED_LIMIT", 2_000)
        patch.setattr(macros, "LINES_LIMIT", 2_000)
        conf = read(str(path), config_id="id", now=0)
    lines = text.split("\n")
    for problem in conf.problems:
        assert problem.at.file == str(path)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1
