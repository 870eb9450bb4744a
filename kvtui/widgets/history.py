"""Keeps the last minute of rates, for sparklines. Servers that are gone are forgotten."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from kvtui.model.observation import Observation

MAX_SAMPLES = 60
MIN_SECONDS = 0.8
"""Minimum time between two samples: events add observations between two ticks."""


class History:
    """Connections per second of VIPs, virtual servers and real servers.

    Args:
        max_real_servers: with more, real servers have no history, to limit memory.
    """

    def __init__(self, max_real_servers: int = 2000) -> None:
        self._rings: dict[Hashable, deque[float]] = {}
        self._last: float | None = None
        self._max_real_servers = max_real_servers

    def add(self, observation: Observation) -> None:
        now = observation.snapshot.time
        if self._last is not None and 0 <= now - self._last < MIN_SECONDS:
            return
        self._last = now
        values = samples(observation, self._max_real_servers)
        for gone in self._rings.keys() - values.keys():
            del self._rings[gone]
        for key, value in values.items():
            ring = self._rings.get(key)
            if ring is None:
                ring = self._rings[key] = deque(maxlen=MAX_SAMPLES)
            ring.append(value)

    def of(self, key: Hashable) -> list[float]:
        """Returns the samples of a key of ``samples``, oldest first."""
        return list(self._rings.get(key, ()))


def samples(observation: Observation, max_real_servers: int) -> dict[Hashable, float]:
    """Returns connections per second by VIP address, by virtual server, and by (virtual server, real server)."""
    values: dict[Hashable, float] = {}
    servers = observation.virtual_servers or ()
    reals = sum(len(v.real_servers) for v in servers)
    for virtual in servers:
        key = server_key(virtual.protocol.value, virtual.name)
        rate = virtual.stats.cps if virtual.stats else 0.0
        values[key] = rate
        if virtual.address:
            values["vip", virtual.address] = values.get(("vip", virtual.address), 0.0) + rate
        if reals <= max_real_servers:
            for real in virtual.real_servers:
                values[key, real.key] = real.stats.cps if real.stats else 0.0
    return values


def server_key(protocol: str, name: str) -> tuple[str, str]:
    return (protocol, name)
