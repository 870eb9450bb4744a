"""Runs all rules on an observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.rules.ipvsadm import inside
from kvtui.rules.triage import (
    addresses,
    conf,
    conf_servers,
    contradictions,
    drift,
    endpoints,
    faults,
    kubernetes,
    mappings,
    masters,
    persistence,
    processes,
    reachability,
    reals,
    rejections,
    sources,
    sysctls,
    tracks,
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
    *faults.RULES,
    *wire.RULES,
    *rejections.RULES,
    *contradictions.RULES,
    *tracks.RULES,
    *reachability.RULES,
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


NETWORK_COMMANDS = ("ip ", "ipvsadm ", "nc ", "nft ", "sysctl ", "tcpdump ")
"""Commands that act on a network namespace."""


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
            problem = PendingFinding(_typed_here(finding, observation), rule.after)
            pending.setdefault(problem.condition, problem)
    return tuple(pending.values())


def _typed_here(finding: Finding, observation: Observation) -> Finding:
    """Returns the finding with the commands of its remedy entering keepalived's network namespace, if it is another."""
    chosen = observation.snapshot.chosen_keepalived
    commands, mark, comment = finding.remedy.partition("  # ")
    typed = [inside(c, chosen) if c.startswith(NETWORK_COMMANDS) else c for c in commands.split("; ")]
    return replace(finding, remedy="; ".join(typed) + mark + comment)


def confirmed(pending: tuple[PendingFinding, ...], history: ConditionHistory, now: float) -> tuple[Finding, ...]:
    """Returns the findings that have persisted long enough, worst first; ``history`` has recorded ``pending``."""
    findings = [p.finding for p in pending if history.held(p.condition, now) >= p.after]
    return tuple(sorted(findings, key=lambda f: f.severity.rank))
