"""Who is master of the demo's IPv4 VIPs after an operator changed a priority.

The election is keepalived's, as measured (RFC 5798 6.1): a better backup takes over 3 × advert interval + skew
after the change, after an advert of priority 0 only the skew passes; skew = (256 − priority) / 256 × interval. node-a
and node-b keep their priorities, nobody has nopreempt, and every master that gives way sends priority 0.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from msgspec import Struct

from kvtui.backend.demo.story import BACK, LOWERED, MOVED, NODES, RAISED, SELF, STAND_IN, WEIGHT, scene

INTERVAL = 1.0
FAULT = -254
"""A track file's value × weight at or below this is FAULT in keepalived."""
OWNER = 255
"""Owns the address: change tracks do not count."""


class PriorityChange(Struct, frozen=True):
    """What an operator set on node-c, None: unchanged; ``value`` is its track file's number."""

    at: float
    priority: int | None = None
    value: int | None = None


class Mastership(Struct, frozen=True):
    """A master from a moment on; None: nobody. ``resigned``: the previous master sent priority 0."""

    at: float
    master: str | None
    resigned: bool = False


class PriorityLevel(Struct, frozen=True):
    """node-c's configured priority and its track file's number from a moment on."""

    at: float
    base: int
    value: int

    @property
    def effective(self) -> int | None:
        """The advertised priority; None in FAULT."""
        if self.value * WEIGHT <= FAULT:
            return None
        return self.base if self.base == OWNER else max(1, min(254, self.base + self.value * WEIGHT))


def skew(priority: int) -> float:
    """Returns RFC 5798's Skew_Time in seconds."""
    return (256 - priority) / 256 * INTERVAL


def _begun(at: float, begin: float) -> tuple[float, str] | None:
    """Returns the takeover that has begun in the story."""
    if LOWERED <= at < MOVED:
        return (begin + MOVED, STAND_IN)
    return (begin + BACK, SELF) if RAISED <= at < BACK else None


@lru_cache(maxsize=32)
def course(priority_changes: tuple[PriorityChange, ...]) -> ElectionCourse:
    return ElectionCourse(priority_changes)


class ElectionCourse:
    """Levels and masterships, by time, from the first of some changes on (at least one, by time).

    The story's own changes of priority end with the first of them; a lowering that has begun still ends as in the
    story, unless an operator wrote the track file meanwhile.
    """

    def __init__(self, priority_changes: tuple[PriorityChange, ...]) -> None:
        self.began = priority_changes[0].at
        now = scene(self.began)
        self.levels = [PriorityLevel(self.began, NODES[SELF][1], -int(now.lowered))]
        self.masterships = [Mastership(now.since, now.master)]
        begin = self.began - now.at
        self._coming = _begun(now.at, begin)
        changes = list(priority_changes)
        written = any(s.value is not None and s.at < begin + RAISED for s in priority_changes)
        if now.lowered and not written:
            changes = sorted([*changes, PriorityChange(begin + RAISED, value=0)], key=lambda s: s.at)
        for change in changes:
            self._change(change)
        self._come_to(float("inf"))

    def level(self, t: float) -> PriorityLevel:
        return [level for level in self.levels if level.at <= t][-1]

    def masterships_until(self, t: float) -> list[Mastership]:
        return [mastership for mastership in self.masterships if mastership.at <= t]

    def _change(self, change: PriorityChange) -> None:
        self._come_to(change.at)
        old = self.levels[-1]
        base = old.base if change.priority is None else change.priority
        value = old.value if change.value is None else change.value
        self.levels.append(PriorityLevel(change.at, base, value))
        self._decide(change.at)

    def _come_to(self, at: float) -> None:
        if self._coming is not None and self._coming[0] <= at:
            when, who = self._coming
            # a preempted master sends priority 0, as in the story; node-c with its last advert
            self.masterships.append(Mastership(when, who, resigned=self.masterships[-1].master == STAND_IN))
            self._coming = None

    def _decide(self, at: float) -> None:
        priorities = {name: priority for name, (_address, priority) in NODES.items() if name != SELF}
        mine = self.levels[-1].effective
        if mine is not None:
            priorities[SELF] = mine
        best = max(priorities, key=lambda n: (priorities[n], ip_address(NODES[n][0])))
        wait = skew(priorities[best])
        master = self.masterships[-1].master
        if master == SELF and mine is None:
            self.masterships.append(Mastership(at, None, resigned=True))
            self._coming = (at + wait, best)
        elif best == master:
            self._coming = None
        elif self._coming is None or self._coming[1] != best:
            self._coming = (at + wait + (0.0 if master is None else 3 * INTERVAL), best)
