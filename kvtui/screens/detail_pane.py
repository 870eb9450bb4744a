"""The details of the row under the cursor: below the table, or at its right where the terminal is wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content

from kvtui.model.text import plain
from kvtui.widgets.table import LineTable
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from kvtui.presenters.cells import Line

MIN_LINES = 4
"""Text that the pane needs below a table."""
FRAME_LINES = 4
"""Header, tabs, table head and key line."""


class DetailPane(VerticalScroll, can_focus=False):
    """Shows first lines, then other widgets (a chart), then more lines. What does not fit scrolls."""

    DEFAULT_CSS = """
    DetailPane {
        height: auto; width: 1fr; padding: 0 1; display: none; scrollbar-size: 1 1;
        border-top: solid $frame; border-title-color: $foreground; border-title-style: bold;
        border-title-align: right;
        &.known { display: block; }
        & Lines { padding-right: 1; }
    }
    """

    def __init__(self, *between: Widget) -> None:
        super().__init__(id="detail")
        self._between = between
        self._frame: tuple[int | None, str] = (0, "")

    def compose(self) -> ComposeResult:
        yield Lines(id="first", keeps_height=True)
        yield from self._between
        yield Lines(id="more", keeps_height=True)

    @staticmethod
    def room_below(rows: int, height: int) -> int:
        """Returns the lines for text below a table with this number of rows, on a terminal of this height."""
        return height - FRAME_LINES - rows - 1

    def explain(self, title: str, first: Sequence[Line], more: Sequence[Line] = (), *, rows: int, height: int) -> None:
        """Shows these lines, if there is a title and ``rows`` of the table leave room on a terminal of this ``height``.

        At the right of a table with rows, a pane without text stays, so that the table keeps its width.
        """
        wide = self.screen.has_class("-wide")
        room = self.room_below(rows, height)
        is_known = bool(title) and (wide or room >= MIN_LINES)
        self.set_class(is_known or (wide and bool(self.screen.query_one(LineTable).keys)), "known")
        highest = None if wide else max(MIN_LINES, room) + 1
        text = plain(title) if wide or not title else f" {plain(title)} "
        if (highest, text) != self._frame:  # setting a style to the same value draws the whole screen too
            self._frame = (highest, text)
            self.styles.max_height = highest
            self.border_title = Content(text)
            for lines in self.query(Lines):
                lines.forget_height()
        self.query_one("#first", Lines).show(first if is_known else ())
        last = self.query_one("#more", Lines)
        above = len(first) + sum(w.outer_size.height for w in self._between if w.display)
        last.room = max(0, (height - FRAME_LINES if wide else max(MIN_LINES, room)) - above)
        last.show(more if is_known else ())
