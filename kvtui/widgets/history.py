"""The recent past of rates, for sparklines: a ring for each server, nothing for servers that went away."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from kvtui.model.observation import Observation

SAMPLES = 60
SPACING = 0.8
"""Seconds between two samples at least: events bring more observations than ticks."""


class History:
    """Connections per second of every VIP and virtual server (and of real servers, while there are few).

    Args:
        most_real_servers: above this many, real servers have no history: memory stays flat.
    """

    def __init__(self, most_real_servers: int = 2000) -> None:
        self._rings: dict[Hashable, deque[float]] = {}
        self._last: float | None = None
        self._most = most_real_servers

    def add(self, seen: Observation) -> None:
        """Take one sample of everything, unless the last one was just taken."""
        now = seen.snapshot.time
        if self._last is not None and 0 <= now - self._last < SPACING:
            return
        self._last = now
        values = samples(seen, self._most)
        for gone in self._rings.keys() - values.keys():
            del self._rings[gone]
        for key, value in values.items():
            ring = self._rings.get(key)
            if ring is None:
                ring = self._rings[key] = deque(maxlen=SAMPLES)
            ring.append(value)

    def of(self, key: Hashable) -> list[float]:
        """Samples of one thing, oldest first."""
        return list(self._rings.get(key, ()))


def samples(seen: Observation, most: int) -> dict[Hashable, float]:
    """Connections per second: by VIP address, by virtual server name, by (virtual server name, real server key)."""
    values: dict[Hashable, float] = {}
    servers = seen.virtual_servers or ()
    reals = sum(len(v.real_servers) for v in servers)
    for virtual in servers:
        key = server_key(virtual.protocol.value, virtual.name)
        rate = virtual.stats.cps if virtual.stats else 0.0
        values[key] = rate
        if virtual.address:
            values["vip", virtual.address] = values.get(("vip", virtual.address), 0.0) + rate
        if reals <= most:
            for real in virtual.real_servers:
                values[key, real.key] = real.stats.cps if real.stats else 0.0
    return values


def server_key(protocol: str, name: str) -> tuple[str, str]:
    """Names a virtual server in tables and histories."""
    return (protocol, name)
