"""Runs all rules on an observation."""

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
    from kvtui.rules.triage.rule import ConditionHistory, Rule

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
"""All rules. Findings of equal severity are listed in this order."""


class PendingFinding(Struct, frozen=True):
    """A problem in one observation, reported once it has persisted for ``after`` seconds."""

    finding: Finding
    after: float

    @property
    def condition(self) -> tuple[str, str]:
        return (self.finding.id, self.finding.object)


def pending_findings(observation: Observation) -> tuple[PendingFinding, ...]:
    """Returns all current problems in the order of the rules, one per id and object."""
    pending: dict[tuple[str, str], PendingFinding] = {}
    for rule in RULES:
        for finding in rule.find(observation):
            problem = PendingFinding(finding, rule.after)
            pending.setdefault(problem.condition, problem)
    return tuple(pending.values())


def confirmed(pending: tuple[PendingFinding, ...], history: ConditionHistory, now: float) -> tuple[Finding, ...]:
    """Returns the findings that have persisted long enough, worst first; ``history`` has recorded ``pending``."""
    findings = [p.finding for p in pending if history.held(p.condition, now) >= p.after]
    return tuple(sorted(findings, key=lambda f: f.severity.rank))
