"""The demo as a ``SnapshotSource``."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kvtui.backend.demo import cluster
from kvtui.backend.demo.changes import NO_CHANGES
from kvtui.backend.demo.kube import kube
from kvtui.backend.demo.log import log_tail
from kvtui.backend.demo.story import NODES, SELF
from kvtui.backend.demo.world import World
from kvtui.model.connect import Connect
from kvtui.model.host import Host, Nic
from kvtui.model.ipvs import Connection, ForwardingMethod, Protocol
from kvtui.model.snapshot import Node, Snapshot
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.backend.demo.changes import Changes
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.log import LogTail

HOST = Host(
    cpu=7.0,
    steal=0.0,
    load=(0.31, 0.28, 0.25),
    cores=2,
    memory_total=4_000_000_000,
    memory_available=2_900_000_000,
    nics=(Nic("eth0", up=True, speed=10_000, mtu=1500, errors_in=0, errors_out=0, drops_in=0, drops_out=0),),
)
PAST_SECONDS, PAST_STEP = 300, 5
DETAIL = "demo: all data is invented"


def demo_snapshot(t: float, epoch: float, *, read_only: bool = False, changes: Changes = NO_CHANGES) -> Snapshot:
    """Returns the demo node ``t`` seconds after ``epoch``, when the demo began (seconds since the epoch)."""
    now = epoch + t
    return Snapshot(
        time=now,
        node=Node(SELF, read_only),
        sources=tuple(Source(n, SourceState.OK, DETAIL, now) for n in SourceName),
        keepalived=(cluster.keepalived(epoch),),
        chosen=cluster.KEEPALIVED_PID,
        conf=cluster.conf(epoch, changes),
        running=cluster.running_conf(epoch, changes),
        instances=cluster.instances(t, epoch, changes),
        checks=cluster.checks(t),
        ipvs=cluster.table(t, epoch, changes),
        addresses=cluster.addresses(t, epoch, changes),
        advertisers=cluster.advertisers(t, epoch, changes),
        heard_since=epoch,
        transitions=cluster.timeline(t, epoch, changes),
        kube=kube(now),
        host=HOST,
        sysctls={f"net.ipv4.vs.{name}": value for name, value in changes.sysctls.items()},
    )


class Demo:
    """Plays the story in real time, with an operator's changes, which are in ``world``."""

    def __init__(self, *, read_only: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._read_only = read_only
        self.world = World(clock)

    async def start(self, changed: Callable[[], None]) -> None:
        self.world.subscribe(asyncio.get_running_loop(), changed)

    async def settle(self, timeout: float) -> None:
        """Everything is known at once."""

    async def read(self) -> Snapshot:
        world = self.world
        return demo_snapshot(world.now, world.epoch, read_only=self._read_only, changes=world.changes)

    def past(self) -> Iterator[Snapshot]:
        """Yields the last five minutes, so that charts and strips have something to show."""
        for seconds in range(PAST_SECONDS, 0, -PAST_STEP):
            yield demo_snapshot(self.world.now - seconds, self.world.epoch)

    async def log(self) -> LogTail:
        return log_tail(self.world.now, self.world.epoch, self.world.changes)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """Returns as many as the table counts, from invented clients (addresses of RFC 5737)."""
        snapshot = await self.read()
        virtual = next((v for v in snapshot.ipvs.virtual_servers if v.key == service), None) if snapshot.ipvs else None
        if virtual is None or virtual.address is None or virtual.port is None:
            return ((), 0)
        found: list[Connection] = []
        vip, protocol = (virtual.address, virtual.port), virtual.protocol
        for server in virtual.real_servers:
            for number in range(server.active + server.inactive if real in {None, server.key} else 0):
                is_open = number < server.active
                state = "UDP" if protocol is Protocol.UDP else "ESTABLISHED" if is_open else "FIN_WAIT"
                client = (f"192.0.2.{1 + number * 7 % 250}", 32768 + number * 131 % 28000)
                expires = 900 - number % 600 if is_open else 1 + number % 120
                found.append(Connection(protocol.value, client, vip, server.key, state, expires))
        return (tuple(found[:limit]), len(found))

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        """Connects as measured on a director: through its own table, from a VIP that it holds; DR gets no answer."""
        snapshot = await self.read()
        virtuals = snapshot.ipvs.virtual_servers if snapshot.ipvs else ()
        held = bool(snapshot.addresses and snapshot.addresses.holding(address))
        up = [r for v in virtuals if (v.address, v.port) == (address, port) for r in v.real_servers if r.weight]
        if up and not (held and up[0].method is ForwardingMethod.DIRECT):
            source = address if held else NODES[SELF][0]
            return Connect(address, port, snapshot.time, 0.0012, source=source)
        return Connect(address, port, snapshot.time, timeout, f"no answer within {timeout:g} s")

    async def close(self) -> None:
        self.world.unsubscribe()
