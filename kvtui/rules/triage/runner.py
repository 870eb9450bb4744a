"""An observation and its past → findings, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.rules.triage import (
    addresses,
    conf,
    conf_servers,
    drift,
    endpoints,
    kubernetes,
    mappings,
    masters,
    persistence,
    processes,
    reals,
    sources,
    sysctls,
    versions,
    virtuals,
    wire,
)

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory
    from kvtui.rules.triage.rule import Rule

RULES: tuple[Rule, ...] = (
    *processes.RULES,
    *masters.RULES,
    *wire.RULES,
    *addresses.RULES,
    *virtuals.RULES,
    *reals.RULES,
    *endpoints.RULES,
    *mappings.RULES,
    *kubernetes.RULES,
    *conf.RULES,
    *conf_servers.RULES,
    *drift.RULES,
    *persistence.RULES,
    *sysctls.RULES,
    *versions.RULES,
    *sources.RULES,
)
"""Every rule. Among findings of one severity those of an earlier rule come first."""


class PendingFinding(Struct, frozen=True):
    """What a rule found in one observation, and for how long it must hold to be told (seconds)."""

    finding: Finding
    after: float

    @property
    def condition(self) -> tuple[str, str]:
        """What ``ConditionHistory`` knows it by."""
        return (self.finding.id, self.finding.object)


def pending_findings(seen: Observation, history: ConditionHistory) -> tuple[PendingFinding, ...]:
    """Everything that holds now, in the order of the rules, each rule and object once."""
    found: dict[tuple[str, str], PendingFinding] = {}
    for rule in RULES:
        for finding in rule.find(seen, history):
            suspect = PendingFinding(finding, rule.after)
            found.setdefault(suspect.condition, suspect)
    return tuple(found.values())


def confirmed(pending: tuple[PendingFinding, ...], history: ConditionHistory, now: float) -> tuple[Finding, ...]:
    """Those that have held for long enough, worst first; stable.

    Args:
        pending: of the observation that ``past`` has taken in last.
        history: since when each holds.
        now: time of that observation (seconds since the epoch).
    """
    told = [s.finding for s in pending if history.held(s.condition, now) >= s.after]
    return tuple(sorted(told, key=lambda f: f.severity.rank))


def triage(seen: Observation, history: ConditionHistory) -> tuple[Finding, ...]:
    """The findings of one observation, worst first.

    Args:
        seen: what the rules look at.
        history: since when each condition holds; the caller has folded the ``pending_findings`` of ``seen`` into it.
    """
    return confirmed(pending_findings(seen, history), history, seen.snapshot.time)
