"""rtnetlink messages, decoded by pyroute2, and their table; tests/lab/test_addresses.py uses a real kernel."""

from __future__ import annotations

import asyncio
import errno
import json
import select
import socket
import struct
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from kvtui.backend.route import RouteMonitor
from kvtui.backend.route.sockets import DELLINK, NEWADDR, NEWLINK, RouteSockets
from kvtui.backend.route.table import Address, Link, RouteTable, read_address, read_link
from kvtui.model.addresses import Interface, InterfaceAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest


NO_PROCESS = 2**31 - 1


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def decoded(kind: int, body: bytes) -> Any:
    (found,) = MarshalRtnl().parse(message(kind, body))
    return found


def address_body(local: str, *, index: int = 2, prefixlen: int = 24, attributes: bytes = b"") -> bytes:
    return struct.pack("=BBBBI", socket.AF_INET, prefixlen, 0x80, 0, index) + attributes + attribute(2, aton(local))


def aton(text: str) -> bytes:
    return socket.inet_aton(text)


def make_link(index: int = 2, name: str = "eth0", master: int = 0) -> Link:
    return Link(index, name, True, True, 1500, "02:00:00:00:00:01", None, master, None)  # noqa: FBT003 - up, running


def make_address(text: str, index: int = 2, *, tentative: bool = False) -> Address:
    return Address((index, 2, text, text, 24), text, "eth0", "global", tentative)


def test_a_peer_address_is_not_the_local_address() -> None:
    body = address_body("10.0.0.1", prefixlen=32, attributes=attribute(1, aton("10.0.0.2")) + attribute(3, b"eth0:p\0"))
    found = read_address(decoded(NEWADDR, body))
    assert found is not None
    assert (found.address, found.prefixlen, found.label, found.index) == ("10.0.0.1", 32, "eth0:p", 2)


def test_without_a_local_address_the_address_attribute_is_used() -> None:
    packed = socket.inet_pton(socket.AF_INET6, "fe80::1")
    body = struct.pack("=BBBBI", socket.AF_INET6, 64, 0, 253, 2) + attribute(1, packed) + attribute(8, b"\xc0\0\0\0")
    found = read_address(decoded(NEWADDR, body))
    assert found is not None
    assert (found.address, found.scope, found.tentative, found.label) == ("fe80::1", "link", True, None)


def test_a_link_with_its_kind_and_its_master() -> None:
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
    found = read_link(decoded(NEWLINK, body))
    assert found == Link(7, "eth0.5", True, True, 9000, "00:01:02:03:04:05", "vlan", 3, "bridge", 2)  # noqa: FBT003


def test_the_ip_address_of_a_tunnel_is_not_a_mac_address() -> None:
    body = struct.pack("=BxHiII", 0, 768, 2, 0, 0) + attribute(3, b"tunl0\0") + attribute(1, aton("10.0.0.1"))
    found = read_link(decoded(NEWLINK, body))
    assert found is not None
    assert found.mac is None


def test_a_bridges_message_about_its_port_is_not_a_link() -> None:
    body = struct.pack("=BxHiII", socket.AF_BRIDGE, 1, 7, 0x1, 0) + attribute(3, b"eth0\0")
    assert read_link(decoded(DELLINK, body)) is None


def test_the_table_follows_events() -> None:
    links = RouteTable()
    assert links.replace([make_link()], [make_address("10.0.0.1")], None)
    assert links.apply(make_address("10.0.0.50"), 100.0, deleted=False)
    assert not links.apply(make_address("10.0.0.50"), 101.0, deleted=False)  # the same address is not a change
    assert links.table(5.0).addresses == (
        InterfaceAddress("10.0.0.1", 24, "eth0", "eth0"),
        InterfaceAddress("10.0.0.50", 24, "eth0", "eth0", since=100.0),
    )
    assert links.apply(make_address("10.0.0.50"), 102.0, deleted=True)
    assert not links.apply(make_address("10.0.0.50"), 103.0, deleted=True)
    assert [a.address for a in links.table(5.0).addresses] == ["10.0.0.1"]


def test_a_renamed_interface_renames_its_addresses() -> None:
    links = RouteTable()
    links.replace([make_link()], [make_address("10.0.0.1")], None)
    assert links.apply(make_link(name="lan0"), 1.0, deleted=False)
    assert [a.interface for a in links.table(5.0).addresses] == ["lan0"]
    assert [i.name for i in links.table(5.0).interfaces] == ["lan0"]


def test_a_deleted_interface_loses_its_addresses() -> None:
    links = RouteTable()
    links.replace([make_link(), make_link(3, "eth1")], [make_address("10.0.0.1"), make_address("10.1.0.1", 3)], None)
    assert links.apply(make_link(), 1.0, deleted=True)
    assert [a.address for a in links.table(5.0).addresses] == ["10.1.0.1"]
    assert [i.name for i in links.table(5.0).interfaces] == ["eth1"]


def test_a_new_dump_keeps_the_time_when_an_address_appeared() -> None:
    links = RouteTable()
    links.replace([make_link()], [make_address("10.0.0.1")], None)
    links.apply(make_address("10.0.0.50"), 100.0, deleted=False)
    kept = [make_address(f"10.0.0.{n}") for n in (1, 50, 51)]
    assert links.replace([make_link()], kept, 200.0)
    assert [(a.address, a.since) for a in links.table(5.0).addresses] == [
        ("10.0.0.1", None),
        ("10.0.0.50", 100.0),
        ("10.0.0.51", 200.0),
    ]
    assert not links.replace([make_link()], kept, 300.0)


def test_the_master_is_named() -> None:
    links = RouteTable()
    links.replace([make_link(master=3), make_link(3, "br0")], [], None)
    assert [(i.name, i.master) for i in links.table(5.0).interfaces] == [("eth0", "br0"), ("br0", None)]


def test_bridge_ports_differ_from_members_of_a_vrf() -> None:
    links = RouteTable()
    links.replace([replace(make_link(), port="bridge"), replace(make_link(3, "eth1"), port="vrf")], [], None)
    assert links.ports() == {"eth0"}


def loopback_by_ip() -> Any:
    return json.loads(subprocess.check_output(["ip", "-j", "addr", "show", "dev", "lo"], text=True))[0]


class Watched:
    """A monitor and an event that is set at each of its changes."""

    def __init__(self, pid: int | None = None) -> None:
        self.monitor = RouteMonitor(pid)
        self.changes = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changes.clear()
            await self.changes.wait()


@asynccontextmanager
async def watching(pid: int | None = None) -> AsyncIterator[Watched]:
    watched = Watched(pid)
    watched.monitor.start(watched.changes.set)
    try:
        async with asyncio.timeout(30):
            await watched.monitor.ready()
        yield watched
    finally:
        await watched.monitor.close()


async def test_the_table_agrees_with_ip_about_the_loopback() -> None:
    expected = loopback_by_ip()
    async with watching() as watched:
        table = watched.monitor.table()
    assert table is not None
    mine = [(a.address, a.prefixlen, a.scope, a.label) for a in table.addresses if a.interface == "lo"]
    assert mine == [(a["local"], a["prefixlen"], a["scope"], a.get("label")) for a in expected["addr_info"]]
    (lo,) = (i for i in table.interfaces if i.name == "lo")
    assert lo == Interface(
        expected["ifindex"],
        "lo",
        "UP" in expected["flags"],
        lo.running,
        expected["mtu"],
        expected["address"],
        None,
        None,
    )


async def test_without_access_to_the_namespace_there_is_an_error_and_no_table() -> None:
    async with watching(NO_PROCESS) as watched:
        assert watched.monitor.table() is None
        assert isinstance(watched.monitor.error, ProcessLookupError)


class FailingReads:
    """Lets a test lose events and refuse readings of the kernel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loses = threading.Event()
        self.refuses = threading.Event()
        read_all = RouteSockets.read_all

        def read(sockets: RouteSockets) -> tuple[list[Link], list[Address]]:
            if self.refuses.is_set():
                raise PermissionError(errno.EPERM, "Operation not permitted")
            return read_all(sockets)

        def wait(_: RouteSockets, wake: int) -> bool:
            waiting = select.poll()
            waiting.register(wake, select.POLLIN)
            while not waiting.poll(10):
                if self.loses.is_set():
                    self.loses.clear()
                    raise OSError(errno.ENOBUFS, "No buffer space available")
            return False

        monkeypatch.setattr(RouteSockets, "read_all", read)
        monkeypatch.setattr(RouteSockets, "wait", wait)
        monkeypatch.setattr("kvtui.backend.route.monitor.RETRY", 0.01)


async def test_a_table_that_can_no_longer_be_read_has_an_error_and_an_age_and_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = FailingReads(monkeypatch)
    async with watching() as watched, asyncio.timeout(30):
        first = watched.monitor.table()
        assert first is not None
        reads.refuses.set()
        reads.loses.set()
        await watched.until(lambda: watched.monitor.error is not None)
        stale = watched.monitor.table()
        assert stale is not None
        assert stale.addresses == first.addresses
        assert stale == watched.monitor.table()  # its time is that of the last reading, not now
        reads.refuses.clear()
        await watched.until(lambda: watched.monitor.error is None)
        fresh = watched.monitor.table()
        assert fresh is not None
        assert fresh.read_at > stale.read_at
        assert watched.monitor.resyncs == 1


def test_pyroute2_is_imported_by_the_thread_that_needs_it() -> None:
    code = (
        "import sys, kvtui.backend.node; from kvtui.backend.route import RouteMonitor; RouteMonitor(None); "
        "print('pyroute2' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_an_interface_has_the_time_since_which_it_runs() -> None:
    table, link = (
        RouteTable(),
        Link(2, "eth0", up=True, running=True, mtu=1500, mac=None, kind=None, master=0, port=None),
    )

    def since() -> dict[str, float | None]:
        return {i.name: i.since for i in table.table(99.0).interfaces}

    table.replace([link], [], None)
    assert since() == {"eth0": None}
    table.apply(replace(link, mtu=9000), 10.0, deleted=False)
    assert since() == {"eth0": None}
    table.apply(replace(link, running=False), 11.0, deleted=False)
    table.apply(link, 12.0, deleted=False)
    assert since() == {"eth0": 12.0}
    table.apply(replace(link, index=3, name="eth1"), 13.0, deleted=False)
    table.replace([link, replace(link, index=3, name="eth1"), replace(link, index=4, name="eth2")], [], 20.0)
    assert since() == {"eth0": 12.0, "eth1": 13.0, "eth2": 20.0}
    table.apply(replace(link, name="lan0"), 30.0, deleted=False)
    assert since()["lan0"] == 30.0
