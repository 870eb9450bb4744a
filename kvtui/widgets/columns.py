"""Calculates which columns of a table fit, and their widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

GAP = 1


class Column(Struct, frozen=True):
    """A column; one of low ``rank`` is kept on a narrow terminal, and widened first on a wide one.

    Attributes:
        width: that it needs, unless its title and texts need less; it widens with its texts, up to ``max_width``.
        min_width: its minimum width, whatever it holds now: to widen a column later draws the whole table again.
        fill: it takes the remaining width, up to ``max_width`` (a sparkline).
    """

    name: str
    title: str
    width: int
    rank: int = 0
    right: bool = False
    max_width: int = 999
    fill: bool = False
    min_width: int = 0


MARK = Column("mark", "", 1)
"""The first column of most tables: how bad the worst finding about the row is."""


class Placed(Struct, frozen=True):
    column: Column
    index: int
    width: int


def fit(columns: tuple[Column, ...], room: int, longest: Mapping[int, int] | None = None) -> tuple[Placed, ...]:
    """Returns the columns that fit, with their widths. The first column after the mark is always kept.

    ``longest`` has, by index, the length of the longest text so far; other columns keep their width.
    """
    known = longest or {}
    kept = 1 + (columns[0] is MARK)
    by_rank = sorted(range(len(columns)), key=lambda i: (i >= kept, columns[i].rank, i))
    widths: dict[int, int] = {}
    left = room
    for index in by_rank:
        need = _min_width(columns[index], known.get(index), room)
        gap = GAP if widths else 0
        if need + gap <= left or not widths or (index < kept and left > gap):
            widths[index] = max(1, min(need, left - gap))
            left -= widths[index] + gap
    shown = [i for i in by_rank if i in widths]
    wanted = [(i, min(known[i], columns[i].max_width)) for i in shown if i in known]
    for index, width in (*wanted, *((i, columns[i].max_width) for i in shown if columns[i].fill)):
        more = max(0, min(left, width - widths[index]))
        widths[index] += more
        left -= more
    return tuple(Placed(columns[i], i, widths[i]) for i in sorted(widths))


def _min_width(column: Column, longest: int | None, room: int) -> int:
    """Returns a column's ``width``, or less if its title and texts are shorter.

    A name (rank 0) is more useful than another column: it gets its whole text, up to a third of the terminal.
    """
    if longest is None:
        return column.width
    wanted = column.width if column.rank else max(column.width, min(longest, column.max_width, room // 3))
    return min(wanted, max(len(column.title), longest, column.min_width))


def aligned(text: str, width: int, *, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - rich only where something is drawn

    text = plain(text)  # also if a screen forgot it
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    return " " * (width - length) + text if right else text + " " * (width - length)
