"""rtnetlink messages as bytes, and the table that they make; the real kernel is in tests/lab/test_addresses.py."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.addresses import read_once, rtnetlink
from kvtui.backend.addresses.addresses import Links
from kvtui.backend.addresses.rtnetlink import DELADDR, DELLINK, NEWADDR, NEWLINK, Address, Link
from kvtui.model.addresses import Interface, InterfaceAddress


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def address_body(local: str, *, index: int = 2, prefixlen: int = 24, attributes: bytes = b"") -> bytes:
    return struct.pack("=BBBBI", socket.AF_INET, prefixlen, 0x80, 0, index) + attributes + attribute(2, aton(local))


def aton(text: str) -> bytes:
    return socket.inet_aton(text)


def make_link(index: int = 2, name: str = "eth0", master: int = 0) -> Link:
    return Link(index, name, True, True, 1500, "02:00:00:00:00:01", None, master, 0, None)  # noqa: FBT003 - up, running


def make_address(text: str, index: int = 2, *, tentative: bool = False) -> Address:
    return Address((index, 2, aton(text), aton(text), 24), text, "eth0", "global", tentative)


def test_a_peer_address_is_not_taken_for_the_local_one() -> None:
    body = address_body("10.0.0.1", prefixlen=32, attributes=attribute(1, aton("10.0.0.2")) + attribute(3, b"eth0:p\0"))
    ((kind, found),) = rtnetlink.messages(message(NEWADDR, body))
    assert kind == NEWADDR
    assert isinstance(found, Address)
    assert (found.address, found.prefixlen, found.label, found.index) == ("10.0.0.1", 32, "eth0:p", 2)


def test_without_a_local_address_it_is_the_address() -> None:
    packed = socket.inet_pton(socket.AF_INET6, "fe80::1")
    body = struct.pack("=BBBBI", socket.AF_INET6, 64, 0, 253, 2) + attribute(1, packed) + attribute(8, b"\xc0\0\0\0")
    ((_, found),) = rtnetlink.messages(message(NEWADDR, body))
    assert isinstance(found, Address)
    assert (found.address, found.scope, found.tentative, found.label) == ("fe80::1", "link", True, None)


def test_a_link_with_its_kind_and_its_place() -> None:
    info = attribute(1, b"vlan\0") + attribute(4, b"bridge\0")
    body = struct.pack("=BxHiII", 0, 1, 7, 0x1 | 0x40, 0) + b"".join(
        (
            attribute(3, b"eth0.5\0"),
            attribute(1, bytes(range(6))),
            attribute(4, struct.pack("=I", 9000)),
            attribute(5, struct.pack("=I", 2)),
            attribute(10, struct.pack("=I", 3)),
            attribute(18 | 0x8000, info),
        )
    )
    ((kind, found),) = rtnetlink.messages(message(NEWLINK, body))
    assert kind == NEWLINK
    assert found == Link(7, "eth0.5", True, True, 9000, "00:01:02:03:04:05", "vlan", 3, 2, "bridge")  # noqa: FBT003


def test_a_bridges_notice_about_its_port_is_no_link() -> None:
    body = struct.pack("=BxHiII", socket.AF_BRIDGE, 1, 7, 0x1, 0) + attribute(3, b"eth0\0")
    assert list(rtnetlink.messages(message(DELLINK, body))) == [(DELLINK, None)]


def test_the_kernels_errors_are_raised() -> None:
    with pytest.raises(PermissionError, match="rtnetlink: Operation not permitted"):
        list(rtnetlink.messages(message(2, struct.pack("=i", -1) + b"\0" * 16)))


@given(st.binary(max_size=200))
def test_noise_ends_and_raises_nothing_but_an_oserror(noise: bytes) -> None:
    with contextlib.suppress(OSError):
        list(rtnetlink.messages(noise))


@given(st.sampled_from((NEWLINK, DELLINK, NEWADDR, DELADDR)), st.binary(max_size=120))
def test_noise_inside_a_message(kind: int, noise: bytes) -> None:
    with contextlib.suppress(OSError):
        list(rtnetlink.messages(message(kind, noise)))


def test_the_table_follows_events() -> None:
    links = Links()
    assert links.replace([make_link()], [make_address("10.0.0.1")], None)
    assert links.apply(NEWADDR, make_address("10.0.0.50"), 100.0)
    assert not links.apply(NEWADDR, make_address("10.0.0.50"), 101.0)  # the same again is no news
    assert links.table(5.0).addresses == (
        InterfaceAddress("10.0.0.1", 24, "eth0", "eth0"),
        InterfaceAddress("10.0.0.50", 24, "eth0", "eth0", since=100.0),
    )
    assert links.apply(DELADDR, make_address("10.0.0.50"), 102.0)
    assert not links.apply(DELADDR, make_address("10.0.0.50"), 103.0)
    assert [a.address for a in links.table(5.0).addresses] == ["10.0.0.1"]


def test_a_renamed_interface_renames_its_addresses() -> None:
    links = Links()
    links.replace([make_link()], [make_address("10.0.0.1")], None)
    assert links.apply(NEWLINK, make_link(name="lan0"), 1.0)
    assert [a.interface for a in links.table(5.0).addresses] == ["lan0"]
    assert [i.name for i in links.table(5.0).interfaces] == ["lan0"]


def test_a_deleted_interface_takes_its_addresses_along() -> None:
    links = Links()
    links.replace([make_link(), make_link(3, "eth1")], [make_address("10.0.0.1"), make_address("10.1.0.1", 3)], None)
    assert links.apply(DELLINK, make_link(), 1.0)
    assert [a.address for a in links.table(5.0).addresses] == ["10.1.0.1"]
    assert [i.name for i in links.table(5.0).interfaces] == ["eth1"]


def test_a_new_dump_keeps_when_an_address_appeared() -> None:
    links = Links()
    links.replace([make_link()], [make_address("10.0.0.1")], None)
    links.apply(NEWADDR, make_address("10.0.0.50"), 100.0)
    kept = [make_address(f"10.0.0.{n}") for n in (1, 50, 51)]
    assert links.replace([make_link()], kept, 200.0)
    assert [(a.address, a.since) for a in links.table(5.0).addresses] == [
        ("10.0.0.1", None),
        ("10.0.0.50", 100.0),
        ("10.0.0.51", 200.0),
    ]
    assert not links.replace([make_link()], kept, 300.0)


def test_the_master_is_named() -> None:
    links = Links()
    links.replace([make_link(master=3), make_link(3, "br0")], [], None)
    assert [(i.name, i.master) for i in links.table(5.0).interfaces] == [("eth0", "br0"), ("br0", None)]


def test_reading_once_agrees_with_ip_about_the_loopback() -> None:
    said = json.loads(subprocess.check_output(["ip", "-j", "addr", "show", "dev", "lo"], text=True))[0]
    table = read_once(None)
    mine = [(a.address, a.prefixlen, a.scope, a.label) for a in table.addresses if a.interface == "lo"]
    assert mine == [(a["local"], a["prefixlen"], a["scope"], a.get("label")) for a in said["addr_info"]]
    (lo,) = (i for i in table.interfaces if i.name == "lo")
    assert lo == Interface(
        said["ifindex"], "lo", "UP" in said["flags"], lo.running, said["mtu"], said["address"], None, None
    )


def test_a_one_shot_reading_imports_neither_asyncio_nor_pyroute2() -> None:
    code = (
        "import sys; from kvtui.backend.addresses import read_once; read_once(None); "
        "print([m for m in ('asyncio', 'pyroute2') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
