"""A finding of triage: a problem, its evidence and its remedy."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How severe a finding is."""

    CRITICAL = "critical"  # clients fail now, or will fail at the next event
    WARNING = "warning"  # something is wrong, but clients are still served
    INFO = "info"  # no problem; the operator should know it

    @property
    def rank(self) -> int:
        """Sorts worst first."""
        return ("critical", "warning", "info").index(self.value)


class Finding(Struct, frozen=True):
    id: str  # kebab-case name that never changes, such as `two-masters`
    severity: Severity
    title: str  # one short sentence that names the object
    evidence: tuple[str, ...]  # one sentence per fact, with numbers and the source in parentheses
    remedy: str
    object: str  # a VIP, an instance, `VIP:PORT -> REAL:PORT`, a ConfigMap key
    vips: tuple[str, ...] = ()  # affected VIPs; their rows show a mark

    @property
    def command(self) -> str:
        """The remedy without its comment: some interactive shells do not accept ``#``."""
        return self.remedy.partition("  # ")[0]


def worst(findings: tuple[Finding, ...] | None) -> dict[str, Severity]:
    severities: dict[str, Severity] = {}
    for finding in sorted(findings or (), key=lambda f: f.severity.rank):
        for vip in finding.vips:
            severities.setdefault(vip, finding.severity)
    return severities


MARKS = {Severity.CRITICAL: "!!", Severity.WARNING: "!", Severity.INFO: ""}
"""Short forms for narrow columns."""
