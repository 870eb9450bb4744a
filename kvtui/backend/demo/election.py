"""Who is master of the demo's IPv4 VIPs once an operator has taken the story out of its own hands.

The election is keepalived's as it was measured (RFC 5798 6.1): a better backup takes over 3 × advert interval + skew
after the change, after an advert of priority 0 only the skew passes; skew = (256 − priority) / 256 × interval. node-a
and node-b keep their priorities, nobody has nopreempt, and every node that is left says so with priority 0.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from msgspec import Struct

from kvtui.backend.demo.story import BACK, LOWERED, MOVED, NODES, RAISED, SELF, STAND_IN, WEIGHT, scene

INTERVAL = 1.0
FAULT = -254
"""Least sum of a track file's value and weight that counts as a priority (keepalived: ``-254`` is FAULT)."""
OWNER = 255
"""Owns the address: weighted tracks do not count."""


class Setting(Struct, frozen=True):
    """What an operator set, and when (seconds of demo time); None leaves it as it was.

    Attributes:
        at: when.
        priority: of node-c, as keepalived runs it.
        value: the number in its track file.
    """

    at: float
    priority: int | None = None
    value: int | None = None


class Reign(Struct, frozen=True):
    """Who is master from a moment on; None: nobody is. ``resigned``: the one before said so with priority 0."""

    at: float
    master: str | None
    resigned: bool = False


class Level(Struct, frozen=True):
    """node-c's priority from a moment on: as configured, and its track file's number."""

    at: float
    base: int
    value: int

    @property
    def effective(self) -> int | None:
        """What it advertises; None in FAULT."""
        if self.value * WEIGHT <= FAULT:
            return None
        return self.base if self.base == OWNER else max(1, min(254, self.base + self.value * WEIGHT))


class Course(Struct, frozen=True):
    """What becomes of the VIPs from the first setting on: each list by time."""

    began: float
    reigns: tuple[Reign, ...]
    levels: tuple[Level, ...]

    def level(self, t: float) -> Level:
        """node-c's priority at ``t``."""
        return [level for level in self.levels if level.at <= t][-1]

    def reigns_until(self, t: float) -> tuple[Reign, ...]:
        """Those that had begun at ``t``; never empty from ``began`` on."""
        return tuple(reign for reign in self.reigns if reign.at <= t)


def skew(priority: int) -> float:
    """Seconds: RFC 5798's Skew_Time."""
    return (256 - priority) / 256 * INTERVAL


@lru_cache(maxsize=32)
def course(settings: tuple[Setting, ...]) -> Course:
    """What happens after the settings (at least one, by time).

    The story's own changes of priority end with the first of them; a lowering that it had begun still ends as told,
    unless an operator wrote the track file meanwhile.
    """
    first = settings[0].at
    now = scene(first)
    begin = first - now.at
    changes = list(settings)
    written = any(s.value is not None and s.at < begin + RAISED for s in settings)
    if now.lowered and not written:
        changes = sorted([*changes, Setting(begin + RAISED, value=0)], key=lambda s: s.at)
    race = _Race(Reign(now.since, now.master), _begun(now.at, begin), Level(first, NODES[SELF][1], -int(now.lowered)))
    for change in changes:
        race.change(change)
    return Course(first, race.all_reigns(), tuple(race.levels))


def _begun(at: float, begin: float) -> tuple[float, str] | None:
    """The takeover that is under way in the story."""
    if LOWERED <= at < MOVED:
        return (begin + MOVED, STAND_IN)
    return (begin + BACK, SELF) if RAISED <= at < BACK else None


class _Race:
    """The election while it is worked out."""

    def __init__(self, reign: Reign, coming: tuple[float, str] | None, level: Level) -> None:
        self._reigns = [reign]
        self._coming = coming
        self.levels = [level]

    def change(self, change: Setting) -> None:
        """Bring it to the change, then let that work."""
        self._come_to(change.at)
        old = self.levels[-1]
        base = old.base if change.priority is None else change.priority
        value = old.value if change.value is None else change.value
        self.levels.append(Level(change.at, base, value))
        self._decide(change.at)

    def all_reigns(self) -> tuple[Reign, ...]:
        """With the one that is coming."""
        self._come_to(float("inf"))
        return tuple(self._reigns)

    def _come_to(self, at: float) -> None:
        if self._coming is not None and self._coming[0] <= at:
            when, who = self._coming
            # the master that was preempted says goodbye, as in the story; node-c at its last advert
            self._reigns.append(Reign(when, who, resigned=self._reigns[-1].master == STAND_IN))
            self._coming = None

    def _decide(self, at: float) -> None:
        priorities = {name: priority for name, (_address, priority) in NODES.items() if name != SELF}
        mine = self.levels[-1].effective
        if mine is not None:
            priorities[SELF] = mine
        best = max(priorities, key=lambda n: (priorities[n], ip_address(NODES[n][0])))
        wait = skew(priorities[best])
        master = self._reigns[-1].master
        if master == SELF and mine is None:
            self._reigns.append(Reign(at, None, resigned=True))
            self._coming = (at + wait, best)
        elif best == master:
            self._coming = None
        elif self._coming is None or self._coming[1] != best:
            self._coming = (at + wait + (0.0 if master is None else 3 * INTERVAL), best)
