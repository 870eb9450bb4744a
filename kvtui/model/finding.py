"""A finding of triage: something is wrong, how it is known, and the command that helps."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How bad it is."""

    CRITICAL = "critical"
    """Clients fail now, or will at the next event."""
    WARNING = "warning"
    """Something is not as it should be; clients are served so far."""
    INFO = "info"
    """Worth knowing."""

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return ("critical", "warning", "info").index(self.value)


class Finding(Struct, frozen=True):
    """One finding.

    Attributes:
        id: stable kebab-case name of the rule, such as ``two-masters``.
        severity: how bad.
        title: one short sentence that names the object.
        evidence: what was seen, a sentence each, with numbers and sources.
        remedy: the command to type, or what to do.
        object: what it is about: a VIP, an instance, ``VIP:PORT -> REAL:PORT``, a ConfigMap key.
        vips: the VIPs that it touches, for the badge on their rows.
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
        """The remedy without the remark after it: not every shell takes a ``#`` for one."""
        return self.remedy.partition("  # ")[0]


def worst(findings: tuple[Finding, ...] | None) -> dict[str, Severity]:
    """VIP → the severity of the worst finding that touches it, for the mark on its row."""
    found: dict[str, Severity] = {}
    for finding in sorted(findings or (), key=lambda f: f.severity.rank):
        for vip in finding.vips:
            found.setdefault(vip, finding.severity)
    return found


MARKS = {Severity.CRITICAL: "!!", Severity.WARNING: "!", Severity.INFO: ""}
"""How a severity is marked where there is no room for the word."""
