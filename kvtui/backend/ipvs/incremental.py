"""A large table is read by turns: what is looked at each time, the rest within some seconds.

Of 10,000 real servers a screen shows 20. Reading all of them once a second costs a third of a core
(benchmarks/RESULTS.md), and even the dump of 1,000 services alone, which gives every virtual server's counters, more
than all else that kvtui does. So the services on the screen are asked for one by one, and what the rest costs is
bounded: on a fast machine everything is read more often than on a slow one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.errors import IpvsUnavailable, Reason
from kvtui.backend.ipvs.genl import ATTEMPTS
from kvtui.model.ipvs import IpvsTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.ipvs.genl import GenericNetlink
    from kvtui.model.ipvs import RealServer, ServiceKey, Stats, VirtualServer

FEW = 1000
"""Real servers up to which all are read each time: that takes 0.01 s."""
SHARE = 0.005
"""Of a core, at most so much for each: the dumps of all services, and the real servers that nobody looks at."""
SERVICES = 5.0
"""Seconds after which all services are dumped again at the latest, however much that costs."""
ROUND = 10.0
"""Seconds within which every real server is read, where that costs less than its share ..."""
LONGEST = 30.0
"""... and where it costs more."""

DETAIL = "{count} real servers are read by turns, those on the screen each time: the oldest {age:.0f} s ago"


class Kept(Struct, frozen=True):
    """What was read of one virtual server.

    Attributes:
        reals: its real servers.
        at: CLOCK_MONOTONIC when they were read.
        stats: the virtual server's own counters then, which tell a service that was made anew.
    """

    reals: tuple[RealServer, ...]
    at: float
    stats: Stats | None


def ask_service(channel: GenericNetlink, key: ServiceKey) -> VirtualServer | None:
    """One virtual server as it is now, without its real servers; None when there is none any more.

    Raises:
        MalformedMessage: the answer is not what the kernel's header promises.
        OSError: the kernel's errors.
    """
    try:
        answers = channel.ask(uapi.CMD_GET_SERVICE, decode.selector(key))
    except ProcessLookupError:  # ESRCH
        return None
    return decode.service(answers[0], 0, len(answers[0])) if answers else None


class IncrementalReader:
    """Remembers the table between readings.

    Args:
        read: the real servers of one virtual server; None when it changed meanwhile.
        ask: one virtual server without them; None when it is gone.
        few: up to so many real servers there are no incremental.
        cpu: CPU seconds of this thread so far.
    """

    def __init__(
        self,
        read: Callable[[GenericNetlink, VirtualServer], VirtualServer | None],
        *,
        ask: Callable[[GenericNetlink, ServiceKey], VirtualServer | None] = ask_service,
        few: int = FEW,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._read = read
        self._ask = ask
        self._few = few
        self._cpu = cpu
        self._whole: dict[ServiceKey, VirtualServer] = {}  # in the kernel's order
        self._kept: dict[ServiceKey, Kept] = {}  # those that were read longest ago come first
        self._known = 0  # real servers
        self._last = float("-inf")
        self._dumped = float("-inf")
        self._dump_cost = 0.0
        self._real_cost = 0.0

    def forget(self) -> None:
        """Read everything the next time."""
        self._whole, self._kept, self._known = {}, {}, 0
        self._dumped = float("-inf")

    def table(
        self,
        channel: GenericNetlink,
        watched: frozenset[ServiceKey],
        clock: Callable[[], float] = time.monotonic,
        *,
        urgent: bool = False,
    ) -> IpvsTable:
        """The table: watched virtual servers as they are now with their real servers, and a turn of the rest.

        Args:
            channel: to the kernel.
            watched: somebody looks at these.
            clock: CLOCK_MONOTONIC.
            urgent: something happened: all services are dumped.

        Raises:
            IpvsUnavailable: it changed during every one of several readings.
            MalformedMessage: an answer is not what the kernel's header promises.
            OSError: the kernel's errors.
        """
        for _ in range(ATTEMPTS):
            read_at, monotonic = time.time(), clock()
            every = urgent or self._dump_is_due(monotonic) or not self._asked(channel, watched, clock)
            if every and not self._dump(channel, monotonic):
                continue
            if self._turn(channel, watched, monotonic, clock):
                self._last = monotonic
                return IpvsTable(tuple(self._whole.values()), complete=True, read_at=read_at, monotonic=monotonic)
            self._dumped = float("-inf")  # a service is gone: which others, too?
        raise IpvsUnavailable(
            Reason.CHANGING, f"The IPVS table changed during {ATTEMPTS} readings in a row; kvtui tries again."
        )

    def _dump_is_due(self, now: float) -> bool:
        return self._known <= self._few or now - self._dumped >= min(SERVICES, self._dump_cost / SHARE)

    def _asked(self, channel: GenericNetlink, watched: frozenset[ServiceKey], clock: Callable[[], float]) -> bool:
        """Ask for the watched services alone; False when one is gone, or is another than it was."""
        for key in watched & self._whole.keys():
            at, virtual = clock(), self._ask(channel, key)
            if virtual is None or not is_same_service(self._kept[key], virtual):
                return False
            self._whole[key] = self._filled(virtual, self._kept[key], at)
        return True

    def _dump(self, channel: GenericNetlink, now: float) -> bool:
        """All services as they are now; False when the list moved between two pieces of the dump."""
        began = self._cpu()
        dumped = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
        services = {virtual.key: virtual for virtual in dumped}
        if len(services) < len(dumped):
            return False
        self._kept = {k: kept for k, kept in self._kept.items() if k in services and is_same_service(kept, services[k])}
        self._known = sum(len(kept.reals) for kept in self._kept.values())
        self._whole = {key: self._filled(virtual, self._kept.get(key), now) for key, virtual in services.items()}
        self._dumped, self._dump_cost = now, self._cpu() - began
        return True

    @staticmethod
    def _filled(virtual: VirtualServer, kept: Kept | None, at: float) -> VirtualServer:
        if kept is None:
            return replace(virtual, stats_read=at)
        return replace(virtual, real_servers=kept.reals, reals_read=kept.at, stats_read=at)

    def _turn(
        self, channel: GenericNetlink, watched: frozenset[ServiceKey], now: float, clock: Callable[[], float]
    ) -> bool:
        """Read what is due; False when the table changed meanwhile."""
        began, before = self._cpu(), self._known
        count = 0
        for key in self._due(watched, now):
            at, virtual = clock(), self._whole[key]
            filled = self._read(channel, replace(virtual, real_servers=()))
            if filled is None:
                return False
            kept = self._kept.pop(key, None)  # so that it comes to stand at the end
            self._known += len(filled.real_servers) - (len(kept.reals) if kept else 0)
            self._kept[key] = Kept(filled.real_servers, at, filled.stats)
            self._whole[key] = replace(filled, reals_read=at)
            count += len(filled.real_servers)
        if count and before:
            self._real_cost += ((self._cpu() - began) / count - self._real_cost) / 4  # one turn alone may be chance
        return True

    def _due(self, watched: frozenset[ServiceKey], now: float) -> list[ServiceKey]:
        if self._known <= self._few:
            return list(self._whole)
        due = [key for key in watched if key in self._whole]
        if len(self._kept) < len(self._whole):
            due += [key for key in self._whole if key not in self._kept and key not in watched]
        share = self._known * min(1.0, (now - self._last) / self._round())
        for key, kept in self._kept.items():
            if share <= 0:
                break
            if key not in watched:
                due.append(key)
                share -= max(1, len(kept.reals))
        return due

    def _round(self) -> float:
        """Seconds within which every real server is read."""
        return min(LONGEST, max(ROUND, self._known * self._real_cost / SHARE))


def is_same_service(kept: Kept, virtual: VirtualServer) -> bool:
    """Whether it is still the same service: counters of one that was made anew, or zeroed, are lower."""
    return (
        kept.stats is None
        or virtual.stats is None
        or (
            kept.stats.connections <= virtual.stats.connections
            and kept.stats.in_packets <= virtual.stats.in_packets
            and kept.stats.in_bytes <= virtual.stats.in_bytes
        )
    )


def described(table: IpvsTable, few: int = FEW) -> str:
    """How old the oldest part is; empty when all was read together."""
    count = sum(len(v.real_servers) for v in table.virtual_servers)
    if count <= few or all(v.reals_read is None for v in table.virtual_servers):
        return ""
    return DETAIL.format(count=f"{count:,}", age=max(0.0, table.read_at - table.oldest))
