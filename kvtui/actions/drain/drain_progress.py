"""Verifies a drain: the weight is as planned, all else is unchanged; estimates when the last connection ends."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from kvtui.actions.core.network import read_table
from kvtui.actions.core.runner import Verification
from kvtui.model.ipvs import Protocol, endpoint, service_name
from kvtui.model.units import ago

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.network import Network
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, VirtualServer

    Say = Callable[[str], None]
    Pair = tuple[VirtualServer, RealServer]

EMPTY_READINGS = 2
"""Readings without a connection in a row: a handshake that was under way at the first is seen at the second."""
WINDOW_SECONDS = 60.0  # length of the history for the estimate


class ExpectedWeight(Struct, frozen=True):
    """One real server, which must have this weight, and all else as before."""

    service: ServiceKey
    before: RealServer
    weight: int

    @property
    def name(self) -> str:
        return f"{endpoint(*self.before.key)} in {service_name(self.service)}"


class Left(Struct, frozen=True):
    """The sum of the connections that are left."""

    active: int = 0
    inactive: int = 0  # closing, or any of UDP
    persistent: int = 0  # templates
    blocking: int = 0  # how many of them must end before nothing can arrive there any more

    def __str__(self) -> str:
        return f"active {self.active}, inactive {self.inactive}, persistent {self.persistent}"

    def with_estimate(self, samples: Sequence[tuple[float, int]]) -> str:
        """Adds how long the rest takes if connections keep ending at the same rate; see ``seconds_left``."""
        estimate = seconds_left(samples)
        return str(self) if estimate is None else f"{self} · about {ago(estimate)} left"


def blocking(virtual: VirtualServer, real: RealServer, *, persistence_fixed: bool) -> int:
    """Returns how many connections must end before nothing arrives at a drained real server.

    TCP: those in ESTABLISHED; what closes needs the server no more. UDP has no ESTABLISHED: all of them, until they
    time out. A persistence template brings its client back, unless the kernel lets go of templates of drained servers
    (expire_quiescent_template; their number then stays until they time out, measured, but they lead elsewhere).
    """
    found = real.active + (real.inactive if virtual.protocol is Protocol.UDP else 0)
    templates = virtual.persistence_timeout is not None and not persistence_fixed
    return found + ((real.persistent or 0) if templates else 0)


def seconds_left(samples: Sequence[tuple[float, int]]) -> float | None:
    """Returns the seconds until none are left, at the same rate; None while the rate is unknown or not falling.

    Args:
        samples: (monotonic seconds, how many), oldest first.
    """
    recent = [s for s in samples if s[0] >= samples[-1][0] - WINDOW_SECONDS]
    if len(recent) < 2:
        return None
    (began, first), (ended, last) = recent[0], recent[-1]
    if last <= 0 or first <= last or ended <= began:
        return None
    rate = math.log(first / last) / (ended - began)
    return math.log(last / 0.5) / rate


class DrainProgress(Struct, frozen=True):
    """Verifies a change of weights; with ``wait`` (seconds) it then waits until the real servers are empty."""

    network: Network
    expected: tuple[ExpectedWeight, ...]
    wait: float | None = None
    persistence_fixed: bool = False
    replaced: frozenset[ServiceKey] = frozenset()
    """Virtual servers whose sorry server takes over, so that their real servers may go."""
    facts: tuple[tuple[str, Any], ...] = ()
    read: Callable[[Network], IpvsTable] = read_table
    clock: Callable[[], float] = time.monotonic
    pause: float = 1.0

    async def verify(self, say: Say) -> Verification:
        if not self.expected:
            return Verification(ok=True, detail="nothing had to be changed", facts=dict(self.facts))
        table = await asyncio.to_thread(self.read, self.network)
        if wrong := self._wrong(table):
            return wrong
        if self.wait is None:
            weights = ", ".join(f"{e.name}: weight {e.weight}" for e in self.expected)
            return Verification(ok=True, detail=f"seen in the kernel: {weights}", facts=self._facts(table))
        return await self._until_empty(say, self.wait)

    async def _until_empty(self, say: Say, wait: float) -> Verification:
        deadline = self.clock() + wait
        samples: list[tuple[float, int]] = []
        empty = 0
        while True:
            table = await asyncio.to_thread(self.read, self.network)
            if wrong := self._wrong(table):
                return wrong
            left = self._left(table)
            samples.append((self.clock(), left.blocking))
            empty = 0 if left.blocking else empty + 1
            if empty >= EMPTY_READINGS:
                return Verification(ok=True, detail=f"weight 0, and empty: {left}", facts=self._facts(table))
            if self.clock() >= deadline:
                detail = (
                    f"weight 0, but not empty after {ago(wait)}: {left}; it stays drained while its connections end"
                )
                return Verification(ok=None, detail=detail, facts=self._facts(table))
            say(left.with_estimate(samples))
            await asyncio.sleep(self.pause)

    def _wrong(self, table: IpvsTable) -> Verification | None:
        for expected, pair in self._found(table):
            if pair is None and expected.service in self.replaced:
                continue
            wrong = ""
            if pair is None:
                wrong = "was removed from the kernel meanwhile, probably by its health check"
            elif (weight := pair[1].weight) != expected.weight:
                wrong = f"has weight {weight}, not {expected.weight}: something else set it"
            elif (now := _rest(pair[1])) != (before := _rest(expected.before)):
                wrong = f"is {now}, but was {before}"
            if wrong:
                ok = None if pair is None else False
                return Verification(ok=ok, detail=f"{expected.name} {wrong}", facts=self._facts(table))
        return None

    def _left(self, table: IpvsTable) -> Left:
        pairs = [pair for _expected, pair in self._found(table) if pair]
        return Left(
            sum(real.active for _, real in pairs),
            sum(real.inactive for _, real in pairs),
            sum(real.persistent or 0 for _, real in pairs),
            sum(blocking(virtual, real, persistence_fixed=self.persistence_fixed) for virtual, real in pairs),
        )

    def _facts(self, table: IpvsTable) -> dict[str, Any]:
        seen = {e.name: _numbers(pair[1]) for e, pair in self._found(table) if pair}
        return {**dict(self.facts), "before": {e.name: _numbers(e.before) for e in self.expected}, "after": seen}

    def _found(self, table: IpvsTable) -> list[tuple[ExpectedWeight, Pair | None]]:
        services = {e.service for e in self.expected}
        pairs = {(v.key, r.key): (v, r) for v in table.virtual_servers if v.key in services for r in v.real_servers}
        return [(e, pairs.get((e.service, e.before.key))) for e in self.expected]


def _rest(real: RealServer) -> str:
    tunnel = f"{real.tunnel_type}/{real.tunnel_port}/{real.tunnel_flags}"
    return f"{real.method.value}, thresholds {real.upper_threshold}/{real.lower_threshold}, tunnel {tunnel}"


def _numbers(real: RealServer) -> dict[str, int | None]:
    return {"weight": real.weight, "active": real.active, "inactive": real.inactive, "persistent": real.persistent}
