"""A finding of triage: a problem, its evidence and its remedy."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How severe a finding is."""

    CRITICAL = "critical"
    """Clients fail now, or will fail at the next event."""
    WARNING = "warning"
    """Something is wrong, but clients are still served."""
    INFO = "info"
    """No problem; the operator should know it."""

    @property
    def rank(self) -> int:
        """0 for critical; sorts worst first."""
        return ("critical", "warning", "info").index(self.value)


class Finding(Struct, frozen=True):
    """One finding.

    Attributes:
        id: kebab-case name that never changes, such as ``two-masters``.
        title: one short sentence that names the object.
        evidence: one sentence per fact, with numbers and the source in parentheses.
        object: a VIP, an instance, ``VIP:PORT -> REAL:PORT``, a ConfigMap key.
        vips: affected VIPs; their rows show a mark.
    """

    id: str
    severity: Severity
    title: str
    evidence: tuple[str, ...]
    remedy: str
    object: str
    vips: tuple[str, ...] = ()

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
