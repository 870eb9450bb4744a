"""What an operator changed in the demo, and the effects: pure functions of time and changes.

The story no longer changes what an operator changed. After a change of priority or track file only the election moves
the VIPs; after a change of weight the story does not drain that real server. The health check still fails, and restores
the configured weight when it passes again, as keepalived does.
"""

from __future__ import annotations

import itertools
from math import floor
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.backend.demo import story
from kvtui.backend.demo.conf_text import initial_text
from kvtui.backend.demo.election import Mastership, PriorityChange, course
from kvtui.backend.demo.services import DRAINING, FAILING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.backend.demo.election import ElectionCourse
    from kvtui.model.ipvs import DestinationKey

SYSCTLS = {"conntrack": 1, "expire_nodest_conn": 0, "expire_quiescent_template": 0, "conn_reuse_mode": 1}
"""net.ipv4.vs.… of the demo node: Linux 6's defaults, which keepalived-vip does not change."""


class WeightChange(Struct, frozen=True):
    """A weight set in the kernel, and when (seconds of demo time)."""

    at: float
    target: DestinationKey
    weight: int


class DemoChanges(Struct, frozen=True):
    """All changes by an operator; times are seconds of demo time, negative before the demo.

    Attributes:
        saved: text of keepalived.conf on disk.
        run: the text that keepalived runs.
        priority_changes: of node-c's IPv4 VIPs, by time.
        weights: by time.
        sysctls: net.ipv4.vs.… by their last name.
    """

    saved: str = field(default_factory=initial_text)
    saved_at: float = -4020.0
    run: str = field(default_factory=initial_text)
    reloads: int = 0
    reloaded: tuple[float, ...] = ()
    priority_changes: tuple[PriorityChange, ...] = ()
    weights: tuple[WeightChange, ...] = ()
    sysctls: Mapping[str, int] = field(default_factory=lambda: dict(SYSCTLS))

    def story_decides(self, t: float) -> bool:
        """Whether the election at ``t`` is still the story's."""
        return not self.priority_changes or t < self.priority_changes[0].at

    def set(self, at: float, *, priority: int | None = None, value: int | None = None) -> DemoChanges:
        return replace(self, priority_changes=(*self.priority_changes, PriorityChange(at, priority, value)))

    def set_weight(self, at: float, target: DestinationKey, weight: int) -> DemoChanges:
        return replace(self, weights=(*self.weights, WeightChange(at, target, weight)))


NO_CHANGES = DemoChanges()


class ElectionState(Struct, frozen=True):
    """node-c in the election of its IPv4 VIPs at one moment; times are seconds of demo time.

    Attributes:
        master: name of the node that advertises; None for a moment without one.
        value: number in the track file.
        effective: after the track file; None in FAULT.
        mastered: seconds that node-c was master, those before the demo included.
        zeroes: adverts of priority 0 that it received.
        own: its last advert: when and with which priority; ``other``: node-b's.
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
        return self.master == story.SELF


def election_state(t: float, changes: DemoChanges = NO_CHANGES) -> ElectionState:
    return _story_state(t) if changes.story_decides(t) else _elected_state(t, course(changes.priority_changes))


def _story_state(t: float) -> ElectionState:
    now = story.scene(t)
    start, tick = t - now.at, float(floor(t))
    base, other = story.NODES[story.SELF][1], story.NODES[story.STAND_IN][1]
    own_at = tick if now.master == story.SELF else start + story.MOVED - 0.2
    lowered_then = story.LOWERED <= own_at % story.CYCLE < story.RAISED
    last_left = (start if now.at >= story.LEFT else start - story.CYCLE) + story.LEFT
    return ElectionState(
        master=now.master,
        since=now.since,
        base=base,
        value=-int(now.lowered),
        effective=base - story.WEIGHT if now.lowered else base,
        mastered=story.running(t, (story.MOVED, story.BACK)) + 4000,
        lost=int(t // story.CYCLE) + (now.at >= story.MOVED) + story.EARLIER,
        zeroes=int(t // story.CYCLE) + (now.at >= story.LEFT) + story.EARLIER,
        own=(own_at, base - story.WEIGHT if lowered_then else base),
        other=(tick, other) if now.master == story.STAND_IN else (last_left, 0),
    )


def _elected_state(t: float, after: ElectionCourse) -> ElectionState:
    before = _story_state(after.began)
    masterships = after.masterships_until(t)
    level = after.level(t)
    *earlier, last = itertools.pairwise([*masterships, Mastership(t, None)])
    mastered = sum(b.at - max(a.at, after.began) for a, b in (*earlier, last) if a.master == story.SELF)
    return ElectionState(
        master=masterships[-1].master,
        since=masterships[-1].at,
        base=level.base,
        value=level.value,
        effective=level.effective,
        mastered=before.mastered + mastered,
        lost=before.lost + sum(a.master == story.SELF for a, _ in earlier),
        zeroes=before.zeroes + sum(a.master == story.STAND_IN and b.resigned for a, b in earlier),
        own=_last_advert(t, after, story.SELF) or before.own,
        other=_last_advert(t, after, story.STAND_IN) or before.other,
    )


def _last_advert(t: float, after: ElectionCourse, node: str) -> tuple[float, int] | None:
    """Returns time and priority: a master advertises at once, each full second, and with 0 when it resigns."""
    spans = itertools.pairwise([*after.masterships_until(t), Mastership(t, None)])
    for mastership, following in reversed(list(spans)):
        if mastership.master == node:
            if following.resigned:
                return (following.at, 0)
            at = max(mastership.at, float(floor(following.at)))
            mine = after.level(max(at, after.began)).effective or 0
            return (at, mine if node == story.SELF else story.NODES[node][1])
    return None


def moves(changes: DemoChanges) -> tuple[float, ...]:
    """Returns when the mastership moves because of the changes."""
    return tuple(r.at for r in course(changes.priority_changes).masterships) if changes.priority_changes else ()


def advert_transitions(t: float, changes: DemoChanges = NO_CHANGES) -> tuple[tuple[float, str], ...]:
    """Returns the transitions in adverts until ``t``, oldest first."""
    if changes.story_decides(t):
        return story.transitions(t)
    after = course(changes.priority_changes)
    own = story.NODES[story.SELF][0]
    found = list(story.transitions(after.began))
    for old, new in itertools.pairwise(after.levels):
        master = after.masterships_until(new.at)[-1].master
        if master == story.SELF and old.effective and new.effective and old.effective != new.effective:
            found.append((float(floor(new.at) + 1), f"{own} changed priority {old.effective} → {new.effective}"))
    previous: str | None = None
    for last, mastership in itertools.pairwise(after.masterships):
        was = None if last.master is None else story.NODES[last.master][0]
        if mastership.resigned:
            found.append((mastership.at, f"{was} stepped down (priority 0)"))
        if mastership.master is not None:
            found.append((mastership.at, f"{was or previous} → {story.NODES[mastership.master][0]} is master"))
        previous = was or previous
    return tuple(sorted((one for one in found if one[0] <= t), key=lambda one: one[0]))


def weight(t: float, target: DestinationKey, changes: DemoChanges = NO_CHANGES) -> tuple[int, float]:
    """Returns the weight of a real server in the kernel, and since when (seconds of demo time)."""
    ours = _operator_weight(t, target, changes)
    if ours is not None:
        return ours.weight, ours.at
    now = story.scene(t)
    if target[1] == DRAINING and now.drained:
        return 0, t - now.at + story.DRAINED
    return 1, 0.0


def _operator_weight(t: float, target: DestinationKey, changes: DemoChanges) -> WeightChange | None:
    """Returns what an operator set, unless a health check restored the configured weight since."""
    found = next((w for w in reversed(changes.weights) if w.target == target and w.at <= t), None)
    return None if found is None or t >= _restored_at(found) else found


def _restored_at(change: WeightChange) -> float:
    if change.target[1] != FAILING:
        return float("inf")
    return story.PASSES + story.CYCLE * (floor((change.at - story.PASSES) / story.CYCLE) + 1)


def flowed(t: float, target: DestinationKey, changes: DemoChanges = NO_CHANGES) -> float:
    """Returns the seconds until ``t`` in which new connections reached a real server on this node."""
    mine = [w for w in changes.weights if w.target == target]
    edges = {*moves(changes), *(w.at for w in mine), *map(_restored_at, mine)}
    edges.update(c.at for c in changes.priority_changes[:1])
    bounds = [0.0, *sorted(edge for edge in edges if 0.0 < edge < t), t]
    total = 0.0
    for begin, end in itertools.pairwise(bounds):
        stops = [(story.FAILS, story.PASSES)] if target[1] == FAILING else []
        if changes.story_decides(begin):
            stops.append((story.MOVED, story.BACK))
        elif not election_state(begin, changes).holds:
            continue
        ours = _operator_weight(begin, target, changes)
        if ours is None and target[1] == DRAINING:
            stops.append((story.DRAINED, story.UNDRAINED))
        if ours is None or ours.weight > 0:
            total += story.running(end, *stops) - story.running(begin, *stops)
    return total


def flows(t: float, target: DestinationKey, changes: DemoChanges = NO_CHANGES) -> bool:
    alive = not (target[1] == FAILING and story.scene(t).check_fails)
    return election_state(t, changes).holds and alive and weight(t, target, changes)[0] > 0
