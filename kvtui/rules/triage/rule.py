"""Triage rules, and how long their problems must persist."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from kvtui.model.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from kvtui.model.observation import Observation

Findings: TypeAlias = "Iterator[Finding]"
TRANSIENT_SECONDS = 2.0
"""Seconds that an election, a health check or a restart takes: one or two adverts, a dump, the start of a child."""
ROLLOUT_SECONDS = 3.0
"""Seconds until a change reaches every node: keepalived-vip syncs at most every 2 s, then reloads."""


class Rule(Struct, frozen=True):
    """A condition that is a problem.

    Attributes:
        find: returns the problems in one observation; pure. Its docstring is their condition in docs/findings.md.
        after: seconds that a problem must persist to be reported; 0 for problems that an election, a reload or a
            flapping check does not cause.
    """

    find: Callable[[Observation], Findings]
    after: float = 0.0


def finding(
    ident: str, severity: Severity, title: str, *evidence: str, remedy: str, about: str, vips: Iterable[str | None] = ()
) -> Finding:
    """Returns a finding about an object; each VIP counts once, and None is no VIP."""
    return Finding(ident, severity, title, evidence, remedy, about, tuple(dict.fromkeys(v for v in vips if v)))


class ConditionHistory(Struct):
    """Since when each condition holds without interruption, by the clock of the snapshots (seconds since the epoch)."""

    since: dict[Hashable, float] = field(default_factory=dict)

    def fold(self, time: float, holding: frozenset[Hashable]) -> None:
        """Records the conditions that hold at ``time`` and forgets all others."""
        self.since = {c: self.since.get(c, time) for c in holding}

    def held(self, condition: Hashable, now: float) -> float:
        return max(0.0, now - self.since.get(condition, now))
