"""Rates per second from the counter differences of two readings of the IPVS table."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kvtui.model.ipvs import Stats

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable, ServiceKey, VirtualServer

MIN_SECONDS = 0.2
"""Over a shorter time scheduling delays distort the rates."""


class RateMeter:
    """Rates between two readings of a table.

    For a new server, or one whose counters were reset, the kernel's own estimate is used, which avoids spikes.
    """

    def __init__(self, previous: IpvsTable | None, current: IpvsTable) -> None:
        self._previous = previous
        self._current = current

    @cached_property
    def _before(self) -> dict[ServiceKey, VirtualServer]:
        return {v.key: v for v in self._previous.virtual_servers} if self._previous else {}

    def _earlier(self, virtual: VirtualServer, place: int) -> VirtualServer | None:
        """Returns the earlier virtual server; without an index if the order is unchanged."""
        servers = self._previous.virtual_servers if self._previous else ()
        if 0 <= place < len(servers) and servers[place].key == virtual.key:
            return servers[place]
        return self._before.get(virtual.key)

    def of_virtual(self, virtual: VirtualServer, place: int = -1) -> Stats | None:
        """Returns counters and rates of a virtual server; ``place`` is its index in the table, if known."""
        before = self._earlier(virtual, place)
        if before is None or self._previous is None:
            return _view(virtual.stats, None, 0.0)
        elapsed = self._current.stats_at(virtual) - self._previous.stats_at(before)
        return _view(virtual.stats, before.stats, elapsed)

    def of_reals(self, virtual: VirtualServer, place: int = -1) -> list[Stats | None]:
        before = self._earlier(virtual, place)
        if before is None or self._previous is None:
            return [_view(real.stats, None, 0.0) for real in virtual.real_servers]
        elapsed = self._current.reals_at(virtual) - self._previous.reals_at(before)
        earlier = {real.key: real.stats for real in before.real_servers}
        return [_view(real.stats, earlier.get(real.key), elapsed) for real in virtual.real_servers]


def _view(now: Stats | None, old: Stats | None, elapsed: float) -> Stats | None:
    # no loop: this runs for every real server of every reading
    if now is None:
        return None
    if (
        old is None
        or elapsed < MIN_SECONDS
        or now.connections < old.connections
        or now.in_packets < old.in_packets
        or now.out_packets < old.out_packets
        or now.in_bytes < old.in_bytes
        or now.out_bytes < old.out_bytes
    ):
        return now
    return Stats(
        now.connections,
        now.in_packets,
        now.out_packets,
        now.in_bytes,
        now.out_bytes,
        (now.connections - old.connections) / elapsed,
        (now.in_packets - old.in_packets) / elapsed,
        (now.out_packets - old.out_packets) / elapsed,
        (now.in_bytes - old.in_bytes) / elapsed,
        (now.out_bytes - old.out_bytes) / elapsed,
    )
