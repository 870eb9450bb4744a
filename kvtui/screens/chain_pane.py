"""Below a table: the layers of the VIP under the cursor in words, where the rows leave room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from kvtui.model.text import plain
from kvtui.rules.chain import LAYERS, ChainIndex, chain_of
from kvtui.screens.trace_panel import link_line

if TYPE_CHECKING:
    from kvtui.model.observation import VipView
    from kvtui.widgets.glyphs import Glyphs

PANE = 2 + len(LAYERS)
"""Lines: a border, a head, and one for each layer."""
FRAME = 3
"""Lines of header, head and keys."""


class ChainPane(Static):
    """The pane; it sends nothing when it says what it shows already."""

    DEFAULT_CSS = """
    ChainPane {
        height: 10; border-top: solid $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; display: none;
        &.known { display: block; }
    }
    """

    def __init__(self) -> None:
        super().__init__("", id="why", markup=False)
        self._said = ""

    def explain(self, text: str, rows: int, height: int) -> None:
        """Say it, if the terminal has room.

        Args:
            text: empty when nothing is under the cursor.
            rows: of the table.
            height: of the terminal.
        """
        self.set_class(bool(text) and rows + FRAME + PANE <= height, "known")
        if text != self._said:
            self._said = text
            self.update(text, layout=False)


def chain_text(index: ChainIndex, head: str, address: str, drawing: Glyphs, view: VipView | None = None) -> str:
    """A head and each layer of a VIP with its mark."""
    links = chain_of(index, address, view=view)
    return "\n".join([plain(head), *(link_line(link, drawing) for link in links)])
