"""Filters all output to the terminal: no control characters from outside, no dim text, optionally only ASCII."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.color import Color

LOOK_ALIKES = {
    **dict.fromkeys("─━═╌┄╍", "-"),
    **dict.fromkeys("│┃║╎┆", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛╭╮╰╯", "+"),
    "…": "~",
    "·": ".",
    **dict.fromkeys("–—", "-"),
    **dict.fromkeys("«»“”", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("→▶▸▌", ">"),
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
"""Block elements: parts of scrollbars and edges, whose background colour is enough."""

_FULL = Style(dim=False)


@lru_cache(4096)
def ascii_text(text: str) -> str:
    """Returns the text in ASCII, with the same width; other characters become ``?``."""
    return text if text.isascii() else "".join(_look_alike(c) for c in text)


def _look_alike(character: str) -> str:
    if character.isascii():
        return character
    unknown = " " if ord(character) in BLOCKS else "?" * get_character_cell_size(character)
    return LOOK_ALIKES.get(character, unknown)


class FilterChain(LineFilter):
    """Textual keeps with each line what each filter of the app made of it, 1.3 kB: this is one filter."""

    def __init__(self, filters: Sequence[LineFilter]) -> None:
        super().__init__()
        self.filters = tuple(filters)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        for line_filter in self.filters:
            segments = line_filter.apply(segments, background)
        return segments


class AsciiFilter(LineFilter):
    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [
            s if s.text.isascii() or s.control else Segment(ascii_text(s.text), s.style, s.control) for s in segments
        ]


class NoDimFilter(LineFilter):
    """Removes "dim": terminals render it differently, and often unreadably."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(s.text, s.style + _FULL, s.control) if s.style and s.style.dim else s for s in segments]


class ControlCharFilter(LineFilter):
    """Replaces control characters and drops floods of marks, where no widget used ``plain``; also in pasted text."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [
            s
            if s.control or (s.text.isascii() and s.text.isprintable()) or (text := _plain(s.text)) == s.text
            else Segment(text, s.style, s.control)
            for s in segments
        ]


@lru_cache(4096)
def _plain(text: str) -> str:
    return plain(text)
