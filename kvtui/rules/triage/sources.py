"""Sources whose data grew old: what they said last may not be so any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.model.units import ago
from kvtui.rules.triage.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory

OLDEST = {SourceName.VRRP: 120.0, SourceName.KUBERNETES: 60.0}
"""Seconds: keepalived is asked every 30 s at least (each question is a line in its log); a watch is renewed sooner."""
OTHERS = 30.0
AHEAD = 5.0
"""Seconds by which a reading may be later than the snapshot that holds it before the clock must have been set back."""
WHAT = {
    SourceName.KEEPALIVED: "ps -C keepalived",
    SourceName.CONF: "kvtui status  # says why the config cannot be read",
    SourceName.VRRP: "kvtui vrrp  # without --read-only, as root: keepalived is asked by a signal",
    SourceName.KUBERNETES: "kubectl get --raw /readyz",
}


def stale(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Shown all the same, with its age; but nothing should be concluded from it."""
    now = seen.snapshot.time
    for source in seen.snapshot.sources:
        age = source.age(now)
        limit = OLDEST.get(source.name, OTHERS)
        if age is None or age <= limit or source.state is SourceState.UNAVAILABLE:
            continue
        yield Finding(
            "source-stale",
            Severity.WARNING,
            f"What {source.name.value} says is {ago(age)} old",
            (
                f"read {ago(age)} ago, {limit:.0f} s are expected at most ({source.name.value})",
                *((source.detail,) if source.detail else ()),
            ),
            WHAT.get(source.name, "kvtui status"),
            source.name.value,
        )


def clock_set_back(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Ages and "since" are wrong until everything was read again."""
    now = seen.snapshot.time
    ahead = [s for s in seen.snapshot.sources if s.read_at is not None and s.read_at - now > AHEAD]
    if ahead:
        far = max((s.read_at or 0.0) - now for s in ahead)
        yield Finding(
            "clock-set-back",
            Severity.INFO,
            f"The clock of {seen.snapshot.node.name} was set back by {ago(far)}: ages are wrong for a while",
            tuple(f"{s.name.value} was read {ago((s.read_at or 0.0) - now)} in the future" for s in ahead),
            "timedatectl  # or chronyc tracking",
            seen.snapshot.node.name,
        )


RULES = (Rule(stale), Rule(clock_set_back))
