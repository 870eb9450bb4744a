"""The details of the row under the cursor: below the table, or at its right where the terminal is wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content

from kvtui.model.text import plain
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from kvtui.presenters.cells import Line

MIN_LINES = 4
"""Text that the pane needs below a table; it also has a border."""
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
    }
    """

    def __init__(self, *between: Widget) -> None:
        super().__init__(id="detail")
        self._between = between

    def compose(self) -> ComposeResult:
        yield Lines(id="first")
        yield from self._between
        yield Lines(id="more")

    def explain(self, title: str, first: Sequence[Line], more: Sequence[Line] = (), *, rows: int, height: int) -> None:
        """Shows these lines, unless there are none or ``rows`` lines of the table need the ``height`` of the terminal.

        At the right of the table, a pane without text stays, so that the table keeps its width.
        """
        wide = self.screen.has_class("-wide")
        room = height - FRAME_LINES - rows - 1
        is_known = bool(first) and (wide or room >= MIN_LINES)
        self.set_class(is_known or wide, "known")
        self.styles.max_height = None if wide else max(MIN_LINES, room) + 1
        text = f" {plain(title)} "
        if self.border_title != text:
            self.border_title = Content(text)
        self.query_one("#first", Lines).show(first if is_known else ())
        self.query_one("#more", Lines).show(more if is_known else ())
