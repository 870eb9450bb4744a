"""Cases where keepalived reads a config in a surprising way; each result was checked with real keepalived.

tests/lab/test_config_meaning.py compares whole configs with keepalived's own dumps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.backend.conf.reader import read
from kvtui.model.conf import ProblemKind
from kvtui.model.ipvs import ForwardingMethod, Protocol
from tests.conf.reading import instance, read_conf, value_problems, vip

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.conf import Conf, ConfInstance, ConfVirtualServer

NAT, DR, TUN = ForwardingMethod.MASQ, ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL


def one(tmp_path: Path, body: str, before: str = "") -> ConfInstance:
    (found,) = read_conf(tmp_path, before + instance(body)).instances
    return found


def server(tmp_path: Path, body: str, header: str = "10.0.0.1 80") -> ConfVirtualServer:
    (found,) = read_conf(tmp_path, f"virtual_server {header} {{\n{body}\n}}\n").virtual_servers
    return found


def syntax(conf: Conf) -> list[tuple[int, str]]:
    return [(p.at.line, p.message) for p in conf.problems if p.kind is ProblemKind.SYNTAX]


# --- VRRP


@pytest.mark.parametrize(
    ("body", "state", "priority", "nopreempt", "delay"),
    [
        ("", "BACKUP", 100, False, None),
        ("state MASTER", "MASTER", 255, False, None),
        ("state MASTER\npriority 90\nnopreempt\npreempt_delay 5", "MASTER", 90, False, None),
        ("state BACKUP\npriority 90\nnopreempt\npreempt_delay 5", "BACKUP", 90, True, None),
        ("priority 90\npreempt_delay 1.5", "BACKUP", 90, False, 1.5),
        ("priority 255\nnopreempt", "MASTER", 255, False, None),
        ("state MASTER\nstate BACKUP\npriority 9", "MASTER", 9, False, None),
        ("state master\npriority 9", "BACKUP", 9, False, None),
        ("priority 90\npriority 300", "BACKUP", 100, False, None),
        ('priority "90"', "BACKUP", 90, False, None),
        ("priority 90x", "BACKUP", 100, False, None),
    ],
)
def test_states_and_priorities(
    tmp_path: Path, body: str, state: str, priority: int, nopreempt: bool, delay: float | None
) -> None:
    found = one(tmp_path, body)
    assert (found.state, found.priority) == (state, priority)
    assert (found.nopreempt, found.preempt_delay) == (nopreempt, delay)


@pytest.mark.parametrize(
    ("body", "before", "version", "interval"),
    [
        ("", "", 2, 1.0),
        ("", "global_defs {\nvrrp_version 3\n}\n", 3, 1.0),
        ("version 2\nadvert_int 1.6", "global_defs {\nvrrp_version 3\n}\n", 2, 2.0),
        ("version 3\nversion 2\nadvert_int 0.25", "", 3, 0.25),
        ("version 3\nadvert_int 0.254", "", 3, 0.25),
        ("version 3\nadvert_int 41", "", 3, 40.95),
        ("advert_int 0.2", "", 2, 1.0),
        ("advert_int 3\nadvert_int 0.001", "", 2, 3.0),
        ("advert_int 3\nadvert_int 2s", "", 2, 3.0),
        ("version 4", "", 2, 1.0),
    ],
)
def test_versions_and_intervals(tmp_path: Path, body: str, before: str, version: int, interval: float) -> None:
    found = one(tmp_path, body, before)
    assert (found.version, found.advert_interval) == (version, interval)


def test_an_ipv6_instance_has_version_3_and_no_ipv4_addresses(tmp_path: Path) -> None:
    text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\nfd00::1/64\n10.0.0.1\n}\n}\n"
    conf = read_conf(tmp_path, text)
    assert (conf.instances[0].version, conf.instances[0].vips) == (3, (vip("fd00::1", 64),))
    assert value_problems(conf) == [(4, 1, "V has IPv6 addresses: keepalived ignores 10.0.0.1 of virtual_ipaddress")]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("10.0.0.2", [vip("10.0.0.2")]),
        ("10.0.0.2/24 dev eth1 label eth1:v scope host brd +", [vip("10.0.0.2", 24, "eth1")]),
        ("10.0.0.2/24 peer 10.0.0.9", [vip("10.0.0.2")]),
        ("10.0.0.2/24 peer 10.0.0.9/24", [vip("10.0.0.2", 24)]),
        ("10.0.0.2/24x", [vip("10.0.0.2", 24)]),
        ("10.0.0.2/99", [vip("10.0.0.2")]),
        ("10.0.0.2 label aLabelOfMoreThan15", []),
        ("10.0.0.2 dev", []),
        ("10.0.0.2 brd x", []),
        ("010.0.0.2", []),
        ("10.0.0.2 # c", [vip("10.0.0.2")]),
        ("10.0.0.2\n10.0.0.2 dev eth0", [vip("10.0.0.2")]),
    ],
)
def test_addresses_of_a_block(tmp_path: Path, line: str, found: list[object]) -> None:
    text = f"vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n{line}\n}}\n}}\n"
    assert list(read_conf(tmp_path, text).instances[0].vips) == found


def test_a_sync_group_starts_as_backup_unless_all_are_address_owners(tmp_path: Path) -> None:
    second = instance("state BACKUP").replace("V {", "W {").replace("_id 1", "_id 2")
    text = instance("state MASTER\npriority 90") + second + "vrrp_sync_group G {\ngroup {\nV\nW\n}\n}\n"
    assert [i.state for i in read_conf(tmp_path, text).instances] == ["BACKUP", "BACKUP"]


def test_two_instances_of_one_vrid_on_one_interface(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, instance("") + instance("").replace("V {", "W {"))
    assert value_problems(conf) == [(9, 1, "W: V has VRID 1 on eth0 already: keepalived exits on it")]


# --- IPVS


def test_defaults_of_a_virtual_server(tmp_path: Path) -> None:
    found = server(tmp_path, "real_server 10.1.0.1 80 {\n}", header="10.0.0.1")
    assert (found.protocol, found.scheduler, found.method) == (Protocol.UDP, "wlc", NAT)
    assert (found.port, found.persistence_timeout, found.quorum) == (None, 360, None)
    assert [(r.weight, r.method) for r in found.real_servers] == [(1, NAT)]


@pytest.mark.parametrize(
    ("word", "protocol"),
    [("tcp", Protocol.TCP), ("Udp", Protocol.UDP), ("sctp", Protocol.SCTP), ("icmp", Protocol.UDP)],
)
def test_protocols_in_any_case(tmp_path: Path, word: str, protocol: Protocol) -> None:
    assert server(tmp_path, f"protocol {word}\nreal_server 10.1.0.1 80 {{\n}}").protocol is protocol


def test_methods_and_schedulers_are_case_sensitive(tmp_path: Path) -> None:
    found = server(tmp_path, "lb_algo rr\nlb_algo WRR\nlb_kind dr\nreal_server 10.1.0.1 80 {\n}")
    assert (found.scheduler, found.method) == ("rr", NAT)


def test_a_real_server_has_the_last_method_above_it(tmp_path: Path) -> None:
    real = "real_server 10.1.0.{} 80 {{\n{}\n}}\n"
    body = real.format(1, "") + "lb_kind DR\n" + real.format(2, "") + "lb_kind TUN\n" + real.format(3, "lvs_method NAT")
    assert [r.method for r in server(tmp_path, body).real_servers] == [TUN, DR, NAT]


def test_only_nat_changes_ports(tmp_path: Path) -> None:
    body = "lb_kind DR\nreal_server 10.1.0.1 8080 {\n}\nreal_server 10.1.0.2 8080 {\nlvs_method NAT\n}\n"
    assert [r.port for r in server(tmp_path, body).real_servers] == [80, 8080]
    assert [r.port for r in server(tmp_path, body, header="fwmark 3").real_servers] == [None, 8080]


def test_skipped_real_servers_and_virtual_servers(tmp_path: Path) -> None:
    body = (
        "real_server 10.1.0.1 80 {\nweight 3\n}\nreal_server 10.1.0.1 80 {\nweight 4\n}\n"
        "real_server fd00::1 80 {\n}\nreal_server 10.1.0.2 99999 {\n}\nreal_server nowhere 80 {\n}\nquorum 9\n"
    )
    conf = read_conf(
        tmp_path, f"virtual_server 10.0.0.1 80 {{\n{body}}}\nvirtual_server 10.0.0.2 80 {{\nweight 3\n}}\n"
    )
    (found,) = conf.virtual_servers
    assert [(r.address, r.weight) for r in found.real_servers] == [("10.1.0.1", 3)]
    assert found.quorum == 3
    assert [s.address for s in conf.ignored_servers] == ["10.0.0.2"]
    assert [line for line, _, _ in value_problems(conf)] == [5, 8, 10, 12, 14, 16]


@pytest.mark.parametrize(
    ("text", "weight"), [("7x", 7), ("x", 0), ("-1", 1), ("+5", 5), ("4294967296", 1), ('" 9"', 9), ("3\nweight -1", 3)]
)
def test_weights_as_strtoul_reads_them(tmp_path: Path, text: str, weight: int) -> None:
    (real,) = server(tmp_path, f"real_server 10.1.0.1 80 {{\nweight {text}\n}}").real_servers
    assert real.weight == weight


def test_a_sorry_server_that_is_also_a_real_server_shares_inhibit_on_failure(tmp_path: Path) -> None:
    sorry, _ = server(
        tmp_path, "sorry_server 10.1.0.1 80\nreal_server 10.1.0.1 80 {\ninhibit_on_failure\n}"
    ).real_servers
    assert (sorry.sorry, sorry.inhibit_on_failure) == (True, True)


# --- blocks


def test_a_misspelt_block_loses_the_lines_after_it(tmp_path: Path) -> None:
    real = "real_server 10.1.0.{} 80 {{\n{} {{\nconnect_timeout 3\n}}\nweight {}\n}}\n"
    body = real.format(1, "TCP_CHECK", 2) + real.format(2, "TCP_CHEKC", 3) + real.format(3, "TCP_CHECK", 4)
    conf = read_conf(tmp_path, f"virtual_server 10.0.0.1 80 {{\n{body}}}\n{instance('')}")
    (found,) = conf.virtual_servers
    assert [(r.address, r.weight) for r in found.real_servers] == [("10.1.0.1", 2), ("10.1.0.2", 3)]
    assert [i.name for i in conf.instances] == ["V"]  # each process skips the other's blocks as a whole
    message = (
        "'TCP_CHEKC' is unknown in real_server 10.1.0.2 80: keepalived ignores its '{', so the '}' in line 11 ends "
        "real_server 10.1.0.2 80 (line 8), and what follows is read outside of it; ignored from there: "
        "real_server 10.1.0.3 80 (line 14), TCP_CHECK (line 15), connect_timeout 3 (line 16) and 1 more lines"
    )
    assert syntax(conf) == [(9, message)]


def test_a_skipped_real_server_ends_at_its_closing_brace(tmp_path: Path) -> None:
    """A misspelt block in it loses no lines after it."""
    real = "real_server 10.1.0.{} {} {{\nTCP_CHEKC {{\nconnect_timeout 3\n}}\n}}\n"
    last = "real_server 10.1.0.3 80 {\nweight 4\n}\n"
    conf = read_conf(
        tmp_path, f"virtual_server 10.0.0.1 80 {{\n{real.format(1, 99999)}{real.format(300, 80)}{last}}}\n"
    )
    (found,) = conf.virtual_servers
    assert [(r.address, r.weight) for r in found.real_servers] == [("10.1.0.3", 4)]
    assert syntax(conf) == []


def test_a_check_of_a_track_file_defined_below_it_is_ignored(tmp_path: Path) -> None:
    """keepalived logs "track_file below not found" (2.1.5, 2.2.7, 2.3.3)."""
    file = "track_file {0} {{\nfile /tmp/{0}\n}}\n"
    real = "real_server 10.1.0.{} 80 {{\nFILE_CHECK {{\ntrack_file {}\n}}\n}}\n"
    server = f"virtual_server 10.0.0.1 80 {{\n{real.format(1, 'above')}{real.format(2, 'below')}}}\n"
    conf = read_conf(tmp_path, file.format("above") + server + file.format("below"))
    (found,) = conf.virtual_servers
    assert [(r.checks, r.file_check) for r in found.real_servers] == [(("FILE_CHECK",), "above"), ((), None)]
    assert (12, 1, "track_file below is not defined above: keepalived ignores this check") in value_problems(conf)


def test_an_invalid_track_line_is_ignored(tmp_path: Path) -> None:
    tracks = "track_interface {\na weight\nb weight 2 odd\n}\ntrack_file {\nf weight 2 odd\ng weight 2 reverse\n}"
    files = "track_file f {\nfile /f\n}\ntrack_file g {\nfile /g\n}\n"
    (found,) = read_conf(tmp_path, files + instance(tracks)).instances
    assert [(t.kind, t.name, t.weight) for t in found.tracks] == [("interface", "b", 2), ("file", "g", 2)]


def test_an_unknown_keyword_and_an_unknown_block_at_the_top(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, f"colour blue\nthings {{\nmore 1\n}}\n{instance('Priority 7')}")
    assert [i.priority for i in conf.instances] == [100]
    assert value_problems(conf) == [
        (1, 1, "'colour' is unknown: keepalived ignores this line"),
        (2, 1, "'things' is unknown: keepalived ignores this block"),
        (8, 1, "'Priority' is unknown in vrrp_instance V: keepalived ignores this line"),
    ]


def test_a_misspelt_block_in_global_defs_loses_the_rest(tmp_path: Path) -> None:
    """The parent reads the block by keywords, its children skip it by braces: a misspelt block gives different ends."""
    conf = read_conf(tmp_path, f"global_defs {{\nthings {{\n}}\nvrrp_version 3\n{instance('')}}}\n")
    assert (conf.instances, conf.globals) == ((), {})


@pytest.mark.parametrize("keyword", ["state", "priority", "advert_int"])
def test_a_keyword_without_its_value(tmp_path: Path, keyword: str) -> None:
    assert syntax(read_conf(tmp_path, instance(keyword))) == [(4, f"{keyword} has no value: keepalived exits on it")]


def test_an_escaped_comment_mark_still_starts_a_comment(tmp_path: Path) -> None:
    """The parent drops the backslash when it writes the config for its children (since 2.2.0)."""
    (real,) = server(tmp_path, "real_server 10.1.0.1 \\# 80\n{\n}").real_servers
    assert (real.address, real.port) == ("10.1.0.1", 80)


def test_a_long_line_is_read_in_chunks(tmp_path: Path) -> None:
    """keepalived's buffer has 1023 characters. It reads the rest as a new line, even in a comment."""
    text = "!" + "x" * 1022 + "vrrp_sync_group G {\ngroup {\nV\n}\n}\n"
    assert [g.name for g in read_conf(tmp_path, text).sync_groups] == ["G"]


def test_values_that_keepalived_corrects_are_kept_for_triage(tmp_path: Path) -> None:
    """nopreempt with state MASTER, vrrp_strict without accept, ports that only NAT can change."""
    path = tmp_path / "keepalived.conf"
    path.write_text(
        "global_defs {\n  vrrp_strict\n}\n"
        "vrrp_instance A {\n  nopreempt\n  state MASTER\n  interface eth0\n  virtual_router_id 1\n  priority 255\n"
        "  virtual_ipaddress {\n    10.0.0.1\n  }\n}\n"
        "vrrp_instance B {\n  nopreempt\n  interface eth0\n  virtual_router_id 2\n  priority 100\n"
        "  virtual_ipaddress {\n    10.0.0.2\n  }\n}\n"
        "virtual_server 10.0.0.1 80 {\n  lb_kind DR\n  real_server 10.0.0.9 8080 {\n    weight 1\n  }\n}\n"
    )
    conf = read(str(path), now=0.0)
    first, second = conf.instances
    assert (first.nopreempt_cleared, first.strict, first.accept) == (True, True, True)
    assert (second.nopreempt_cleared, second.nopreempt, second.strict, second.accept) == (False, True, True, False)
    (real,) = conf.virtual_servers[0].real_servers
    assert (real.port, real.written_port) == (80, 8080)
