"""A large table is read by turns: what is looked at each time, the rest within some seconds.

Of 10,000 real servers a screen shows 20. Reading all of them once a second costs a third of a core
(benchmarks/RESULTS.md). Every service's own counters come in one dump, so that those of virtual servers are always
current.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.errors import IpvsUnavailable, Reason
from kvtui.backend.ipvs.genl import ATTEMPTS
from kvtui.model.ipvs import IpvsTable
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.ipvs.genl import GenericNetlink
    from kvtui.model.ipvs import RealServer, ServiceKey, Stats, VirtualServer

FEW = 1000
"""Real servers up to which all are read each time: that takes 0.01 s."""
ROUND = 10.0
"""Seconds within which every real server is read."""

DETAIL = "{count} real servers are read by turns, those on the screen each time: the oldest {age:.0f} s ago"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read of one virtual server.

    Attributes:
        reals: its real servers.
        at: CLOCK_MONOTONIC when they were read.
        stats: the virtual server's own counters then, which tell a service that was made anew.
    """

    reals: tuple[RealServer, ...]
    at: float
    stats: Stats | None


class Turns:
    """Remembers the real servers between readings.

    Args:
        read: the real servers of one virtual server; None when it changed meanwhile.
        few: up to so many real servers there are no turns.
    """

    def __init__(
        self, read: Callable[[GenericNetlink, VirtualServer], VirtualServer | None], *, few: int = FEW
    ) -> None:
        self._read = read
        self._few = few
        self._kept: dict[ServiceKey, Kept] = {}  # those that were read longest ago come first
        self._last = float("-inf")

    def forget(self) -> None:
        """Read everything the next time."""
        self._kept = {}

    def table(
        self, channel: GenericNetlink, watched: frozenset[ServiceKey], clock: Callable[[], float] = time.monotonic
    ) -> IpvsTable:
        """The table: all virtual servers, real servers of the watched ones, and a turn of the rest.

        Raises:
            IpvsUnavailable: it changed during every one of several readings.
            MalformedMessage: an answer is not what the kernel's header promises.
            OSError: the kernel's errors.
        """
        for _ in range(ATTEMPTS):
            read_at, monotonic = time.time(), clock()
            dumped = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
            services = {virtual.key: virtual for virtual in dumped}
            if len(services) < len(dumped):
                continue  # the list moved between two pieces of the dump
            if self._turn(channel, services, watched, clock):
                self._last = monotonic
                whole = tuple(self._filled(v) for v in dumped)
                return IpvsTable(whole, complete=True, read_at=read_at, monotonic=monotonic)
        raise IpvsUnavailable(
            Reason.CHANGING, f"The IPVS table changed during {ATTEMPTS} readings in a row; kvtui tries again."
        )

    def _filled(self, virtual: VirtualServer) -> VirtualServer:
        kept = self._kept[virtual.key]
        return replace(virtual, real_servers=kept.reals, reals_read=kept.at)

    def _turn(
        self,
        channel: GenericNetlink,
        services: dict[ServiceKey, VirtualServer],
        watched: frozenset[ServiceKey],
        clock: Callable[[], float],
    ) -> bool:
        """Read what is due; False when the table changed meanwhile."""
        self._kept = {k: kept for k, kept in self._kept.items() if k in services and _goes_on(kept, services[k])}
        for key in self._due(services, watched, clock()):
            at = clock()
            filled = self._read(channel, services[key])
            if filled is None:
                return False
            self._kept.pop(key, None)  # so that it comes to stand at the end
            self._kept[key] = Kept(filled.real_servers, at, filled.stats)
        return True

    def _due(
        self, services: dict[ServiceKey, VirtualServer], watched: frozenset[ServiceKey], now: float
    ) -> list[ServiceKey]:
        known = sum(len(kept.reals) for kept in self._kept.values())
        if known <= self._few:
            return list(services)
        due = [key for key in services if key not in self._kept or key in watched]
        share = known * min(1.0, (now - self._last) / ROUND)
        for key, kept in self._kept.items():
            if share <= 0:
                break
            if key not in watched:
                due.append(key)
                share -= max(1, len(kept.reals))
        return due


def _goes_on(kept: Kept, virtual: VirtualServer) -> bool:
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
