"""The VIPs that this node had before an action, and whether it has the same after that was put back.

The old config does not bring a VIP back by itself: with nopreempt, a node that stepped down stays BACKUP.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import Json, StepError, from_builtins

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.model.observation import Observation

Address = tuple[str, str, int]
"""Interface, address, prefix length."""

ELECTION = 4
"""Advert intervals until an election is over: three, and a skew of less than one."""
MARGIN = 1.5
MIN_TIMEOUT, MAX_TIMEOUT = 3.0, 15.0
"""Seconds that the VIPs have to come back."""
MAX_STABLE = 1.0
"""Seconds, or one advert interval, in which they must stay: keepalived may have heard a better node just now."""
PAUSE = 0.1
MAX_NAMED = 5


class HeldVips(Struct, frozen=True):
    """The VIPs of a keepalived that were on this node, and those that were not."""

    backend: ActionBackend
    daemon: Daemon
    held: frozenset[Address]
    others: frozenset[str]
    interval: float

    @classmethod
    def of(cls, observation: Observation, backend: ActionBackend) -> HeldVips | None:
        """Returns None where the addresses or the keepalived are unknown."""
        snapshot = observation.snapshot
        keepalived, table = snapshot.chosen_keepalived, snapshot.addresses
        if keepalived is None or table is None:
            return None
        known = {v.address for v in observation.vips or ()}
        for conf in filter(None, (snapshot.conf, snapshot.running)):
            known.update(v.address for i in conf.instances for v in i.all_vips)
        held = frozenset((a.interface, a.address, a.prefixlen) for a in table.addresses if a.address in known)
        interval = max((i.advert_interval or 1.0 for i in observation.vrrp_instances or ()), default=1.0)
        others = frozenset(known - {address for _, address, _ in held})
        return cls(backend, Daemon.of(keepalived), held, others, interval)

    async def difference(self, say: Callable[[str], None]) -> str:
        """Waits until the VIPs are as before, and stay so. Returns a clause on what is not; else empty."""
        timeout = min(MAX_TIMEOUT, max(MIN_TIMEOUT, ELECTION * self.interval + MARGIN))
        now = time.monotonic()
        deadline, stable_since = now + timeout, now
        asked = False
        while True:
            try:
                different = await asyncio.to_thread(self._difference)
            except (StepError, OSError) as why:
                return f"it is unknown whether the VIPs are as before: {why}"
            now = time.monotonic()
            if different:
                stable_since = now
                if now > deadline:
                    return f"the VIPs are NOT as before: {different} after {timeout:.0f} s: see kvtui vips"
                if not asked:
                    asked = True
                    say(f"waiting up to {timeout:.0f} s for the VIPs")
            elif now - stable_since >= min(MAX_STABLE, self.interval):
                return ""
            await asyncio.sleep(PAUSE)

    def _difference(self) -> str:
        now = self.backend.addresses(self.daemon)
        texts = [f"{a} is not back on {i}" for i, a, _ in sorted(self.held - now)]
        texts += [f"{a} is still on {i}" for i, a, _ in sorted(now) if a in self.others]
        if len(texts) > MAX_NAMED:
            texts[MAX_NAMED:] = [f"and {len(texts) - MAX_NAMED} more"]
        return ", ".join(texts)

    def to_json(self) -> Json:
        held = {"daemon": self.daemon, "held": self.held, "others": self.others, "interval": self.interval}
        return dict(to_builtins(held, order="sorted"))

    @classmethod
    def from_json(cls, data: Json, backend: ActionBackend) -> HeldVips:
        held = frozenset((str(i), str(a), int(p)) for i, a, p in data["held"])
        others = frozenset(str(a) for a in data["others"])
        return cls(backend, from_builtins(data["daemon"], Daemon), held, others, float(data["interval"]))
