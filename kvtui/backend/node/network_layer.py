"""The layers of a network namespace: addresses, adverts and the IPVS table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.adverts import Adverts, CaptureError
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.node.guard import DEADLINE
from kvtui.backend.route import RouteMonitor
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.backend.node.guard import SourceGuard
    from kvtui.model.addresses import AddressTable
    from kvtui.model.ipvs import Connection, IpvsTable, RealServer, ServiceKey
    from kvtui.model.vrrp import Advertiser, Transition


class AddressesLayer:
    def __init__(self, pid: int | None, changed: Callable[[], None], guard: SourceGuard) -> None:
        self._monitor = RouteMonitor(pid, report=guard.report)
        self._changed = changed

    def start(self) -> None:
        if not self._monitor.is_started:
            self._monitor.start(self._changed)

    async def ready(self) -> None:
        await self._monitor.ready()

    def table(self) -> AddressTable | None:
        return self._monitor.table()

    def is_port(self, interface: str) -> bool:
        return self._monitor.is_port(interface)

    def source(self) -> Source:
        table, error = self._monitor.table(), self._monitor.error
        detail = f"addresses cannot be read: {error.strerror or error}" if error else ""
        late = self._monitor.busy_seconds
        if late >= DEADLINE:
            detail = f"late: {late:.0f} s; rtnetlink does not answer"
        if table is None:
            return Source(SourceName.ADDRESSES, SourceState.UNAVAILABLE, detail or "not read yet")
        if late >= DEADLINE:
            return Source(SourceName.ADDRESSES, SourceState.DEGRADED, detail, table.read_at)
        if error:
            return Source(SourceName.ADDRESSES, SourceState.DEGRADED, f"{detail}; shown as read last", table.read_at)
        return Source(SourceName.ADDRESSES, SourceState.OK, "", table.read_at)

    async def close(self) -> None:
        await self._monitor.close()


class AdvertsLayer:
    def __init__(
        self, pid: int | None, changed: Callable[[], None], addresses: AddressesLayer, guard: SourceGuard
    ) -> None:
        self._adverts = Adverts(pid, is_port=addresses.is_port, failed=guard.report)
        self._guard = guard
        self._addresses = addresses
        self._changed = changed
        self._error: str | None = "not opened yet"

    async def start(self) -> None:
        try:
            await self._adverts.start(self._changed, self._addresses.ready)
        except CaptureError as why:
            self._error = str(why)
        except Exception as error:  # noqa: BLE001 - a bug in one source must not end the others
            self._error = self._guard.report(error)
        else:
            self._error = None

    def advertisers(self) -> tuple[Advertiser, ...] | None:
        return None if self._error else self._adverts.advertisers()

    def heard_since(self) -> float | None:
        return None if self._error else self._adverts.heard_since()

    def transitions(self) -> tuple[Transition, ...]:
        return self._adverts.transitions()

    async def settle(self, vrids: frozenset[int], timeout: float) -> None:
        if not self._error:
            await self._adverts.wait_for(set(vrids), timeout)

    def source(self, now: float) -> Source:
        if self._error:
            return Source(SourceName.ADVERTS, SourceState.UNAVAILABLE, self._error)
        if lost := self._adverts.dropped():
            detail = f"{lost} adverts lost: more arrive than kvtui can read; look for a storm with tcpdump -n vrrp"
            return self._guard.checked(Source(SourceName.ADVERTS, SourceState.DEGRADED, detail, now))
        return self._guard.checked(Source(SourceName.ADVERTS, SourceState.OK, "", now))

    def close(self) -> None:
        self._adverts.close()


def has_moved(before: IpvsTable, now: IpvsTable) -> bool:
    """Whether real servers were added or removed, or got weight 0 or lost it: what a health check changes."""
    if len(before.virtual_servers) != len(now.virtual_servers):
        return True
    pairs = zip(before.virtual_servers, now.virtual_servers, strict=True)
    # most of a large table are the same objects, since they were not read again
    return any(a.key != b.key or _has_moved(a.real_servers, b.real_servers) for a, b in pairs if a is not b)


def _has_moved(before: Sequence[RealServer], now: Sequence[RealServer]) -> bool:
    return before is not now and (len(before), _drained(before)) != (len(now), _drained(now))


def _drained(reals: Sequence[RealServer]) -> int:
    return sum([not real.weight for real in reals])


class IpvsLayer:
    def __init__(self, pid: int | None) -> None:
        self._reader = IpvsReader(pid)
        self.table: IpvsTable | None = None
        self._moved = False
        self.watched: frozenset[ServiceKey] | None = None
        """Keys of the virtual servers on the screen; None: all."""
        self._error = "not read yet"

    def read(self, *, urgent: bool = False) -> None:
        before = self.table
        try:
            self.table = self._reader.read(self.watched, urgent=urgent)
        except IpvsError as why:
            self.table, self._error = None, str(why)
        self._moved |= before is not None and self.table is not None and has_moved(before, self.table)

    def take_moved(self) -> bool:
        """Returns whether the table moved (``has_moved``) since the last call."""
        moved, self._moved = self._moved, False
        return moved

    def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        return self._reader.connections(limit, service, real)

    def source(self) -> Source:
        if self.table is None:
            return Source(SourceName.IPVS, SourceState.UNAVAILABLE, self._error)
        state = SourceState.OK if self.table.complete else SourceState.DEGRADED
        return Source(SourceName.IPVS, state, self._reader.detail, self.table.oldest)

    def close(self) -> None:
        self._reader.close()
