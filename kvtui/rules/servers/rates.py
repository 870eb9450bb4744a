"""Two readings of the IPVS table → rates per second, from differences of 64-bit counters."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kvtui.model.observation import StatsView

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, Stats, VirtualServer

SHORTEST = 0.2
"""Seconds: over a shorter time a difference of counters says more about scheduling than about traffic."""


class RateMeter:
    """Rates of one table against an earlier one.

    A server that was not there before, or whose counters went backwards (somebody zeroed them), has no
    difference: then the kernel's own estimate is shown, so that neither gives a spike.

    Args:
        previous: the earlier reading; None at the start.
        current: the later one.
    """

    def __init__(self, previous: IpvsTable | None, current: IpvsTable) -> None:
        self._previous = previous
        self._current = current

    @cached_property
    def _before(self) -> dict[ServiceKey, VirtualServer]:
        return {v.key: v for v in self._previous.virtual_servers} if self._previous else {}

    def _earlier(self, virtual: VirtualServer, place: int) -> VirtualServer | None:
        """What it was; where the table has the same order, without laying out all of it."""
        servers = self._previous.virtual_servers if self._previous else ()
        if 0 <= place < len(servers) and servers[place].key == virtual.key:
            return servers[place]
        return self._before.get(virtual.key)

    def of_virtual(self, virtual: VirtualServer, place: int = -1) -> StatsView | None:
        """Counters and rates of a virtual server; ``place``: where it stands in the table, if that is known."""
        before = self._earlier(virtual, place)
        if before is None or self._previous is None:
            return _view(virtual.stats, None, 0.0)
        elapsed = self._current.stats_at(virtual) - self._previous.stats_at(before)
        return _view(virtual.stats, before.stats, elapsed)

    def of_real(self, virtual: VirtualServer, real: RealServer) -> StatsView | None:
        """Counters and rates of a real server within its virtual server."""
        return next((s for r, s in zip(virtual.real_servers, self.of_reals(virtual), strict=True) if r is real), None)

    def of_reals(self, virtual: VirtualServer, place: int = -1) -> list[StatsView | None]:
        """The same for each real server of a virtual server, over the time between the readings of these."""
        before = self._earlier(virtual, place)
        if before is None or self._previous is None:
            return [_view(real.stats, None, 0.0) for real in virtual.real_servers]
        elapsed = self._current.reals_at(virtual) - self._previous.reals_at(before)
        earlier = {real.key: real.stats for real in before.real_servers}
        return [_view(real.stats, earlier.get(real.key), elapsed) for real in virtual.real_servers]


def _view(now: Stats | None, old: Stats | None, elapsed: float) -> StatsView | None:
    # Written out, without a loop: it runs for every real server that was read.
    if now is None:
        return None
    if (
        old is None
        or elapsed < SHORTEST
        or now.connections < old.connections
        or now.in_packets < old.in_packets
        or now.out_packets < old.out_packets
        or now.in_bytes < old.in_bytes
        or now.out_bytes < old.out_bytes
    ):
        rates: tuple[float, float, float, float, float] = (now.cps, now.in_pps, now.out_pps, now.in_bps, now.out_bps)
    else:
        rates = (
            (now.connections - old.connections) / elapsed,
            (now.in_packets - old.in_packets) / elapsed,
            (now.out_packets - old.out_packets) / elapsed,
            (now.in_bytes - old.in_bytes) / elapsed,
            (now.out_bytes - old.out_bytes) / elapsed,
        )
    return StatsView(now.connections, now.in_packets, now.out_packets, now.in_bytes, now.out_bytes, *rates)
