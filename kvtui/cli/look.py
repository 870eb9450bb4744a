"""How text looks on this terminal: its characters, its colours, its width, its tables. A pipe gets plain ASCII."""

from __future__ import annotations

import os
import sys
from operator import itemgetter
from textwrap import wrap
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from kvtui.cli.output import Format, terminal_width
from kvtui.model.config import ColourMode
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone, hanging
from kvtui.presenters.glyphs import ASCII, UNICODE, Glyphs, only_ascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kvtui.cli.invocation import Invocation

CODES = {Tone.STRONG: "1", Tone.GOOD: "32", Tone.WARN: "1;33", Tone.BAD: "1;31"}
"""SGR codes: the terminal's own colours. Words and marks say the same."""
MIN_WRAP_COLUMNS = 20
MIN_LAST_COLUMNS = 32
"""A narrower last column is in lines of its own."""
BELOW = "    "

Row = tuple[str | Cell, ...]
Texts = tuple[str, ...]


class Look(Struct, frozen=True):
    glyphs: Glyphs = ASCII
    colour: bool = False
    width: int | None = None
    """Columns of the terminal; None: nothing is wrapped or left out."""

    def paint(self, text: str, tone: Tone) -> str:
        code = CODES.get(tone) if self.colour and text.strip() else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def cells(self, cells: Iterable[Cell]) -> Row:
        """Returns a row for ``table``; cells are kept only where their tones are needed."""
        return tuple(cells) if self.colour else tuple(cell.text for cell in cells)

    def wrap(self, text: str) -> str:
        if self.width is None or self.width < MIN_WRAP_COLUMNS:
            return text
        return "\n".join(part for line in text.split("\n") for part in (hanging(line, self.width) if line else [""]))


PLAIN = Look()


def look_for(invocation: Invocation) -> Look:
    is_terminal = sys.stdout.isatty()
    ascii_only = invocation.ascii or not is_terminal or only_ascii(os.environ, sys.stdout.encoding or "")
    return Look(
        ASCII if ascii_only else UNICODE,
        has_colour(invocation.color, os.environ, is_terminal=is_terminal),
        None if invocation.form is Format.WIDE else terminal_width(),
    )


def has_colour(mode: ColourMode, env: Mapping[str, str], *, is_terminal: bool) -> bool:
    """The option wins over NO_COLOR (no-color.org)."""
    if mode is not ColourMode.AUTO:
        return mode is ColourMode.ALWAYS
    return is_terminal and not env.get("NO_COLOR") and env.get("TERM", "dumb") != "dumb"


def table(
    head: Texts,
    rows: Sequence[Row],
    right: frozenset[int] = frozenset(),
    *,
    look: Look = PLAIN,
    optional: tuple[int, ...] = (),
) -> str:
    """Returns a header and rows, with two blanks between columns. Cells may hold text from outside.

    ``right``: indexes of the columns to align right; ``optional``: of those to leave out until a line is as wide as
    the terminal, the first of them first. The last column is wrapped if that is not enough.
    """
    lines = [head, *map(_texts, rows)]
    widths = {i: max(map(len, column)) for i, column in enumerate(zip(*lines, strict=True))}
    for index in optional:
        if look.width is None or _total(widths) <= look.width:
            break
        del widths[index]
    last = max(widths)
    over = 0 if look.width is None else _total(widths) - look.width
    if over > 0 and 0 <= widths[last] - over < MIN_LAST_COLUMNS and last == len(head) - 1:
        return _last_below(head, rows, right, look, optional)
    if over > 0:
        widths[last] = max(MIN_WRAP_COLUMNS, widths[last] - over)
    if not look.colour and over <= 0:
        return _plain_lines(lines, widths, right)
    tones = [(Tone.STRONG,) * len(head), *(tuple(_tone(cell) for cell in row) for row in rows)]
    wrapped = (
        (part, tone) for line, tone in zip(lines, tones, strict=True) for part in _wrapped(line, last, widths[last])
    )
    return "".join(_painted(line, tone, widths, right, look) for line, tone in wrapped)


def _last_below(head: Texts, rows: Sequence[Row], right: frozenset[int], look: Look, optional: tuple[int, ...]) -> str:
    last = len(head) - 1
    names, *lines = table(
        head[:last], [row[:last] for row in rows], right, look=look, optional=tuple(i for i in optional if i != last)
    ).splitlines(keepends=True)
    parts = [names]
    for line, row in zip(lines, rows, strict=True):
        below = wrap(_texts(row)[last], (look.width or 0) - len(BELOW), break_on_hyphens=False)
        parts += [line, *(f"{BELOW}{look.paint(text, _tone(row[last]))}\n" for text in below)]
    return "".join(parts)


def _texts(row: Row) -> Texts:
    texts = cast("Texts", row)
    try:
        joined = "".join(texts)
    except TypeError:  # cells; to look at the type of each one would slow down ten thousand rows
        texts = tuple(cell if isinstance(cell, str) else cell.text for cell in row)
        joined = "".join(texts)
    return texts if plain(joined) is joined else tuple(map(plain, texts))


def _tone(cell: str | Cell) -> Tone:
    return Tone.NORMAL if isinstance(cell, str) else cell.tone


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _plain_lines(lines: list[Texts], widths: dict[int, int], right: frozenset[int]) -> str:
    line = "  ".join(f"%{'' if i in right else '-'}{width}s" for i, width in widths.items())
    if len(widths) == 1:  # itemgetter gives no tuple for one
        return "".join([f"{(line % row[next(iter(widths))]).rstrip()}\n" for row in lines])
    if len(widths) < len(lines[0]):
        lines = [*map(itemgetter(*widths), lines)]
    return "".join([f"{(line % row).rstrip()}\n" for row in lines])


def _wrapped(cells: Texts, column: int, width: int) -> Iterator[Texts]:
    if len(cells[column]) <= width:
        yield cells
        return
    first, *others = wrap(cells[column], width, break_on_hyphens=False) or [""]
    yield (*cells[:column], first, *cells[column + 1 :])
    for text in others:
        yield (*[""] * column, text, *[""] * (len(cells) - column - 1))


def _painted(cells: Texts, tones: tuple[Tone, ...], widths: dict[int, int], right: frozenset[int], look: Look) -> str:
    texts = [cells[i].rjust(w) if i in right else cells[i].ljust(w) for i, w in widths.items()]
    texts[-1] = texts[-1].rstrip()
    return "  ".join(look.paint(text, tones[i]) for i, text in zip(widths, texts, strict=True)).rstrip() + "\n"
