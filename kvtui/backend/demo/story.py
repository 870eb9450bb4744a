"""What happens on the demo cluster without an operator: a pure function of time, the same in every run.

The tutorial's cluster: nodes 10.4.0.3, .4 and .5. kvtui runs on node-c, whose priority for the IPv4 VIPs is highest.
Every two minutes a track file lowers its priority for a while, node-b takes over, and then hands back; a health check
fails and passes again; a real server is drained and comes back.
"""

from __future__ import annotations

from msgspec import Struct

CYCLE = 120.0
FAILS, PASSES = 20.0, 40.0
"""Seconds into the cycle when the health check of one real server fails, and passes again."""
LOWERED, RAISED = 60.0, 82.0
"""A track file lowers node-c's priority by 50, and raises it again."""
TAKEOVER = 3.6
"""Seconds that node-b needs (3 adverts and its skew, RFC 5798); node-c keeps the VIPs until then."""
MOVED = LOWERED + TAKEOVER
LEFT = 85.0
"""node-b steps down (priority 0)."""
RETURN = 0.6
"""Seconds until node-c takes over after that: its skew."""
BACK = LEFT + RETURN
DRAINED, UNDRAINED = 95.0, 115.0
"""One real server is drained, and undrained."""
EARLIER = 3
"""Cycles before the demo's start that are in the timeline."""

SELF, STAND_IN = "node-c", "node-b"
NODES = {"node-a": ("10.4.0.3", 100), STAND_IN: ("10.4.0.4", 101), SELF: ("10.4.0.5", 102)}
WEIGHT = 50
"""Of the track file."""


class Scene(Struct, frozen=True):
    """The cluster ``at`` seconds into the cycle; ``master`` is None for the moment after node-b stepped down."""

    at: float
    master: str | None
    since: float
    lowered: bool
    check_fails: bool
    drained: bool


def scene(t: float) -> Scene:
    at = t % CYCLE
    start = t - at
    master: str | None
    if at < MOVED:
        master, since = SELF, start - CYCLE + BACK
    elif at < LEFT:
        master, since = STAND_IN, start + MOVED
    elif at < BACK:
        master, since = None, start + LEFT
    else:
        master, since = SELF, start + BACK
    return Scene(at, master, since, LOWERED <= at < RAISED, FAILS <= at < PASSES, DRAINED <= at < UNDRAINED)


def running(t: float, *stops: tuple[float, float]) -> float:
    """Returns ``t`` minus the given stops in each cycle."""
    cycles, at = divmod(t, CYCLE)
    stopped = sum(end - begin for begin, end in stops)
    return cycles * (CYCLE - stopped) + at - sum(min(max(at - begin, 0.0), end - begin) for begin, end in stops)


def transitions(t: float) -> tuple[tuple[float, str], ...]:
    """Returns the transitions in adverts until ``t``, oldest first: (seconds, sentence)."""
    other, (own, best) = NODES[STAND_IN][0], NODES[SELF]
    now = int(t // CYCLE)
    found: list[tuple[float, str]] = []
    for number in range(now - EARLIER, now + 1):
        start = number * CYCLE
        found += [
            (start + LOWERED + 0.5, f"{own} changed priority {best} → {best - WEIGHT}"),
            (start + MOVED, f"{own} → {other} is master"),
            (start + LEFT, f"{other} stepped down (priority 0)"),
            (start + BACK, f"{other} → {own} is master"),
        ]
    return tuple((at, what) for at, what in found if at <= t)
