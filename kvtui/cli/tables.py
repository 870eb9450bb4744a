"""Tables as text: two blanks between columns; in colour only where the look has some."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.cli.look import MIN_WRAP_COLUMNS, PLAIN
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone

if TYPE_CHECKING:
    from kvtui.cli.look import Look

Row = tuple[str | Cell, ...]
Texts = tuple[str, ...]


def table(
    head: Texts,
    rows: list[Row],
    right: frozenset[int] = frozenset(),
    *,
    look: Look = PLAIN,
    optional: tuple[int, ...] = (),
) -> str:
    """Returns a header and rows, each column as wide as its widest cell. Cells may hold text from outside.

    ``right``: indexes of the columns to align right; ``optional``: of those to leave out until a line is as wide as
    the terminal, the first of them first. The last column is wrapped if that is not enough.
    """
    lines = [head, *(tuple(plain(c if isinstance(c, str) else c.text) for c in row) for row in rows)]
    widths = {i: max(len(line[i]) for line in lines) for i in range(len(head))}
    for index in optional:
        if look.width is None or _total(widths) <= look.width:
            break
        del widths[index]
    last = len(head) - 1
    if look.width is not None and last in widths and (over := _total(widths) - look.width) > 0:
        widths[last] = max(MIN_WRAP_COLUMNS, widths[last] - over)
    if not look.colour:
        return "".join(_line(line, widths, right) for line in lines)
    tones = [(Tone.STRONG,) * len(head), *(tuple(_tone(cell) for cell in row) for row in rows)]
    return "".join(_line(line, widths, right, (look, tone)) for line, tone in zip(lines, tones, strict=True))


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _tone(cell: str | Cell) -> Tone:
    return Tone.NORMAL if isinstance(cell, str) else cell.tone


def _line(
    cells: Texts, widths: dict[int, int], right: frozenset[int], painted: tuple[Look, tuple[Tone, ...]] | None = None
) -> str:
    last = len(cells) - 1
    if last in widths and len(cells[last]) > widths[last]:
        first, *others = wrap(cells[last], widths[last], break_on_hyphens=False) or [""]
        more = [(*[""] * last, part) for part in others]
        return "".join(_line(part, widths, right, painted) for part in ((*cells[:last], first), *more))
    texts = [cells[i].rjust(w) if i in right else cells[i].ljust(w) for i, w in widths.items()]
    if painted is not None:
        look, tones = painted
        texts[-1] = texts[-1].rstrip()
        texts = [look.paint(text, tones[i]) for i, text in zip(widths, texts, strict=True)]
    return "  ".join(texts).rstrip() + "\n"
