from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.presenters.cells import SEVERITY_TONES, Cell, Tone
from kvtui.rules.triage.sources import missing_sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs

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
    parts = ((n, severity) for severity in Severity if (n := numbers[severity]))
    text = ", ".join(f"{n} {'warnings' if s is Severity.WARNING and n > 1 else s.value}" for n, s in parts)
    if not missing:
        return text or f"{NO_PROBLEMS}."
    return f"{text or f'{NO_PROBLEMS} in the sources that can be read'}; unknown: {', '.join(missing)}"


def missing_names(observation: Observation) -> tuple[str, ...]:
    return tuple(source.name.value for source in missing_sources(observation))


class Severities:
    """The worst severity of what findings name: an object, a VIP, a real server."""

    def __init__(self, findings: Iterable[Finding] | None) -> None:
        self._worst: dict[str, Severity] = {}
        for finding in sorted(findings or (), key=lambda f: f.severity.rank):
            for name in (finding.object, *finding.object.split(" -> "), *finding.vips):
                self._worst.setdefault(name, finding.severity)

    def mark(self, glyphs: Glyphs, *names: str) -> Cell:
        found = [self._worst[name] for name in names if name in self._worst]
        return _severity_mark(min(found, key=lambda s: s.rank), glyphs) if found else Cell("")


def _severity_mark(severity: Severity, glyphs: Glyphs) -> Cell:
    return Cell(glyphs.severity(severity), SEVERITY_TONES[severity])


def finding_key(finding: Finding) -> tuple[str, str]:
    return (finding.id, finding.object)


def finding_cells(finding: Finding, glyphs: Glyphs) -> tuple[Cell, ...]:
    tone = SEVERITY_TONES[finding.severity]
    return (
        _severity_mark(finding.severity, glyphs),
        Cell(f"{finding.severity.value:<8} {plain(finding.title)}", runs=((8, tone),)),
        Cell(plain(finding.object)),
        Cell(finding.id, Tone.DIM),
    )


def findings_lines(observation: Observation, glyphs: Glyphs) -> list[Line]:
    if not observation.findings:
        tone = Tone.NORMAL if observation.findings is None or missing_names(observation) else Tone.GOOD
        return [(Cell(empty_text(observation).splitlines()[0], tone),)]
    return [
        (Cell(f"{glyphs.severity(f.severity) or ' '} ", SEVERITY_TONES[f.severity]), Cell(plain(f.title)))
        for f in observation.findings
    ]


def finding_lines(finding: Finding) -> list[Line]:
    tone = SEVERITY_TONES[finding.severity]
    vips = [(Cell("VIPs     ", Tone.DIM), Cell(", ".join(map(plain, finding.vips))))] if finding.vips else []
    return [
        (Cell(f"{finding.severity.value.upper()}  ", tone), Cell(plain(finding.title), Tone.STRONG)),
        (Cell("Remedy   ", Tone.DIM), Cell(plain(finding.remedy), Tone.FOCUS)),
        *((Cell("         " if n else "Because  ", Tone.DIM), Cell(plain(e))) for n, e in enumerate(finding.evidence)),
        (Cell("Object   ", Tone.DIM), Cell(plain(finding.object))),
        *vips,
        (Cell("Rule     ", Tone.DIM), Cell(finding.id)),
    ]
