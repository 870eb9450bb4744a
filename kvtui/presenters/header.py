"""The header's chips: where this is, the node, keepalived, its VIPs, findings, and sources that are not well."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain
from kvtui.presenters.cells import SEVERITY_TONES, Cell, Tone, line_text
from kvtui.presenters.vips import contradiction_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs

GAP = 2
"""Blanks between two chips."""

LABEL_TONES = {"live": Tone.CHIP_LIVE, "lab": Tone.CHIP_LAB, "demo": Tone.CHIP_DEMO}
"""Other labels (a replay, a bundle) are of the past."""

SHORT_NAMES = {
    SourceName.ADVERTS: "wire",
    SourceName.IPVS: "IPVS",
    SourceName.VRRP: "VRRP",
    SourceName.KUBERNETES: "k8s",
}
MARKS = {SourceState.DEGRADED: ("?", Tone.WARN), SourceState.UNAVAILABLE: ("!", Tone.BAD)}

PRIORITY = (0, 1, 3, 4, 5, 2, 6, 7)
"""Indexes of the chips, the most important first."""

Forms = tuple["Line", ...]
"""One chip, the longest form first."""


def header_line(
    observation: Observation, label: str, width: int, glyphs: Glyphs, *, paused: bool = False, sources: str = "i"
) -> Line:
    """Returns the header. On a narrow terminal chips are shortened, then the least important ones are left out.

    It has no seconds, so that an idle screen is not redrawn. ``sources`` is the key that shows the sources.
    """
    at = datetime.fromtimestamp(observation.snapshot.time).astimezone()
    clock = f"{at:%H:%M}"
    where = (Cell(f" {label.upper()} ", LABEL_TONES.get(label, Tone.CHIP_PAST)),)
    if paused:
        where = (Cell(f" PAUSED since {at:%H:%M:%S} ", Tone.CHIP_PAST),)
    chips: tuple[Forms, ...] = (
        (where, (Cell(where[0].text.split()[0], where[0].tone),)),
        _text(plain(observation.snapshot.node.name, 40), tone=Tone.STRONG),
        _keepalived(observation, glyphs),
        findings(observation, glyphs),
        _missing_sources(observation, sources),
        _text(_vips(observation)),
        _rights(observation),
        _healthy_sources(observation),
    )
    left = joined(_fitting(chips, width - len(clock) - 1))
    blanks = width - len(line_text(left)) - len(clock)
    return (*left, Cell(" " * blanks), Cell(clock, Tone.DIM)) if blanks > 0 else left


def joined(parts: Sequence[Line]) -> Line:
    return tuple(cell for n, part in enumerate(parts) for cell in ((Cell(" " * GAP), *part) if n else part))


def _fitting(chips: tuple[Forms, ...], room: int) -> list[Line]:
    """Returns the chips that fit, in their order: the shortest forms first, by ``PRIORITY``; then longer forms."""
    chosen: list[Line] = [()] * len(chips)
    for among in (slice(-1, None), slice(None)):
        for index in PRIORITY:
            for form in chips[index][among]:
                more = [*chosen[:index], form, *chosen[index + 1 :]]
                if sum(len(line_text(part)) + GAP for part in more if part) - GAP <= room:
                    chosen = more
                    break
    return [part for part in chosen if part]


def _text(*forms: str, tone: Tone = Tone.NORMAL) -> Forms:
    return tuple((Cell(form, tone),) for form in forms if form) or ((),)


def findings(observation: Observation, glyphs: Glyphs) -> Forms:
    """Returns the numbers of critical findings and warnings: ``● 2 critical  ▲ 1 warning``, or ``●2 ▲1``."""
    numbers = finding_counts(observation)
    words = {Severity.CRITICAL: ("critical", "critical"), Severity.WARNING: ("warning", "warnings")}
    long = [(Cell(f"{glyphs.severity(s)} {n} {words[s][n > 1]}", SEVERITY_TONES[s]),) for s, n in numbers if s in words]
    short = [Cell(f"{glyphs.severity(s)}{n}", SEVERITY_TONES[s]) for s, n in numbers]
    return (joined(long), tuple(c for cell in short for c in (Cell(" "), cell))[1:]) if long else ((),)


def finding_counts(observation: Observation) -> list[tuple[Severity, int]]:
    severities = [f.severity for f in observation.findings or ()]
    return [(s, n) for s in (Severity.CRITICAL, Severity.WARNING) if (n := severities.count(s))]


def _keepalived(observation: Observation, glyphs: Glyphs) -> Forms:
    chosen = observation.snapshot.chosen_keepalived
    if chosen is None:
        return _text("no keepalived", tone=Tone.WARN)
    minutes = int(max(0.0, observation.snapshot.time - chosen.started) // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    up = f"{days}d{hours:02d}h" if days else f"{hours}h{minutes % 60:02d}m" if hours else f"{minutes}m"
    version = chosen.version or "?"
    return _text(f"keepalived {version} {glyphs.separator} up {up}", f"keepalived {version}", f"up {up}")


def _vips(observation: Observation) -> str:
    if observation.vips is None or contradiction_text(observation):
        return "VIPs ?"
    return f"VIPs {sum(1 for v in observation.vips if v.present)}/{len(observation.vips)} here"


def _rights(observation: Observation) -> Forms:
    return _text("READ-ONLY", tone=Tone.WARN) if observation.snapshot.node.read_only else ((),)


def _name(name: SourceName) -> str:
    return SHORT_NAMES.get(name, name.value)


def _missing_sources(observation: Observation, key: str) -> Forms:
    """Sources that cannot be read completely: their names, their number, or only a mark."""
    bad = [
        (*MARKS[s.state], _name(s.name))
        for s in observation.snapshot.sources
        if s.state is not SourceState.OK and not _is_absent(s.reason, s.name)
    ]
    if not bad:
        return ((),)
    mark, tone = min((b[:2] for b in bad), key=lambda b: b[0])  # "!" comes before "?"
    named = joined([(Cell(f"{mark} {name}", tone),) for mark, tone, name in bad])
    hint = Cell(f" ({key})", Tone.DIM)
    number = ((Cell(f"{mark} {len(bad)} sources", tone), hint),) if len(bad) > 1 else ()
    return ((*named, hint), *number, (Cell(mark, tone), hint))


def _is_absent(reason: UnavailableReason | None, name: SourceName) -> bool:
    """Whether a source does not apply here, or was not read yet."""
    return reason is UnavailableReason.PENDING or (reason is not None and name is SourceName.KUBERNETES)


def _healthy_sources(observation: Observation) -> Forms:
    """The sources of the node's state that are well, where there is room for them."""
    names = [_name(s.name) for s in observation.snapshot.sources if s.state is SourceState.OK and s.name in SHORT_NAMES]
    return ((Cell(" ".join(names), Tone.DIM),), ())
