"""Reads a large table incrementally: the services on the screen each time, the rest within some seconds.

Of 10,000 real servers a screen shows 20; reading all of them once a second takes a third of a core
(benchmarks/RESULTS.md). So the services on the screen are requested one by one, and the CPU time for the rest is
bounded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.genl import MAX_ATTEMPTS
from kvtui.model.ipvs import IpvsTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.ipvs.genl import GenericNetlink
    from kvtui.model.ipvs import RealServer, ServiceKey, Stats, VirtualServer

MAX_FULL_READ = 1000  # real servers up to which all are read each time, which takes 0.01 s
MAX_CPU_SHARE = 0.005
"""Of a core, for the dumps of all services, and again for the real servers that are not watched."""
MAX_SERVICES_AGE = 5.0  # seconds after which all services are dumped again, whatever it costs
MIN_ROUND_SECONDS = 10.0  # every real server is read within this time, if ``MAX_CPU_SHARE`` allows it ...
MAX_ROUND_SECONDS = 30.0  # ... else within this time

DETAIL = "{count} real servers: those on the screen are read each time, the oldest of the others {age:.0f} s ago"


class Kept(Struct, frozen=True):
    """The real servers of one virtual server when they were last read (CLOCK_MONOTONIC), and its counters then."""

    reals: tuple[RealServer, ...]
    at: float
    stats: Stats | None


def ask_service(channel: GenericNetlink, key: ServiceKey) -> VirtualServer | None:
    """Reads one virtual server without its real servers; returns None when it was removed."""
    try:
        answers = channel.ask(uapi.CMD_GET_SERVICE, decode.selector(key))
    except ProcessLookupError:  # ESRCH
        return None
    return decode.service(answers[0], 0, len(answers[0])) if answers else None


class IncrementalReader:
    """Keeps the table between readings.

    ``read`` reads the real servers of one virtual server, None when it changed meanwhile; ``ask`` reads one virtual
    server without them, None when it was removed. ``cpu`` returns the CPU seconds of this thread so far.
    """

    def __init__(
        self,
        read: Callable[[GenericNetlink, VirtualServer], VirtualServer | None],
        *,
        ask: Callable[[GenericNetlink, ServiceKey], VirtualServer | None] = ask_service,
        max_full_read: int = MAX_FULL_READ,
        cpu: Callable[[], float] = time.thread_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._ask = ask
        self._max_full_read = max_full_read
        self._cpu, self._clock = cpu, clock
        self._services: dict[ServiceKey, VirtualServer] = {}  # in the kernel's order
        self._reals: dict[ServiceKey, Kept] = {}  # the oldest first
        self._known = 0  # real servers
        self._last = self._dumped = float("-inf")
        self._dump_cost = self._real_cost = 0.0

    def forget(self) -> None:
        self._services, self._reals, self._known = {}, {}, 0
        self._dumped = float("-inf")

    def table(self, channel: GenericNetlink, watched: frozenset[ServiceKey], *, urgent: bool = False) -> IpvsTable:
        """Reads the watched and some of the others; ``urgent`` dumps all services. Raises like ``channel.dump``."""
        for _ in range(MAX_ATTEMPTS):
            read_at, monotonic = time.time(), self._clock()
            every = urgent or self._dump_is_due(monotonic) or not self._refresh_watched(channel, watched)
            if every and not self._dump(channel, monotonic):
                continue
            if self._read_due(channel, watched, monotonic):
                self._last = monotonic
                return IpvsTable(tuple(self._services.values()), complete=True, read_at=read_at, monotonic=monotonic)
            self._dumped = float("-inf")  # a service was removed, and maybe others too
        raise IpvsError(f"The IPVS table changed during {MAX_ATTEMPTS} readings in a row; kvtui tries again.")

    def _dump_is_due(self, now: float) -> bool:
        interval = min(MAX_SERVICES_AGE, self._dump_cost / MAX_CPU_SHARE)
        return self._known <= self._max_full_read or now - self._dumped >= interval

    def _refresh_watched(self, channel: GenericNetlink, watched: frozenset[ServiceKey]) -> bool:
        """Reads the watched services one by one; returns False when one was removed or created anew."""
        for key in watched & self._services.keys():
            at, virtual, kept = self._clock(), self._ask(channel, key), self._reals.get(key)
            if virtual is None or kept is None or not is_same_service(kept, virtual):
                return False
            self._services[key] = self._filled(virtual, kept, at)
        return True

    def _dump(self, channel: GenericNetlink, now: float) -> bool:
        """Returns False when the list changed between two datagrams."""
        began = self._cpu()
        dumped = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
        services = {virtual.key: virtual for virtual in dumped}
        if len(services) < len(dumped):
            return False
        reals = self._reals.items()
        self._reals = {key: kept for key, kept in reals if key in services and is_same_service(kept, services[key])}
        self._known = sum(len(kept.reals) for kept in self._reals.values())
        self._services = {key: self._filled(virtual, self._reals.get(key), now) for key, virtual in services.items()}
        self._dumped, self._dump_cost = now, self._cpu() - began
        return True

    @staticmethod
    def _filled(virtual: VirtualServer, kept: Kept | None, at: float) -> VirtualServer:
        if kept is None:
            return replace(virtual, stats_read=at)
        return replace(virtual, real_servers=kept.reals, reals_read=kept.at, stats_read=at)

    def _read_due(self, channel: GenericNetlink, watched: frozenset[ServiceKey], now: float) -> bool:
        """Returns False when the table changed meanwhile."""
        began, before = self._cpu(), self._known
        count = 0
        for key in self._due(watched, now):
            at, virtual = self._clock(), self._services[key]
            filled = self._read(channel, replace(virtual, real_servers=()))
            if filled is None:
                return False
            kept = self._reals.pop(key, None)  # to append it at the end
            self._known += len(filled.real_servers) - (len(kept.reals) if kept else 0)
            self._reals[key] = Kept(filled.real_servers, at, filled.stats)
            self._services[key] = replace(filled, reals_read=at)
            count += len(filled.real_servers)
        if count and before:
            self._real_cost += ((self._cpu() - began) / count - self._real_cost) / 4  # smoothed: one reading varies
        return True

    def _due(self, watched: frozenset[ServiceKey], now: float) -> list[ServiceKey]:
        if self._known <= self._max_full_read:
            return list(self._services)
        due = [key for key in watched if key in self._services]
        if len(self._reals) < len(self._services):
            due += [key for key in self._services if key not in self._reals and key not in watched]
        share = self._known * min(1.0, (now - self._last) / self._round_seconds())
        for key, kept in self._reals.items():
            if share <= 0:
                break
            if key not in watched:
                due.append(key)
                share -= max(1, len(kept.reals))
        return due

    def _round_seconds(self) -> float:
        return min(MAX_ROUND_SECONDS, max(MIN_ROUND_SECONDS, self._known * self._real_cost / MAX_CPU_SHARE))


def is_same_service(kept: Kept, virtual: VirtualServer) -> bool:
    """Whether the service was not created anew: then, or when zeroed, its counters are lower."""
    old, new = kept.stats, virtual.stats
    if old is None or new is None:
        return True
    return old.connections <= new.connections and old.in_packets <= new.in_packets and old.in_bytes <= new.in_bytes


def describe_age(table: IpvsTable, max_full_read: int = MAX_FULL_READ) -> str:
    """Returns how old the oldest part is; empty when all was read at once."""
    count = sum(len(v.real_servers) for v in table.virtual_servers)
    if count <= max_full_read or all(v.reals_read is None for v in table.virtual_servers):
        return ""
    return DETAIL.format(count=f"{count:,}", age=max(0.0, table.read_at - table.oldest))
