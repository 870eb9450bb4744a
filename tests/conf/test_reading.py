"""read() on real and small files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.conf import expand, macros
from kvtui.backend.conf.reader import read
from kvtui.model.conf import (
    ConfRealServer,
    ConfTrack,
    ConfTrackFile,
    Location,
    ProblemKind,
)
from kvtui.model.ipvs import ForwardingMethod, Protocol
from tests.conf.reading import instance, read_conf, value_problems, vip
from tests.shared import shared_path

if TYPE_CHECKING:
    from pathlib import Path


def test_crlf_and_a_missing_final_newline_change_nothing(tmp_path: Path) -> None:
    text = shared_path("confs", "golden-aledbf-nat+vip+unicast.conf").read_text()
    plain = read_conf(tmp_path, text)
    dos = read_conf(tmp_path, text.rstrip().replace("\n", "\r\n"))
    assert (dos.instances, dos.virtual_servers, dos.digest) == (plain.instances, plain.virtual_servers, plain.digest)


def test_the_last_keyword_wins(tmp_path: Path) -> None:
    (found,) = read_conf(tmp_path, instance("priority 5\npriority 6\nnopreempt\npreempt")).instances
    assert (found.priority, found.priority_at and found.priority_at.line, found.nopreempt) == (6, 5, False)


def test_the_first_instance_of_a_name_wins(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, instance("priority 5") + instance("priority 6"))
    assert [i.priority for i in conf.instances] == [5]
    assert value_problems(conf) == [(9, 1, "vrrp_instance V is already defined: keepalived skips this one")]


@pytest.mark.parametrize(
    ("value", "priority", "literal"),
    [("100", 100, True), ("$P", 7, False), ("${P}", 7, False), ("${P}0", 70, False), ("${_RANDOM 1 9}", None, False)],
)
def test_literal_priorities(tmp_path: Path, value: str, priority: int | None, literal: bool) -> None:
    conf = read_conf(tmp_path, f"$P=7\n{instance('priority ' + value)}")
    assert (conf.instances[0].priority, conf.instances[0].priority_literal) == (priority, literal)
    assert conf.problems == ()


def test_a_priority_from_a_sequence_is_not_literal(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, instance("~SEQ(I, 3, 4) priority ${I}"))
    assert (conf.instances[0].priority, conf.instances[0].priority_literal) == (4, False)


def test_the_rest_of_a_one_line_block_is_ignored(tmp_path: Path) -> None:
    text = (
        "vrrp_instance V { interface eth0\nvirtual_router_id 1\nauthentication { auth_type PASS auth_pass hunter2 }\n"
    )
    conf = read_conf(
        tmp_path, text + "virtual_ipaddress { 10.0.0.1/24 10.0.0.2 }\nunicast_peer { 10.0.0.8 10.0.0.9 }\n}\n"
    )
    (found,) = conf.instances
    assert (found.vips, found.unicast_peers, found.auth_type) == ((vip("10.0.0.1", 24),), ("10.0.0.8",), None)
    assert value_problems(conf) == [
        (3, 33, "keepalived reads only auth_type on this line: move auth_pass to its own line"),
        (4, 33, "keepalived reads one address per line: it ignores '10.0.0.2' after 10.0.0.1/24"),
        (5, 25, "keepalived reads one peer per line: it ignores '10.0.0.9'"),
    ]
    assert "hunter2" not in repr(conf)


def test_addresses(tmp_path: Path) -> None:
    body = (
        "virtual_ipaddress_excluded {\n10.0.0.2/24 brd 10.0.0.255 dev eth1 label eth1:v no_track\n"
        "FE80::0:1 dev eth2\n10.0.0.3/99\n}"
    )
    (found,) = read_conf(tmp_path, instance(body)).instances
    assert found.excluded_vips == (vip("10.0.0.2", 24, "eth1"), vip("fe80::1", 128, "eth2"), vip("10.0.0.3"))


def test_tracks(tmp_path: Path) -> None:
    body = (
        "track_script {\nchk weight -20 reverse\n}\ntrack_file {\ntf weight 5\n}\ntrack_process {\np\n}\n"
        "track_interface { eth1 eth2 }"
    )
    files = "vrrp_script chk {\n}\ntrack_file tf { file /run/tf\nweight 3\n}\nvrrp_track_file old {\n}\n"
    conf = read_conf(tmp_path, files + instance(body))
    assert conf.instances[0].tracks == (
        ConfTrack("script", "chk", -20, reverse=True),
        ConfTrack("file", "tf", 5),
        ConfTrack("process", "p"),
    )
    assert conf.track_files == (ConfTrackFile("tf", "/run/tf", 3), ConfTrackFile("old", None))
    assert value_problems(conf) == [
        (20, 24, "keepalived reads one entry per line: it ignores this line because of 'eth2'")
    ]


def test_a_script_defined_below_is_not_tracked(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, instance("track_script {\nchk\n}") + "vrrp_script chk {\nscript /bin/true\n}\n")
    assert conf.instances[0].tracks == ()
    assert value_problems(conf) == [
        (5, 1, "track_script chk: no script of that name is defined above: keepalived ignores this line")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (instance("priority 300"), [(4, 10, "V: priority must be between 1 and 255; keepalived uses 100 instead")]),
        (instance("priority 0"), [(4, 10, "V: priority must be between 1 and 255; keepalived uses 100 instead")]),
        (instance("virtual_router_id 256"), [(4, 19, "V: virtual_router_id must be between 1 and 255")]),
        (
            "vrrp_instance V {\ninterface e\nvirtual_ipaddress {\n1.1.1.1\n}\n}",
            [(1, 1, "V: virtual_router_id is missing: keepalived exits on it")],
        ),
        (
            "vrrp_instance V {\nvirtual_router_id 1\nvirtual_ipaddress {\n1.1.1.1\n}\n}",
            [(1, 1, "V: no interface: keepalived exits on it")],
        ),
        (
            (
                "vrrp_instance V {\nvirtual_router_id 1\nunicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.2\n}\n"
                "virtual_ipaddress {\n1.1.1.1\n1.1.1.2 dev e\n}\n}"
            ),
            [
                (1, 1, "V: no interface for VIP 1.1.1.1: keepalived 2.3 leaves it out"),
                (1, 1, "V: no interface: keepalived 2.2 exits on it"),
            ],
        ),
        (
            "vrrp_instance V {\nvirtual_router_id 1\nunicast_peer {\n10.0.0.2\n}\nvirtual_ipaddress {\n1.1.1.1\n}\n}",
            [(1, 1, "V: no interface: keepalived exits on it")],
        ),
        ("vrrp_instance {\n}", [(1, 1, "vrrp_instance needs exactly one name: keepalived skips the block")]),
        (
            instance("priority ${P}"),
            [
                (4, 1, "${P} is not defined: keepalived reads its '}' as the end of the block"),
                (4, 10, "V: priority must be between 1 and 255; keepalived uses 100 instead"),
            ],
        ),
    ],
)
def test_values_that_keepalived_rejects(tmp_path: Path, text: str, expected: list[tuple[int, int, str]]) -> None:
    assert value_problems(read_conf(tmp_path, text)) == expected


def test_unbalanced_braces(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, "vrrp_instance V {\n priority 5\n}\n}\nglobal_defs {\n")
    assert [(p.kind, p.at.line, p.at.column) for p in conf.problems if p.kind is ProblemKind.SYNTAX] == [
        (ProblemKind.SYNTAX, 4, 1),
        (ProblemKind.SYNTAX, 5, 1),
    ]


def test_virtual_servers(tmp_path: Path) -> None:
    text = """track_file tf { file /run/tf }
# Service: a/b
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
  real_server 10.0.0.2 80 {
  }
}
virtual_server 10.0.0.3 80 {
  delay_loop 3
}
"""
    conf = read_conf(tmp_path, text)
    first, second = conf.virtual_servers
    assert (first.address, first.port, first.service) == ("2001:db8::1", 443, "a/b")
    assert (first.method, first.persistence_timeout) == (ForwardingMethod.TUNNEL, 360)
    path = conf.path
    assert first.real_servers == (
        ConfRealServer(
            "2001:db8::f",
            80,
            Location(path, 7, 3),
            method=ForwardingMethod.MASQ,
            inhibit_on_failure=True,
            sorry=True,
        ),
        ConfRealServer(
            "2001:db8::2",
            443,
            Location(path, 10, 3),
            weight=4,
            method=ForwardingMethod.DIRECT,
            upper_threshold=10,
            lower_threshold=5,
            checks=("FILE_CHECK", "MISC_CHECK"),
            file_check="tf",
        ),
        ConfRealServer(
            "2001:db8::3",
            443,
            Location(path, 19, 3),
            weight=0,
            method=ForwardingMethod.TUNNEL,
            inhibit_on_failure=True,
        ),
    )
    assert (second.service, second.persistence_timeout, second.method) == (None, None, ForwardingMethod.MASQ)
    assert (second.protocol, second.scheduler) == (Protocol.UDP, "wlc")
    assert [s.address for s in conf.ignored_servers] == ["10.0.0.3"]


def test_a_missing_main_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "no.conf"), now=0)


def test_an_executable_main_file(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text("")
    path.chmod(0o755)
    (problem,) = read(str(path), now=0).problems
    assert (problem.kind, problem.at) == (ProblemKind.INCLUDE, Location(str(path), 1))


def test_reading_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a FIFO, not a regular file"):
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
def test_reading_never_fails_and_problems_are_located_in_the_text(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz" / "keepalived.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        # Nested sequences multiply. Lower limits keep a few examples from taking most of the time.
        patch.setattr(expand, "MAX_GENERATED_LINES", 2_000)
        patch.setattr(macros, "MAX_LINES", 2_000)
        conf = read(str(path), config_id="id", now=0)
    lines = text.split("\n")
    for problem in conf.problems:
        assert problem.at.file == str(path)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1
