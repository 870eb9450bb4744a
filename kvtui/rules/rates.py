"""Two readings of the IPVS table → rates per second, from differences of 64-bit counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import StatsView

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, Stats, VirtualServer

    RealKey = tuple[ServiceKey, tuple[str, int]]
    StatsIndex = dict[ServiceKey | RealKey, Stats]

SHORTEST = 0.2
"""Seconds: over a shorter time a difference of counters says more about scheduling than about traffic."""


def index(table: IpvsTable | None) -> StatsIndex:
    """Every counter set of a table by what it belongs to."""
    found: StatsIndex = {}
    for virtual in table.virtual_servers if table else ():
        if virtual.stats is not None:
            found[virtual.key] = virtual.stats
        for real in virtual.real_servers:
            if real.stats is not None:
                found[virtual.key, real.key] = real.stats
    return found


class RateMeter:
    """Rates of one table against an earlier one.

    A server that was not there before, or whose counters went backwards (somebody zeroed them), has no
    difference: then the kernel's own estimate is shown, so that neither gives a spike.

    Args:
        previous: the earlier reading; None at the start.
        current: the later one.
    """

    def __init__(self, previous: IpvsTable | None, current: IpvsTable) -> None:
        self._elapsed = current.monotonic - previous.monotonic if previous else 0.0
        self._before = index(previous) if self._elapsed >= SHORTEST else {}

    def of_virtual(self, virtual: VirtualServer) -> StatsView | None:
        """Counters and rates of a virtual server."""
        return self._view(virtual.stats, self._before.get(virtual.key))

    def of_real(self, virtual: VirtualServer, real: RealServer) -> StatsView | None:
        """Counters and rates of a real server within its virtual server."""
        return self._view(real.stats, self._before.get((virtual.key, real.key)))

    def _view(self, now: Stats | None, before: Stats | None) -> StatsView | None:
        if now is None:
            return None
        counters = _counters(now)
        earlier = _counters(before) if before else None
        rates: tuple[float, ...] = (now.cps, now.in_pps, now.out_pps, now.in_bps, now.out_bps)
        if earlier and all(b <= c for b, c in zip(earlier, counters, strict=True)):
            rates = tuple((c - b) / self._elapsed for b, c in zip(earlier, counters, strict=True))
        return StatsView(*counters, *rates)


def _counters(stats: Stats) -> tuple[int, int, int, int, int]:
    return (stats.connections, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes)
