"""Draws lines of cells: each tone has a style of the theme."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from kvtui.presenters.cells import Tone, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.style import Style

    from kvtui.presenters.cells import Cell, Line

SCROLLED_LINES = 8
"""Text that scrolls has a multiple of these."""
TONE_CLASSES = frozenset(f"tone--{tone.value}" for tone in Tone)
TONE_CSS = """
    & .tone--strong { text-style: bold; }
    & .tone--good { color: $text-success; }
    & .tone--warn { color: $text-warning; text-style: bold; }
    & .tone--bad { color: $text-error; text-style: bold; }
    & .tone--dim { color: $text-muted; }
    & .tone--focus { color: $text-primary; }
    & .tone--chip-live { color: $chip-text; background: $success; text-style: $chip-style; }
    & .tone--chip-lab { color: $chip-text; background: $primary; text-style: $chip-style; }
    & .tone--chip-demo { color: $chip-text; background: $demo; text-style: $chip-style; }
    & .tone--chip-past { color: $chip-text; background: $warning; text-style: $chip-style; }
"""


def segments(cell: Cell, style_of: Callable[[Tone], Style]) -> Iterable[Segment]:
    start = 0
    for length, tone in (*cell.runs, (len(cell.text), cell.tone)):
        if text := cell.text[start : start + length]:
            yield Segment(text, style_of(tone))
        start += length


def highlight(text: str, wanted: str, style: Style, mark: Style) -> list[Segment]:
    lowered = text.lower()
    if not wanted or wanted not in lowered or len(lowered) != len(text):
        return [Segment(text, style)]
    segments, rest = [], 0
    while (start := lowered.find(wanted, rest)) >= 0:
        end = start + len(wanted)
        segments += [Segment(text[rest:start], style), Segment(text[start:end], mark)]
        rest = end
    return [s for s in [*segments, Segment(text[rest:], style)] if s.text]


class StyledWidget(Widget):
    """Keeps the styles of component classes until the theme changes; Textual's own cache lasts until a refresh."""

    @cached_property
    def _kept_styles(self) -> dict[tuple[str, bool], Style]:
        return {}

    def style_of(self, name: str, *, partial: bool = False) -> Style:
        key = (name, partial)
        if key not in self._kept_styles:
            self._kept_styles[key] = self.get_component_rich_style(name, partial=partial)
        return self._kept_styles[key]

    def tone_style(self, tone: Tone) -> Style:
        return self.style_of(f"tone--{tone.value}")

    def notify_style_update(self) -> None:
        self._kept_styles.clear()
        super().notify_style_update()


class Lines(StyledWidget):
    """Text in lines of cells. Only lines that changed are sent to the terminal.

    Args:
        wraps: wraps long lines with a hanging indent; otherwise they are cut.
        keeps_height: only ``forget_height`` makes it lower again. Another height makes Textual send the whole screen.

    Attributes:
        room: lines that can be seen at once. More of them scroll, and get some blank ones, so that another line more
            does not change the height; None: never.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)
    DEFAULT_CSS = f"Lines {{ height: auto; width: 1fr; {TONE_CSS} }}"

    def __init__(
        self,
        lines: Sequence[Line] = (),
        *,
        wraps: bool = True,
        keeps_height: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self.room: int | None = None
        self._keeps_height = keeps_height
        self._tallest = 0
        self._wraps = wraps
        self.lines = tuple(lines)
        self._wrapped: tuple[int, tuple[Line, ...], list[Line]] = (0, (), [])

    def show(self, lines: Sequence[Line]) -> None:
        now = tuple(lines)
        if now == self.lines:
            return
        old, self.lines = self._in_width(self.size.width), now
        new = self._in_width(self.size.width)
        if self._height_of(new) != self.size.height and self.styles.height and self.styles.height.is_auto:
            self.refresh(layout=True)
            return
        changed = [y for y in range(max(len(old), len(new))) if old[y : y + 1] != new[y : y + 1]]
        self.refresh(*(Region(0, y, self.size.width, 1) for y in changed if y < self.size.height))

    def _in_width(self, width: int) -> list[Line]:
        if not self._wraps or not width:
            return list(self.lines)
        if self._wrapped[:2] != (width, self.lines):
            self._wrapped = (width, self.lines, [part for line in self.lines for part in wrapped(line, width)])
        return self._wrapped[2]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return self._height_of(self._in_width(width))

    def _height_of(self, lines: list[Line]) -> int:
        height = len(lines)
        if self.room is not None and height > self.room:
            height = -(-height // SCROLLED_LINES) * SCROLLED_LINES
        self._tallest = max(self._tallest, height) if self._keeps_height else height
        return self._tallest

    def forget_height(self) -> None:
        self._tallest = 0

    def render_line(self, y: int) -> Strip:
        lines = self._in_width(self.size.width)
        line = lines[y] if y < len(lines) else ()
        strip = Strip(segment for cell in line for segment in segments(cell, self.tone_style))
        return strip.adjust_cell_length(self.size.width, self.tone_style(Tone.NORMAL))
