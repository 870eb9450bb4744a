"""Tables as text: two blanks between columns; in colour only where the look has some."""

from __future__ import annotations

from operator import itemgetter
from textwrap import wrap
from typing import TYPE_CHECKING, cast

from kvtui.cli.look import MIN_WRAP_COLUMNS, PLAIN
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kvtui.cli.look import Look

MIN_LAST_COLUMNS = 32
"""A narrower last column is in lines of its own."""
BELOW = "    "

Row = tuple[str | Cell, ...]
Texts = tuple[str, ...]


def table(
    head: Texts,
    rows: Sequence[Row],
    right: frozenset[int] = frozenset(),
    *,
    look: Look = PLAIN,
    optional: tuple[int, ...] = (),
) -> str:
    """Returns a header and rows, each column as wide as its widest cell. Cells may hold text from outside.

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
    left = 0 if look.width is None else look.width - _total(widths) + widths[last]
    if over > 0 and 0 <= left < MIN_LAST_COLUMNS and last == len(head) - 1:
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
    """Returns the table with its last column in lines of its own, below each row."""
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
    """Yields a row in as many lines as a column needs; the other cells are in the first."""
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
