"""The tabs: every screen with its key, the findings with their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.presenters.cells import SEVERITY_TONES, Cell, Tone, line_text
from kvtui.presenters.header import finding_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.presenters.views import View


class Tab(Struct, frozen=True):
    """A tab, drawn from column ``start`` on."""

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
    if observation is not None and (counts := finding_counts(observation)):
        severity, number = counts[0]
        badge = (Cell(f" {glyphs.severity(severity)}{number}", SEVERITY_TONES[severity]),)
    placed: list[Tab] = []
    for form in range(3):
        placed, start = [], 0
        for view, key in views:
            is_active = view.name == active
            label = (view.label, view.short or view.label, view.label if is_active else "")[form]
            line = _line(key, label, badge if view.name == "findings" else (), is_active=is_active)
            placed.append(Tab(view.name, start, line))
            start = placed[-1].stop
        if start <= width:
            break
    return [tab for tab in placed if tab.start < width]


def _line(key: str, label: str, badge: Line, *, is_active: bool) -> Line:
    if is_active:
        text = f" {key} {label}{line_text(badge)} "
        return (Cell(text, Tone.CHIP_LAB),)
    return (Cell(f" {key}", Tone.FOCUS), Cell(f" {label}" if label else ""), *badge, Cell(" "))
