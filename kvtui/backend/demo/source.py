"""The demo as a ``SnapshotSource``, and its kernel, files and keepalived, which actions change."""

from __future__ import annotations

import asyncio
import time
from threading import Lock
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.demo import cluster
from kvtui.backend.demo.changes import NO_CHANGES, election_state, moves
from kvtui.backend.demo.conf_text import read_text
from kvtui.backend.demo.kube import kube
from kvtui.backend.demo.log import log_tail
from kvtui.backend.demo.services import CONF, TRACK_FILE
from kvtui.backend.demo.story import NODES, SELF
from kvtui.model.connect import Connect
from kvtui.model.host import Host, Nic
from kvtui.model.ipvs import Connection, ForwardingMethod, Protocol
from kvtui.model.snapshot import Node, Snapshot
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.backend.demo.changes import DemoChanges
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import DestinationKey, IpvsTable, ServiceKey
    from kvtui.model.log import LogTail
    from kvtui.model.vrrp import VrrpInstance

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


def demo_snapshot(t: float, epoch: float, *, read_only: bool = False, changes: DemoChanges = NO_CHANGES) -> Snapshot:
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


class World:
    """The demo's present state: when it began (seconds), and an operator's changes. For several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.epoch = clock()
        self.changes = NO_CHANGES
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: Callable[[], None] | None = None
        self._later: list[asyncio.TimerHandle] = []

    @property
    def now(self) -> float:
        """Seconds since the demo began."""
        return self._clock() - self.epoch

    def subscribe(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None]) -> None:
        self._loop, self._changed = loop, changed

    def unsubscribe(self) -> None:
        for handle in self._later:
            handle.cancel()
        self._loop = self._changed = None

    @property
    def conf(self) -> Conf:
        return cluster.conf(self.epoch, self.changes)

    @property
    def running(self) -> Conf:
        return cluster.running_conf(self.epoch, self.changes)

    def instances(self) -> tuple[VrrpInstance, ...]:
        return cluster.instances(self.now, self.epoch, self.changes)

    def addresses(self) -> frozenset[tuple[str, str, int]]:
        table = cluster.addresses(self.now, self.epoch, self.changes)
        return frozenset((a.interface, a.address, a.prefixlen) for a in table.addresses)

    def table(self) -> IpvsTable:
        return cluster.table(self.now, self.epoch, self.changes)

    def read(self, path: str) -> str:
        if path == CONF:
            return self.changes.saved
        if path == TRACK_FILE:
            return f"{election_state(self.now, self.changes).value}\n"
        raise FileNotFoundError(2, "the demo has no such file", path)

    def write(self, path: str, text: str) -> None:
        """Writes a file; keepalived reads a track file at once."""
        if path == TRACK_FILE:
            self._change(lambda changes, now: changes.set(now, value=int(text)))
        elif path == CONF:
            self._change(lambda changes, now: replace(changes, saved=text, saved_at=now))
        else:
            raise FileNotFoundError(2, "the demo has no such file", path)

    def reload(self) -> None:

        def work(changes: DemoChanges, now: float) -> DemoChanges:
            old, new = (_priority(text) for text in (changes.run, changes.saved))
            if new != old:
                changes = changes.set(now, priority=new)
            return replace(changes, run=changes.saved, reloads=changes.reloads + 1, reloaded=(*changes.reloaded, now))

        self._change(work)

    def set_weight(self, target: DestinationKey, weight: int) -> None:
        self._change(lambda changes, now: changes.set_weight(now, target, weight))

    def set_sysctl(self, name: str, value: int) -> None:
        self._change(lambda changes, _now: replace(changes, sysctls={**changes.sysctls, name: value}))

    def _change(self, work: Callable[[DemoChanges, float], DemoChanges]) -> None:
        with self._lock:
            self.changes = work(self.changes, self.now)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        if self._loop is None or self._changed is None:
            return
        self._changed()
        for handle in self._later:
            handle.cancel()
        now = self.now
        self._later = [self._loop.call_later(at - now, self._changed) for at in moves(self.changes) if at > now]


def _priority(text: str) -> int | None:
    return next((i.priority for i in read_text(text).instances if i.name == "vips"), None)


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

    def earlier_snapshots(self) -> Iterator[Snapshot]:
        """Yields the last five minutes, so that charts and strips have something to show."""
        for seconds in range(PAST_SECONDS, 0, -PAST_STEP):
            yield demo_snapshot(self.world.now - seconds, self.world.epoch)

    async def log(self) -> LogTail:
        return log_tail(self.world.now, self.world.epoch, self.world.changes)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """Returns as many as the table counts, from invented clients (addresses of RFC 5737)."""
        virtual = next((v for v in self.world.table().virtual_servers if v.key == service), None)
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
        held = bool(snapshot.addresses and snapshot.addresses.holding(address))
        virtuals = [v for v in self.world.table().virtual_servers if (v.address, v.port) == (address, port)]
        up = [r for v in virtuals for r in v.real_servers if r.weight]
        if up and not (held and up[0].method is ForwardingMethod.DIRECT):
            source = address if held else NODES[SELF][0]
            return Connect(address, port, snapshot.time, 0.0012, source=source)
        return Connect(address, port, snapshot.time, timeout, f"no answer within {timeout:g} s")

    async def close(self) -> None:
        self.world.unsubscribe()
