"""The last door before the terminal: whatever a widget drew, only what prints leaves, and only ASCII where asked."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter

from kvtui.model.text import plain

if TYPE_CHECKING:
    from textual.color import Color

KNOWN = {
    **dict.fromkeys("─━═╌┄╍", "-"),
    **dict.fromkeys("│┃║╎┆", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛╭╮╰╯", "+"),
    **dict.fromkeys("…·", "."),
    **dict.fromkeys("–—", "-"),
    **dict.fromkeys("«»“”", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("→▶▸", ">"),
    **dict.fromkeys("▼▾", "v"),
    **dict.fromkeys("●•★", "*"),
    "▲": "^",
    "✓": "+",
    "✗": "X",
    "⏎": " ",
    "×": "x",
    "≠": "!",
    "≥": ">",
    "≤": "<",
    "\N{NO-BREAK SPACE}": " ",
}
BLOCKS = range(0x2580, 0x25A0)
"""Block elements: parts of scrollbars and edges, which their background colour shows as well."""


_FULL = Style(dim=False)


@lru_cache(4096)
def ascii_text(text: str) -> str:
    """The same text in ASCII, column for column: what has no likeness becomes ``?``."""
    return text if text.isascii() else "".join(_likeness(c) for c in text)


def _likeness(character: str) -> str:
    if character.isascii():
        return character
    if ord(character) in BLOCKS:
        return " "
    return KNOWN.get(character) or "?" * get_character_cell_size(character)


class AsciiFilter(LineFilter):
    """Turns every segment into ASCII: borders, scrollbars, dialogs of Textual's own and text from outside alike."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        del background
        return [
            s if s.text.isascii() or s.control else Segment(ascii_text(s.text), s.style, s.control) for s in segments
        ]


class NoDimFilter(LineFilter):
    """Takes "dim" away: what is left of a colour is for the terminal to choose, and often not readable."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in full strength."""
        del background
        return [Segment(s.text, s.style + _FULL, s.control) if s.style and s.style.dim else s for s in segments]


class ControlCharFilter(LineFilter):
    """Lets nothing through that a terminal would obey: the last door behind ``model.text.plain``, pasted text too."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments without control characters."""
        del background
        return [
            s if s.text.isprintable() or s.control else Segment(plain(s.text), s.style, s.control) for s in segments
        ]
