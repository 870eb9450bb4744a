"""kvtui's address table of another network namespace agrees with `ip -j` and follows changes by `ip`."""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.backend.route import RouteMonitor
from tests.lab.network import command
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from kvtui.model.addresses import AddressTable

NAME = "kvaddr"

SETUP = """
link set lo up
link add br0 type bridge mcast_snooping 0
link set br0 up
link add dummy0 type dummy
link set dummy0 master br0 up
link add eth0 mtu 1400 type veth peer name eth0-peer
link set eth0 up
link add link eth0 name eth0.100 type vlan id 100
link add link eth0 name vrrp.50 address 00:00:5e:00:01:32 type macvlan mode private
addr add 10.4.0.3/24 dev eth0
addr add 10.4.0.50/32 dev eth0 label eth0:vip
addr add 10.4.0.51/32 dev eth0 scope link
addr add 10.9.0.1 peer 10.9.0.2/32 dev dummy0
addr add fd00:10:4::3/64 dev eth0
addr add fd00:9::1 peer fd00:9::2/128 dev br0 nodad
"""


def ip(*words: str) -> str:
    return command(["ip", "-n", NAME, *words])


@pytest.fixture
def pid() -> Iterator[int]:
    """Returns the PID of a process in a namespace with one interface of each kind."""
    command(["ip", "netns", "add", NAME])
    sleeper = subprocess.Popen(["ip", "netns", "exec", NAME, "sleep", "1000"])
    try:
        command(["ip", "-n", NAME, "-batch", "-"], text=SETUP)
        here = read_netns("self")
        poll(lambda: read_netns(str(sleeper.pid)) != here, 10, "the process in its namespace")
        yield sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()
        command(["ip", "netns", "del", NAME])


def read_netns(pid: str) -> str:
    return subprocess.run(["readlink", f"/proc/{pid}/ns/net"], capture_output=True, text=True, check=False).stdout


Row = tuple[object, ...]


def addresses_by_ip() -> list[Row]:
    """Returns (interface, address, prefix length, label, scope, tentative) from iproute2."""
    rows: list[Row] = []
    for link in json.loads(ip("-j", "addr", "show")):
        for a in link["addr_info"]:
            unsure = bool(a.get("tentative") or a.get("dadfailed"))
            rows.append((link["ifname"], a["local"], a["prefixlen"], a.get("label"), a["scope"], unsure))
    return sorted(rows, key=str)


def addresses_of(table: AddressTable) -> list[Row]:
    rows: list[Row] = [(a.interface, a.address, a.prefixlen, a.label, a.scope, a.tentative) for a in table.addresses]
    return sorted(rows, key=str)


def interfaces_by_ip() -> list[Row]:
    """Returns (index, name, up, running, mtu, mac, kind, master) from iproute2."""
    rows: list[Row] = []
    for link in json.loads(ip("-j", "-d", "link", "show")):
        up = "UP" in link["flags"]
        running = up and "NO-CARRIER" not in link["flags"]
        mac = link["address"] if link["link_type"] in {"ether", "loopback"} else None
        kind = link.get("linkinfo", {}).get("info_kind")
        row = (link["ifindex"], link["ifname"], up, running, link["mtu"], mac, kind, link.get("master"))
        rows.append(row)
    return sorted(rows, key=str)


def interfaces_of(table: AddressTable) -> list[Row]:
    rows: list[Row] = [(i.index, i.name, i.up, i.running, i.mtu, i.mac, i.kind, i.master) for i in table.interfaces]
    return sorted(rows, key=str)


def agrees(read: Callable[[], AddressTable]) -> bool:
    """Whether both tables are equal. Tests wait for it, because IPv6 duplicate address detection takes time."""
    return addresses_of(read()) == addresses_by_ip() and interfaces_of(read()) == interfaces_by_ip()


def differences(table: AddressTable) -> str:
    mine, theirs = set(addresses_of(table) + interfaces_of(table)), set(addresses_by_ip() + interfaces_by_ip())
    return f"kvtui alone: {list(mine - theirs)[:20]}; ip alone: {list(theirs - mine)[:20]}"


async def test_the_first_reading_agrees_with_ip(pid: int) -> None:
    async with watching(pid) as watched:
        await watched.until(lambda _: agrees(watched.table), "agreement with ip")
        table = watched.table()
    rows = {(a.address, a.prefixlen, a.interface, a.label, a.scope) for a in table.addresses}
    assert {
        ("10.4.0.3", 24, "eth0", "eth0", "global"),
        ("10.4.0.50", 32, "eth0", "eth0:vip", "global"),
        ("10.4.0.51", 32, "eth0", "eth0", "link"),
        ("10.9.0.1", 32, "dummy0", "dummy0", "global"),
        ("fd00:9::1", 128, "br0", None, "global"),
    } <= rows
    kinds = {i.name: (i.kind, i.master) for i in table.interfaces}
    assert (kinds["eth0.100"], kinds["vrrp.50"]) == (("vlan", None), ("macvlan", None))
    assert (kinds["dummy0"], kinds["br0"]) == (("dummy", "br0"), ("bridge", None))


class Watched:
    """A ``RouteMonitor`` that counts its ``changed`` calls."""

    def __init__(self, monitor: RouteMonitor) -> None:
        self.monitor = monitor
        self.calls = 0
        self._woken = asyncio.Event()

    def changed(self) -> None:
        self.calls += 1
        self._woken.set()

    def table(self) -> AddressTable:
        table = self.monitor.table()
        assert table is not None, self.monitor.error
        return table

    async def until(self, condition: Callable[[AddressTable], Any], what: str, timeout: float = 120) -> AddressTable:
        """Waits for events until the table meets the condition."""

        async def wait() -> AddressTable:
            while not condition(table := self.table()):
                self._woken.clear()
                await self._woken.wait()
            return table

        try:
            return await asyncio.wait_for(wait(), timeout)
        except TimeoutError:
            raise AssertionError(f"no event for: {what}; {differences(self.table())}") from None


@asynccontextmanager
async def watching(pid: int, *, receive_buffer: int | None = None) -> AsyncIterator[Watched]:
    watched = Watched(RouteMonitor(pid, receive_buffer=receive_buffer))
    watched.monitor.start(watched.changed)
    try:
        async with asyncio.timeout(120):
            await watched.monitor.ready()
        yield watched
    finally:
        await watched.monitor.close()


def names(table: AddressTable) -> set[str]:
    return {i.name for i in table.interfaces}


async def test_an_address_that_comes_and_goes(pid: int) -> None:
    async with watching(pid) as watched:
        assert all(a.since is None for a in watched.table().addresses)
        ip("addr", "add", "10.4.0.60/32", "dev", "eth0")
        table = await watched.until(lambda t: t.holding("10.4.0.60") and watched.calls >= 1, "the new address")
        (added,) = table.holding("10.4.0.60")
        assert (added.interface, added.prefixlen, added.label) == ("eth0", 32, "eth0")
        assert added.since is not None
        ip("addr", "del", "10.4.0.60/32", "dev", "eth0")
        await watched.until(lambda t: not t.holding("10.4.0.60") and watched.calls >= 2, "the address removed")


async def test_a_renamed_interface(pid: int) -> None:
    async with watching(pid) as watched:
        ip("link", "set", "dummy0", "down")
        ip("link", "set", "dummy0", "name", "lan0")
        table = await watched.until(lambda t: "lan0" in names(t), "the new name")
        assert "dummy0" not in names(table)
        assert [a.interface for a in table.holding("10.9.0.1")] == ["lan0"]
        await watched.until(lambda _: agrees(watched.table), "agreement with ip")


async def test_a_deleted_interface_and_its_addresses(pid: int) -> None:
    async with watching(pid) as watched:
        ip("link", "del", "dummy0")
        table = await watched.until(lambda t: "dummy0" not in names(t), "the interface removed")
        assert not table.holding("10.9.0.1")
        await watched.until(lambda _: agrees(watched.table), "agreement with ip")


async def test_a_port_that_leaves_its_bridge_is_still_there(pid: int) -> None:
    """The bridge sends RTM_DELLINK in family AF_BRIDGE for the port, which is not a deleted interface."""
    async with watching(pid) as watched:
        ip("link", "set", "dummy0", "nomaster")
        await watched.until(lambda t: {i.name: i.master for i in t.interfaces}["dummy0"] is None, "no master")
        ip("link", "set", "dummy0", "mtu", "1300")
        table = await watched.until(lambda t: {i.mtu for i in t.interfaces} >= {1300}, "a later event")
        assert "dummy0" in names(table)


async def test_an_interface_down_and_up(pid: int) -> None:
    def eth0(table: AddressTable) -> tuple[bool, bool]:
        return next((i.up, i.running) for i in table.interfaces if i.name == "eth0")

    async with watching(pid) as watched:
        ip("link", "set", "eth0-peer", "up")
        await watched.until(lambda t: eth0(t) == (True, True), "carrier")
        ip("link", "set", "eth0-peer", "down")
        await watched.until(lambda t: eth0(t) == (True, False), "no carrier")
        ip("link", "set", "eth0", "down")
        table = await watched.until(lambda t: eth0(t) == (False, False), "down")
        assert table.holding("10.4.0.50")  # IPv4 stays
        await watched.until(lambda t: not t.holding("fd00:10:4::3"), "IPv6 goes")


async def test_ipv6_duplicate_detection_ends(pid: int) -> None:
    async with watching(pid) as watched:
        ip("link", "set", "eth0-peer", "up")
        ip("addr", "add", "fd00:10:4::60/64", "dev", "eth0")
        await watched.until(lambda t: t.holding("fd00:10:4::60"), "the new address")
        await watched.until(lambda t: not t.holding("fd00:10:4::60")[0].tentative, "the end of tentative")


async def test_after_lost_events_a_new_dump_is_read(pid: int) -> None:
    async with watching(pid, receive_buffer=4096) as watched:
        many = [f"10.{high}.{low}.1" for high in range(20, 28) for low in range(250)]
        lines = [f"addr add {a}/32 dev eth0" for a in ("10.99.0.1", *many)] + ["addr del 10.99.0.1/32 dev eth0"]
        command(["ip", "-n", NAME, "-batch", "-"], text="\n".join(lines) + "\n")
        table = await watched.until(
            lambda t: t.holding(many[-1]) and not t.holding("10.99.0.1"), "the last address", 120
        )
        assert watched.monitor.resyncs
        assert {a.address for a in table.addresses} >= set(many)
        await watched.until(lambda _: agrees(watched.table), "agreement with ip", 60)
        assert watched.calls < len(many)  # a batch is one redraw


async def test_an_interface_moved_away_to_another_namespace(pid: int) -> None:
    async with watching(pid) as watched:
        ip("link", "set", "eth0-peer", "netns", "1")
        try:
            await watched.until(lambda t: "eth0-peer" not in names(t), "the interface gone")
        finally:
            command(["ip", "link", "del", "eth0-peer"])
        await watched.until(lambda _: agrees(watched.table), "agreement with ip")


async def test_a_process_that_does_not_exist() -> None:
    async with watching(2**31 - 1) as watched:
        assert isinstance(watched.monitor.error, ProcessLookupError)
