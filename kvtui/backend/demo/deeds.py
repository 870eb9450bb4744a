"""What an operator did to the demo, and what the demo's story becomes by it: pure functions of time and deeds.

The rule: the story leaves alone what an operator has touched. Once they set a priority or the track file, the election
alone moves the VIPs; once they set a weight, that real server is not drained by the story any more. The health check
goes on failing, though, and gives the configured weight back when it passes again, as keepalived does.
"""

from __future__ import annotations

import itertools
from math import floor
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.backend.demo.conf_text import initial_text
from kvtui.backend.demo.election import Setting, course
from kvtui.backend.demo.services import DRAINING, FAILING
from kvtui.backend.demo.story import (
    BACK,
    CYCLE,
    DRAINED,
    EARLIER,
    FAILS,
    LEFT,
    LOWERED,
    MOVED,
    NODES,
    PASSES,
    RAISED,
    SELF,
    STAND_IN,
    UNDRAINED,
    WEIGHT,
    running,
    scene,
    transitions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.backend.demo.election import Course
    from kvtui.backend.demo.services import Target

SYSCTLS = {"conntrack": 1, "expire_nodest_conn": 0, "expire_quiescent_template": 0, "conn_reuse_mode": 1}
"""net.ipv4.vs.… of the demo node, as Linux 6 has them and keepalived-vip leaves them."""


class Weighted(Struct, frozen=True):
    """A weight that was set in the kernel, and when (seconds of demo time)."""

    at: float
    target: Target
    weight: int


class Deeds(Struct, frozen=True):
    """All that was done.

    Attributes:
        saved: text of keepalived.conf on disk.
        saved_at: when it was written (seconds of demo time; negative: before the demo).
        run: the text that keepalived runs.
        reloads: how often it was told to read it; ``reloaded``: when (seconds of demo time).
        settings: of node-c's IPv4 VIPs, by time.
        weights: by time.
        sysctls: net.ipv4.vs.… by their last name.
    """

    saved: str = field(default_factory=initial_text)
    saved_at: float = -4020.0
    run: str = field(default_factory=initial_text)
    reloads: int = 0
    reloaded: tuple[float, ...] = ()
    settings: tuple[Setting, ...] = ()
    weights: tuple[Weighted, ...] = ()
    sysctls: Mapping[str, int] = field(default_factory=lambda: dict(SYSCTLS))

    def set(self, at: float, *, priority: int | None = None, value: int | None = None) -> Deeds:
        """With another priority or track file."""
        return replace(self, settings=(*self.settings, Setting(at, priority, value)))

    def weigh(self, at: float, target: Target, weight: int) -> Deeds:
        """With another weight in the kernel."""
        return replace(self, weights=(*self.weights, Weighted(at, target, weight)))


NONE = Deeds()
"""Nothing was done."""


class Standing(Struct, frozen=True):
    """node-c in the election of its IPv4 VIPs at one moment; times are seconds of demo time.

    Attributes:
        master: name of the node that advertises; None for a moment without one.
        since: when that began.
        base: priority that keepalived runs.
        value: number in the track file.
        effective: after the track file; None in FAULT.
        mastered: seconds that node-c was master, those before the demo included.
        lost: how often it ceased to be.
        zeroes: adverts of priority 0 that it heard.
        own: its last advert: when and with which priority.
        other: the same of node-b.
    """

    master: str | None
    since: float
    base: int
    value: int
    effective: int | None
    mastered: float
    lost: int
    zeroes: int
    own: tuple[float, int]
    other: tuple[float, int]

    @property
    def holds(self) -> bool:
        """This node holds the IPv4 VIPs."""
        return self.master == SELF


def standing(t: float, deeds: Deeds = NONE) -> Standing:
    """The election after ``t`` seconds."""
    return _told(t) if not deeds.settings or t < deeds.settings[0].at else _run(t, course(deeds.settings))


def _told(t: float) -> Standing:
    """As the story has it."""
    now = scene(t)
    start, tick = t - now.at, float(floor(t))
    base, other = NODES[SELF][1], NODES[STAND_IN][1]
    own_at = tick if now.holds else start + MOVED - 0.2
    lowered_then = LOWERED <= own_at % CYCLE < RAISED
    last_left = (start if now.at >= LEFT else start - CYCLE) + LEFT
    return Standing(
        master=now.master,
        since=now.since,
        base=base,
        value=-int(now.lowered),
        effective=base - WEIGHT if now.lowered else base,
        mastered=running(t, (MOVED, BACK)) + 4000,
        lost=int(t // CYCLE) + (now.at >= MOVED) + EARLIER,
        zeroes=int(t // CYCLE) + (now.at >= LEFT) + EARLIER,
        own=(own_at, base - WEIGHT if lowered_then else base),
        other=(tick, other) if now.master == STAND_IN else (last_left, 0),
    )


def _run(t: float, after: Course) -> Standing:
    """As the election has it."""
    before = _told(after.began)
    reigns = after.reigns_until(t)
    level = after.level(t)
    ends = [*(r.at for r in reigns[1:]), t]
    mastered = sum(
        end - max(reign.at, after.began) for reign, end in zip(reigns, ends, strict=True) if reign.master == SELF
    )
    pairs = list(itertools.pairwise(reigns))
    return Standing(
        master=reigns[-1].master,
        since=reigns[-1].at,
        base=level.base,
        value=level.value,
        effective=level.effective,
        mastered=before.mastered + mastered,
        lost=before.lost + sum(a.master == SELF for a, _ in pairs),
        zeroes=before.zeroes + sum(a.master == STAND_IN and b.resigned for a, b in pairs),
        own=_last_advert(t, after, SELF) or before.own,
        other=_last_advert(t, after, STAND_IN) or before.other,
    )


def _last_advert(t: float, after: Course, node: str) -> tuple[float, int] | None:
    """A master advertises when it becomes one, and at every full second; one that resigns, once more with 0."""
    reigns = after.reigns_until(t)
    for index in range(len(reigns) - 1, -1, -1):
        if reigns[index].master != node:
            continue
        following = reigns[index + 1] if index + 1 < len(reigns) else None
        if following is not None and following.resigned:
            return (following.at, 0)
        end = t if following is None else following.at
        at = max(reigns[index].at, float(floor(end)))
        mine = after.level(max(at, after.began)).effective or 0
        return (at, mine if node == SELF else NODES[node][1])
    return None


def moves(deeds: Deeds) -> tuple[float, ...]:
    """When mastership changes by what was done."""
    return tuple(r.at for r in course(deeds.settings).reigns) if deeds.settings else ()


def told(t: float, deeds: Deeds = NONE) -> tuple[tuple[float, str], ...]:
    """What was seen on the wire until ``t``, oldest first."""
    if not deeds.settings or t < deeds.settings[0].at:
        return transitions(t)
    after = course(deeds.settings)
    own = NODES[SELF][0]
    found = list(transitions(after.began))
    for old, new in zip(after.levels, after.levels[1:], strict=False):
        master = next(r.master for r in reversed(after.reigns) if r.at <= new.at)
        if master == SELF and old.effective and new.effective and old.effective != new.effective:
            found.append(
                (max(new.at, float(floor(new.at) + 1)), f"{own} changed priority {old.effective} → {new.effective}")
            )
    previous: str | None = None
    for old_reign, reign in zip(after.reigns, after.reigns[1:], strict=False):
        was = None if old_reign.master is None else NODES[old_reign.master][0]
        if reign.resigned:
            found.append((reign.at, f"{was} stepped down (priority 0)"))
        if reign.master is not None:
            found.append((reign.at, f"{was or previous} → {NODES[reign.master][0]} is master"))
        previous = was or previous
    return tuple(sorted((one for one in found if one[0] <= t), key=lambda one: one[0]))


# --- real servers


def weight(t: float, target: Target, deeds: Deeds = NONE) -> tuple[int, float]:
    """The weight of a real server in the kernel, and since when it has it (seconds of demo time)."""
    ours = _set(t, target, deeds)
    if ours is not None:
        return ours.weight, ours.at
    now = scene(t)
    if target[1] == DRAINING and now.drained:
        return 0, t - now.at + DRAINED
    return 1, 0.0


def _set(t: float, target: Target, deeds: Deeds) -> Weighted | None:
    """What an operator set, unless a health check that passed again gave the configured weight back since."""
    found = next((w for w in reversed(deeds.weights) if w.target == target and w.at <= t), None)
    return None if found is None or t >= _given_back(found) else found


def _given_back(weighted: Weighted) -> float:
    """When the health check of its real server passes next."""
    if weighted.target[1] != FAILING:
        return float("inf")
    return PASSES + CYCLE * (floor((weighted.at - PASSES) / CYCLE) + 1)


def flowed(t: float, target: Target, deeds: Deeds = NONE) -> float:
    """Seconds until ``t`` in which new connections reached a real server here, without those before the demo."""
    mine = [w for w in deeds.weights if w.target == target]
    edges = {*moves(deeds), *(s.at for s in deeds.settings[:1]), *(w.at for w in mine), *map(_given_back, mine)}
    bounds = [0.0, *sorted(edge for edge in edges if 0.0 < edge < t), t]
    total = 0.0
    for begin, end in itertools.pairwise(bounds):
        stops = [(FAILS, PASSES)] if target[1] == FAILING else []
        if not deeds.settings or begin < deeds.settings[0].at:
            stops.append((MOVED, BACK))
        elif not standing(begin, deeds).holds:
            continue
        ours = _set(begin, target, deeds)
        if ours is None and target[1] == DRAINING:
            stops.append((DRAINED, UNDRAINED))
        if ours is None or ours.weight > 0:
            total += running(end, *stops) - running(begin, *stops)
    return total


def flows(t: float, target: Target, deeds: Deeds = NONE) -> bool:
    """Whether new connections reach a real server here now."""
    alive = not (target[1] == FAILING and scene(t).check_fails)
    return standing(t, deeds).holds and alive and weight(t, target, deeds)[0] > 0
