"""A chart on Textual's line API: only the cells that changed are drawn again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip

from kvtui.model.config import Theme
from kvtui.presenters.chart import ChartPart, Form, chart_lines
from kvtui.widgets.tones import StyledWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.presenters.chart import Chart, Line


class ChartBox(StyledWidget):
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{part.value}" for part in ChartPart}
    DEFAULT_CSS = """
    ChartBox {
        height: 6;
        & .chart--title { text-style: bold; }
        & .chart--axis, & .chart--note { color: $text-muted; }
        & .chart--area { color: $text-primary; }
    }
    """

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._ascii = ascii_only
        self._chart: Chart | None = None
        self._lines: list[Line] = []

    @property
    def form(self) -> Form:
        if self._ascii:
            return Form.ASCII
        return Form.BLOCKS if self.app.theme == Theme.ANSI16 else Form.BRAILLE

    def show(self, chart: Chart | None) -> None:
        self._chart = chart
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.content_size
        before = self._lines
        self._lines = chart_lines(self._chart, width, height, self.form) if self._chart and width and height else []
        if len(before) != len(self._lines):
            self.refresh()
            return
        regions = [
            Region(first, y, last - first, 1)
            for y, (old, new) in enumerate(zip(before, self._lines, strict=True))
            for first, last in changed_columns(old, new)
        ]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        line = self._lines[y] if y < len(self._lines) else ()
        strip = Strip(Segment(text, self.style_of(f"chart--{part.value}")) for text, part in line)
        return strip.adjust_cell_length(width, self.rich_style)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_attached:  # another theme can also change the characters
            self._redraw()

    def on_resize(self) -> None:
        self._redraw()


PAIR_LINES = 5


class ChartPair(Container):
    """Two charts, beside each other or one above the other; hidden while nothing flows."""

    DEFAULT_CSS = f"""
    ChartPair {{
        layout: horizontal; height: {PAIR_LINES}; width: 1fr;
        & ChartBox {{ width: 1fr; height: 1fr; padding-right: 1; }}
    }}
    """

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(*(ChartBox(ascii_only=ascii_only) for _ in range(2)))

    def show(self, charts: Sequence[Chart], *, has_room: bool = True) -> None:
        is_shown = has_room and any(value > 0 for chart in charts for value in chart.values)
        if self.display is not is_shown:  # setting the same value draws the whole screen too
            self.display = is_shown
        for box, chart in zip(self.query(ChartBox) if is_shown else (), charts, strict=False):
            box.show(chart)


MAX_UNCHANGED = 8
"""Cells between two changes that are drawn again: to move the cursor over them takes as many bytes."""


def changed_columns(old: Line, new: Line) -> list[tuple[int, int]]:
    """Returns the runs of columns that differ, neighbours together. All characters have one column."""
    before, now = ("".join(text for text, _part in line) for line in (old, new))
    if len(before) != len(now) or [part for _text, part in old] != [part for _text, part in new]:
        return [(0, len(now))]
    runs: list[tuple[int, int]] = []
    for column in (i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b):
        if runs and column - runs[-1][1] <= MAX_UNCHANGED:
            runs[-1] = (runs[-1][0], column + 1)
        else:
            runs.append((column, column + 1))
    return runs
