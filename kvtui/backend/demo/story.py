"""What happens on the demo cluster: a pure function of its time, so that every run tells the same story.

The tutorial's cluster: nodes 10.4.0.3, .4 and .5, one ``vrrp_instance vips``. node-a is seen; node-c, the best one,
is master. Every two minutes it is lost for half a minute and node-b stands in; in between a health check fails.
"""

from __future__ import annotations

from dataclasses import dataclass

CYCLE = 120.0
LOST, BACK = 60.0, 90.0
"""Seconds into the cycle at which node-c is lost, and at which it is back."""
FAILS, PASSES = 25.0, 45.0
"""Seconds into the cycle at which the health check of one real server fails, and passes again."""
TAKEOVER = 3.6
"""Seconds that node-b waits for node-c (3 adverts and its skew, RFC 5798)."""
RETURN = 0.6

NODES = {"node-a": ("10.4.0.3", 100), "node-b": ("10.4.0.4", 101), "node-c": ("10.4.0.5", 102)}


@dataclass(frozen=True, slots=True)
class Scene:
    """The cluster at one moment.

    Attributes:
        master: name of the node that advertises; None while nobody does.
        since: when that began (seconds of demo time).
        check_fails: whether the health check of the one real server fails.
    """

    master: str | None
    since: float
    check_fails: bool


def scene(t: float) -> Scene:
    """The cluster after ``t`` seconds."""
    start = t - t % CYCLE
    at = t - start
    fails = FAILS <= at < PASSES
    if at < LOST:
        came = start - CYCLE + BACK + RETURN if start else -3600.0
        return Scene("node-c", came, fails)
    if at < LOST + TAKEOVER:
        return Scene(None, start + LOST, fails)
    if at < BACK + RETURN:
        return Scene("node-b", start + LOST + TAKEOVER, fails)
    return Scene("node-c", start + BACK + RETURN, fails)


def transitions(t: float) -> tuple[tuple[float, str], ...]:
    """What was seen on the wire until ``t``, oldest first: (seconds, sentence); at most the last six cycles."""
    found: list[tuple[float, str]] = []
    first = max(0, int(t // CYCLE) - 5)
    for number in range(first, int(t // CYCLE) + 1):
        start = number * CYCLE
        found += [
            (start + LOST + TAKEOVER, "10.4.0.5 → 10.4.0.4 is master"),
            (start + BACK + RETURN, "10.4.0.4 → 10.4.0.5 is master"),
        ]
    return tuple((at, what) for at, what in found if at <= t)
