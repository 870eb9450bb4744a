"""How text looks on this terminal: its characters, its colours, its width. A pipe gets plain ASCII."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from kvtui.cli.output import terminal_width
from kvtui.model.config import ColourMode
from kvtui.presenters.cells import Cell, Tone, hanging
from kvtui.presenters.glyphs import ASCII, UNICODE, Glyphs, only_ascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.cli.invocation import Invocation

CODES = {Tone.STRONG: "1", Tone.GOOD: "32", Tone.WARN: "1;33", Tone.BAD: "1;31"}
"""SGR codes: the terminal's own colours. Words and marks say the same."""
MIN_WRAP_COLUMNS = 20

T = TypeVar("T", str, Cell)


class Look(Struct, frozen=True):
    """The looks of one call.

    Attributes:
        width: columns of the terminal; None: nothing is wrapped or left out.
    """

    glyphs: Glyphs = ASCII
    colour: bool = False
    width: int | None = None

    def paint(self, text: str, tone: Tone) -> str:
        code = CODES.get(tone) if self.colour and text.strip() else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def cells(self, cells: Iterable[Cell]) -> tuple[str | Cell, ...]:
        """Returns a row for ``tables.table``; cells are kept only where their tones are needed."""
        return tuple(cells) if self.colour else tuple(cell.text for cell in cells)

    def wrap(self, text: str) -> str:
        """Wraps each line at words."""
        if self.width is None or self.width < MIN_WRAP_COLUMNS:
            return text
        return "\n".join(part for line in text.split("\n") for part in (hanging(line, self.width) if line else [""]))


PLAIN = Look()


def look_for(invocation: Invocation, *, wide: bool = False) -> Look:
    """Returns the looks for stdout; ``wide`` shows every column and wraps nothing."""
    is_terminal = sys.stdout.isatty()
    ascii_only = invocation.ascii or not is_terminal or only_ascii(os.environ, sys.stdout.encoding or "")
    return Look(
        ASCII if ascii_only else UNICODE,
        has_colour(invocation.color, os.environ, is_terminal=is_terminal),
        None if wide else terminal_width(),
    )


def has_colour(mode: ColourMode, env: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether text has colours. The option wins over NO_COLOR (no-color.org)."""
    if mode is not ColourMode.AUTO:
        return mode is ColourMode.ALWAYS
    return is_terminal and not env.get("NO_COLOR") and env.get("TERM", "dumb") != "dumb"
