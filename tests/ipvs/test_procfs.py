from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.backend.ipvs import procfs
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.backend.ipvs.procfs import ConnectionFilter
from kvtui.model.ipvs import Connection, ForwardingMethod, Protocol, RealServer, ServiceKey, VirtualServer

if TYPE_CHECKING:
    from pathlib import Path

# Linux 6.1.176, HZ 100
TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  0A000001:0035 rr ops  \n\
TCP  0A000001:0050 wlc  \n\
  -> [fd01:0000:0000:0000:0000:0000:0000:0007]:0050      Tunnel  1      0          0         \n\
  -> 0A010002:0050      Route   0      3          12        \n\
  -> 0A010001:0050      Masq    5      0          0         \n\
TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:01BB sh persistent 60000 40000000
  -> [fd01:0000:0000:0000:0000:0000:0000:0001]:01BB      Masq    1      0          0         \n\
SCTP  0A000001:0063 mh  \n\
UDP  0A000002:13C4 rr ops  persistent 6000 FFFFFF00
FWM  00000007 rr \n\
  -> 0A010002:0000      Local   1      0          0         \n\
FWM  00000008 rr persistent 5000 80000000
FWM  0000000A rr persistent 5000 FFFFFFFF
FWM  0000000B rr \n\
  -> [fd01:0000:0000:0000:0000:0000:0000:0001]:0000      Masq    1      0          0         \n\
"""
HEADINGS = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
CONNECTIONS = [
    b"TCP 0A040064 D1CA 0A040032 0050 0A04000B 0050 ESTABLISHED     899\n",
    b"TCP 0A040064 0000 0A040032 0050 0A04000B 0050 NONE             49\n",
    b"TCP 0A040065 D1CB 0A040032 0051 0A04000C 0050 TIME_WAIT       119\n",
    b"UDP 0A040065 D1CC 0A040032 0050 0A04000B 0050 UDP             299\n",
    (
        b"TCP fd00:0000:0000:0000:0000:0000:0000:0064 BD56 fd00:0000:0000:0000:0000:0000:0000:0032 0050 "
        b"fd01:0000:0000:0000:0000:0000:0000:0001 0050 FIN_WAIT        118\n"
    ),
    b"UDP 0A040065 13C4 0A040032 13C4 0A04000B 13C4 UDP             299 sip 3848276298220188511@pc33 x\n",
    b"IP  0A040064 0000 00000007 0000 0A04000B 0000 NONE             10\n",
    b"TCP 0A040064 D1D0 0A040033 0050 0A04000B 0050 SYN_RECV         59\n",
]


def real(
    address: str, port: int, method: ForwardingMethod, weight: int, active: int = 0, inactive: int = 0
) -> RealServer:
    return RealServer(address, port, method, weight, active, inactive)


def test_every_kind_of_line_of_the_table() -> None:
    masq, direct = ForwardingMethod.MASQ, ForwardingMethod.DIRECT
    assert procfs.parse_table(TABLE, ticks=100) == (
        VirtualServer(Protocol.UDP, "10.0.0.1", 53, None, 4, "rr", ("ops",)),
        VirtualServer(
            Protocol.TCP,
            "10.0.0.1",
            80,
            None,
            4,
            "wlc",
            real_servers=(
                real("fd01::7", 80, ForwardingMethod.TUNNEL, 1),
                real("10.1.0.2", 80, direct, 0, 3, 12),
                real("10.1.0.1", 80, masq, 5),
            ),
        ),
        VirtualServer(
            Protocol.TCP,
            "fd00::1",
            443,
            None,
            6,
            "sh",
            ("persistent",),
            600,
            None,
            64,
            real_servers=(real("fd01::1", 443, masq, 1),),
        ),
        VirtualServer(Protocol.SCTP, "10.0.0.1", 99, None, 4, "mh"),
        VirtualServer(Protocol.UDP, "10.0.0.2", 5060, None, 4, "rr", ("ops", "persistent"), 60, None, 24),
        VirtualServer(
            Protocol.FWMARK,
            None,
            None,
            7,
            4,
            "rr",
            real_servers=(real("10.1.0.2", 0, ForwardingMethod.LOCAL, 1),),
        ),
        VirtualServer(Protocol.FWMARK, None, None, 8, 6, "rr", ("persistent",), 50),
        VirtualServer(Protocol.FWMARK, None, None, 10, 4, "rr", ("persistent",), 50),
        VirtualServer(Protocol.FWMARK, None, None, 11, 6, "rr", real_servers=(real("fd01::1", 0, masq, 1),)),
    )


@pytest.mark.parametrize("ticks", [100, 250, 300, 1000])
def test_a_persistence_timeout_is_in_the_kernel_s_ticks(ticks: int) -> None:
    text = TABLE.replace("60000 40000000", f"{600 * ticks} 40000000")
    assert procfs.parse_table(text, ticks)[2].persistence_timeout == 600


def test_an_empty_table_has_no_virtual_servers() -> None:
    assert procfs.parse_table("".join(TABLE.splitlines(keepends=True)[:3])) == ()


@pytest.mark.parametrize(
    "line",
    [
        "ESP  0A000001:0035 rr",
        "TCP  0A0001:0035",
        "TCP  0A000001:zz rr",
        "  -> 0A010002:0050      Bypass   0      3          12",
        "",
        "TCP  0A000001:0035 rr persistent 12",
    ],
)
def test_the_error_shows_a_line_that_no_kernel_prints(line: str) -> None:
    with pytest.raises(MalformedMessageError) as raised:
        procfs.parse_table(TABLE + line + "\n")
    assert repr(line) in str(raised.value)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "ip_vs_conn").write_bytes(HEADINGS.encode() + b"".join(CONNECTIONS))
    return tmp_path


def test_connections_of_both_families_with_and_without_persistence_data(net: Path) -> None:
    found, total = procfs.read_connections(net, limit=100)
    assert total == len(found) == 8
    assert found[0] == Connection(
        "TCP", ("10.4.0.100", 53706), ("10.4.0.50", 80), ("10.4.0.11", 80), "ESTABLISHED", 899
    )
    assert found[4] == Connection("TCP", ("fd00::64", 48470), ("fd00::32", 80), ("fd01::1", 80), "FIN_WAIT", 118)
    assert found[5].persistence == "3848276298220188511@pc33 x"
    assert found[6] == Connection("IP", ("10.4.0.100", 0), ("0.0.0.7", 0), ("10.4.0.11", 0), "NONE", 10)


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (3, 3), (8, 8), (9, 8)])
def test_connections_up_to_the_limit_are_kept_and_all_are_counted(net: Path, limit: int, kept: int) -> None:
    found, total = procfs.read_connections(net, limit)
    assert (len(found), total) == (kept, 8)
    found, total = procfs.read_connections(net, limit, ConnectionFilter((Protocol.TCP, "10.4.0.50", 80, 0)))
    assert (len(found), total) == (min(limit, 2), 2)


def test_lines_beyond_the_limit_are_not_parsed(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = procfs.parse_connection

    def note(line: bytes) -> Connection:
        parsed.append(line)
        return parse(line)

    monkeypatch.setattr(procfs, "parse_connection", note)
    procfs.read_connections(net, 2)
    assert parsed == CONNECTIONS[:2]


OTHERS = frozenset({("TCP", "10.4.0.50", 80), ("TCP", "10.4.0.51", 80)})


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        pytest.param(ConnectionFilter((Protocol.TCP, "10.4.0.50", 80, 0)), [0, 1], id="TCP, not UDP"),
        pytest.param(ConnectionFilter((Protocol.UDP, "10.4.0.50", 80, 0)), [3], id="UDP, not TCP"),
        pytest.param(ConnectionFilter((Protocol.TCP, "fd00::32", 80, 0)), [4], id="IPv6"),
        pytest.param(ConnectionFilter(real=("10.4.0.12", 80)), [2], id="a real server of any"),
        pytest.param(
            ConnectionFilter((Protocol.TCP, "10.4.0.50", 80, 0), ("10.4.0.12", 80)), [], id="not its real server"
        ),
        pytest.param(
            ConnectionFilter((Protocol.TCP, "10.4.0.50", 0, 0), others=OTHERS),
            [2],
            id="all ports except those of other services",
        ),
        pytest.param(
            ConnectionFilter((Protocol.FWMARK, "", 0, 7), others=OTHERS, reals=(("10.4.0.11", 0),)),
            [3, 5, 6],
            id="fwmark: its templates, and its real servers' connections that belong to no other service",
        ),
        pytest.param(
            ConnectionFilter((Protocol.FWMARK, "", 0, 7), ("10.4.0.12", 0), OTHERS, (("10.4.0.12", 0),)),
            [2],
            id="fwmark and real server, port 0 matches any",
        ),
        pytest.param(ConnectionFilter((Protocol.FWMARK, "", 0, 8), reals=()), [], id="another fwmark"),
    ],
)
def test_connections_of_a_filter(net: Path, wanted: ConnectionFilter, places: list[int]) -> None:
    expected = tuple(procfs.parse_connection(CONNECTIONS[place]) for place in places)
    assert procfs.read_connections(net, 100, wanted) == (expected, len(expected))


def test_the_template_of_an_ipv6_fwmark_begins_with_the_mark() -> None:
    key: ServiceKey = (Protocol.FWMARK, "::", 0, 7)
    template = Connection("IP", ("fd00::64", 0), ("0:7::", 0), ("fd01::1", 0), "NONE", 10)
    assert ConnectionFilter(key).matches(template)


def test_persistence_data_with_odd_bytes_is_text() -> None:
    line = b"UDP 0A040065 13C4 0A040032 13C4 0A04000B 13C4 UDP             299 sip \xff\x1b[31m\n"
    assert procfs.parse_connection(line).persistence == "\ufffd\x1b[31m"


@pytest.mark.parametrize("line", [b"\n", b"TCP 0A\n", CONNECTIONS[0].replace(b"0A040064", b"0A0400ZZ")])
def test_a_connection_that_no_kernel_prints_is_an_error(line: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        procfs.parse_connection(line)
