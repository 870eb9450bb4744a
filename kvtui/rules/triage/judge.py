"""An observation and its past → findings, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.record import dataclass
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
    from kvtui.rules.past import Past
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


@dataclass(frozen=True, slots=True)
class Suspect:
    """What a rule found in one observation, and for how long it must hold to be told (seconds)."""

    finding: Finding
    after: float

    @property
    def condition(self) -> tuple[str, str]:
        """What ``Past`` knows it by."""
        return (self.finding.id, self.finding.object)


def suspects(seen: Observation, past: Past) -> tuple[Suspect, ...]:
    """Everything that holds now, in the order of the rules, each rule and object once."""
    found: dict[tuple[str, str], Suspect] = {}
    for rule in RULES:
        for finding in rule.find(seen, past):
            suspect = Suspect(finding, rule.after)
            found.setdefault(suspect.condition, suspect)
    return tuple(found.values())


def lasting(suspected: tuple[Suspect, ...], past: Past, now: float) -> tuple[Finding, ...]:
    """Those that have held for long enough, worst first; stable.

    Args:
        suspected: of the observation that ``past`` has taken in last.
        past: since when each holds.
        now: time of that observation (seconds since the epoch).
    """
    told = [s.finding for s in suspected if past.held(s.condition, now) >= s.after]
    return tuple(sorted(told, key=lambda f: f.severity.rank))


def triage(seen: Observation, past: Past) -> tuple[Finding, ...]:
    """The findings of one observation, worst first.

    Args:
        seen: what the rules look at.
        past: since when each condition holds; whoever keeps it has folded the ``suspects`` of ``seen`` into it.
    """
    return lasting(suspects(seen, past), past, seen.snapshot.time)
