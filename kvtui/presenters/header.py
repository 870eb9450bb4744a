"""The two lines on top of a screen: the header (node, keepalived, VIPs, findings, sources) and the tabs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Severity
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain
from kvtui.presenters.cells import SEVERITY_TONES, Cell, Tone, line_text
from kvtui.presenters.vips import contradiction_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.observation import Observation
    from kvtui.model.source import Source
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.presenters.keys import View

GAP = 2  # blanks between two chips
LABEL_TONES = {"live": Tone.CHIP_LIVE, "lab": Tone.CHIP_LAB, "demo": Tone.CHIP_DEMO}
"""Other labels (a replay, a bundle) are of the past."""
SHORT_NAMES = {
    SourceName.ADVERTS: "wire",
    SourceName.IPVS: "IPVS",
    SourceName.VRRP: "VRRP",
    SourceName.KUBERNETES: "k8s",
}
MARKS = {SourceState.DEGRADED: ("?", Tone.WARN), SourceState.UNAVAILABLE: ("!", Tone.BAD)}
PRIORITY = (0, 1, 3, 4, 5, 2, 6, 7)  # indexes of the chips, the most important first

Forms = tuple["Line", ...]  # one chip, the longest form first


def header_line(
    observation: Observation, label: str, width: int, glyphs: Glyphs, *, paused: bool = False, sources: str = "i"
) -> Line:
    """Returns the header. On a narrow terminal chips are shortened, then the least important ones are left out.

    It has no seconds, so that an idle screen is not redrawn. ``sources`` is the key that shows the sources.
    """
    snapshot = observation.snapshot
    at = datetime.fromtimestamp(snapshot.time).astimezone()
    clock = f"{at:%H:%M}"
    where = Cell(f" {label.upper()} ", LABEL_TONES.get(label, Tone.CHIP_PAST))
    if paused:
        where = Cell(f" PAUSED since {at:%H:%M:%S} ", Tone.CHIP_PAST)
    healthy = [_name(s.name) for s in snapshot.sources if s.state is SourceState.OK and s.name in SHORT_NAMES]
    chips: tuple[Forms, ...] = (
        ((where,), (Cell(where.text.split()[0], where.tone),)),
        _text(plain(snapshot.node.name, 40), tone=Tone.STRONG),
        _keepalived(observation, glyphs),
        _findings(observation, glyphs),
        _missing_sources(observation, sources),
        _text(_vips(observation)),
        _text("READ-ONLY" if snapshot.node.read_only else "", tone=Tone.WARN),
        ((Cell(" ".join(healthy), Tone.DIM),), ()),
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


def _findings(observation: Observation, glyphs: Glyphs) -> Forms:
    """Returns the numbers of critical findings and warnings: ``● 2 critical  ▲ 1 warning``, or ``●2 ▲1``."""
    numbers = _finding_counts(observation)
    plural = {Severity.CRITICAL: "critical", Severity.WARNING: "warnings"}
    long = [
        (Cell(f"{glyphs.severity(s)} {n} {plural[s] if n > 1 else s.value}", SEVERITY_TONES[s]),) for s, n in numbers
    ]
    short = [Cell(f"{glyphs.severity(s)}{n}", SEVERITY_TONES[s]) for s, n in numbers]
    return (joined(long), tuple(c for cell in short for c in (Cell(" "), cell))[1:]) if long else ((),)


def _finding_counts(observation: Observation) -> list[tuple[Severity, int]]:
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


def _name(name: SourceName) -> str:
    return SHORT_NAMES.get(name, name.value)


def _missing_sources(observation: Observation, key: str) -> Forms:
    """Returns the sources that cannot be read completely: their names, their number, or only a mark."""
    bad = [(*MARKS[s.state], _name(s.name)) for s in observation.snapshot.sources if _is_error(s)]
    if not bad:
        return ((),)
    mark, tone = min((b[:2] for b in bad), key=lambda b: b[0])  # "!" comes before "?"
    named = joined([(Cell(f"{mark} {name}", tone),) for mark, tone, name in bad])
    hint = Cell(f" ({key})", Tone.DIM)
    number = ((Cell(f"{mark} {len(bad)} sources", tone), hint),) if len(bad) > 1 else ()
    return ((*named, hint), *number, (Cell(mark, tone), hint))


def _is_error(source: Source) -> bool:
    """Whether a source that applies here was read, and not completely."""
    is_absent = source.reason is not None and source.name is SourceName.KUBERNETES
    return source.state is not SourceState.OK and source.reason is not UnavailableReason.PENDING and not is_absent


class Tab(Struct, frozen=True):
    """A screen's tab; ``start`` is its first column."""

    name: str
    start: int
    line: Line

    @property
    def stop(self) -> int:
        return self.start + len(line_text(self.line))


def tabs(
    views: Sequence[tuple[View, str]], active: str, observation: Observation | None, width: int, glyphs: Glyphs
) -> list[Tab]:
    """Returns the tabs of views and their keys: with long labels, short ones, or keys only, as the width allows."""
    badge: Line = ()
    if observation is not None and (counts := _finding_counts(observation)):
        severity, number = counts[0]
        badge = (Cell(f" {glyphs.severity(severity)}{number}", SEVERITY_TONES[severity]),)
    placed: list[Tab] = []
    for form in range(3):
        placed, start = [], 0
        for view, key in views:
            is_active = view.name == active
            label = (view.label, view.short or view.label, view.label if is_active else "")[form]
            line = _tab(key, label, badge if view.name == "findings" else (), is_active=is_active)
            placed.append(Tab(view.name, start, line))
            start = placed[-1].stop
        if start <= width:
            break
    return [tab for tab in placed if tab.start < width]


def _tab(key: str, label: str, badge: Line, *, is_active: bool) -> Line:
    if is_active:
        return (Cell(f" {key} {label}{line_text(badge)} ", Tone.CHIP_LAB),)
    return (Cell(f" {key}", Tone.FOCUS), Cell(f" {label}" if label else ""), *badge, Cell(" "))
