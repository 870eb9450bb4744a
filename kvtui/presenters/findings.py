"""Findings: rows and sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.presenters.cells import SEVERITY_TONES, Cell, Tone
from kvtui.presenters.wrapping import hanging
from kvtui.rules.triage.missing_sources import missing_sources

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation

NO_PROBLEMS = "No problems found"


def empty_text(observation: Observation) -> str:
    if observation.findings is None:
        return "Triage has not run yet."
    if missing := missing_names(observation):
        return f"{NO_PROBLEMS} in the sources that can be read; unknown: {', '.join(missing)}."
    return f"{NO_PROBLEMS}.\n\nTransient states during an election or reload are reported only if they persist."


def summary(findings: tuple[Finding, ...], missing: tuple[str, ...] = ()) -> str:
    """Returns ``1 critical, 2 warnings``, and the sources that could not be read."""
    numbers = Counter(f.severity for f in findings)
    parts = [f"{n} {_plural(severity, n)}" for severity in Severity if (n := numbers[severity])]
    if not missing:
        return ", ".join(parts) or f"{NO_PROBLEMS}."
    text = ", ".join(parts) or f"{NO_PROBLEMS} in the sources that can be read"
    return f"{text}; unknown: {', '.join(missing)}"


def _plural(severity: Severity, number: int) -> str:
    return "warnings" if severity is Severity.WARNING and number > 1 else severity.value


def missing_names(observation: Observation) -> tuple[str, ...]:
    return tuple(source.name.value for source in missing_sources(observation))


def finding_key(finding: Finding) -> tuple[str, str]:
    return (finding.id, finding.object)


def finding_cells(finding: Finding) -> tuple[Cell, ...]:
    return (
        Cell(f"{finding.severity.value.upper():<8} {plain(finding.title)}", SEVERITY_TONES[finding.severity]),
        Cell(plain(finding.object)),
        Cell(finding.id, Tone.DIM),
    )


def finding_text(finding: Finding) -> str:
    vips = [f"  VIPs: {', '.join(map(plain, finding.vips))}"] if finding.vips else []
    return "\n".join(
        [
            f"{finding.severity.value.upper()}  {plain(finding.title)}",
            "",
            "Evidence",
            *(f"  {plain(e)}" for e in finding.evidence),
            f"  object: {plain(finding.object)}",
            *vips,
            "",
            "Remedy",
            f"  {plain(finding.remedy)}",
        ]
    )


def short_text(finding: Finding, width: int, max_lines: int) -> str:
    """Returns a finding in a limited number of lines: always its remedy, and as much evidence as fits."""
    title = hanging(plain(finding.title), width)
    remedy = hanging(f"> {plain(finding.remedy)}", width)
    evidence = [line for e in finding.evidence for line in hanging(f"  {plain(e)}", width)]
    room = max(0, max_lines - len(title) - len(remedy))
    if len(evidence) > room:
        evidence = [*evidence[: max(0, room - 1)], "  … (Enter shows all)"] if room else []
    return "\n".join([*title, *evidence, *remedy][:max_lines])
