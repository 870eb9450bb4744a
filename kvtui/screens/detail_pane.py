"""A pane below a table with details of the row under the cursor, shown where the rows leave room for it."""

from __future__ import annotations

from textual.widgets import Static

PANE_LINES = 10
"""A border, a title, and one line for each layer of a chain."""
FRAME_LINES = 3
"""Header, table head and key line."""


class DetailPane(Static):
    DEFAULT_CSS = """
    DetailPane {
        height: 10; border-top: solid $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; display: none;
        &.known { display: block; }
    }
    """

    def __init__(self) -> None:
        super().__init__("", id="detail", markup=False)
        self._shown = ""

    def explain(self, text: str, rows: int, height: int) -> None:
        """Shows the text, unless it is empty or ``rows`` lines of the table need the ``height`` of the terminal."""
        self.set_class(bool(text) and rows + FRAME_LINES + PANE_LINES <= height, "known")
        if text != self._shown:
            self._shown = text
            self.update(text, layout=False)
