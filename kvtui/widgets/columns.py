"""Which columns of a table fit, and how wide each is: arithmetic only."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

GAP = 1
"""Blank columns between two cells."""


class Tone(StrEnum):
    """What a cell says by its colour; each also says it in words or by a mark."""

    NORMAL = "normal"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


class Cell(Struct, frozen=True):
    """A cell: plain text and its tone. A change of a ``volatile`` one (sparkline, age) is not marked."""

    text: str
    tone: Tone = Tone.NORMAL
    volatile: bool = False


class Column(Struct, frozen=True):
    """A column.

    Attributes:
        name: identifies it.
        title: its head.
        width: columns it needs, unless its title and what stands in it need less.
        rank: those with the lowest rank stay when the terminal is narrow, and grow first when it is wide.
        right: align right.
        most: it grows with what stands in it to at most this many columns.
        fill: it has no length of its own (a sparkline): it takes what the others leave, up to ``most``.
    """

    name: str
    title: str
    width: int
    rank: int = 0
    right: bool = False
    most: int = 999
    fill: bool = False


class Placed(Struct, frozen=True):
    """A column that fits, with its width."""

    column: Column
    index: int
    width: int


def fit(columns: tuple[Column, ...], room: int, longest: Mapping[int, int] | None = None) -> tuple[Placed, ...]:
    """The columns that fit into ``room``, in their order: those of low rank first, then each grows to its text.

    The first column always stays, however narrow the terminal is.

    Args:
        columns: all there are.
        room: columns of the terminal.
        longest: by index, the longest text seen so far; a column that is not in it keeps its width.
    """
    known = longest or {}
    by_rank = sorted(range(len(columns)), key=lambda i: (i > 0, columns[i].rank, i))
    widths: dict[int, int] = {}
    left = room
    for index in by_rank:
        need = _least(columns[index], known.get(index), room)
        gap = GAP if widths else 0
        if need + gap <= left or not widths:
            widths[index] = max(1, min(need, room))
            left -= widths[index] + gap
    for index in (i for i in by_rank if i in widths and i in known):
        more = max(0, min(left, min(known[index], columns[index].most) - widths[index]))
        widths[index] += more
        left -= more
    for index in (i for i in by_rank if i in widths and columns[i].fill):
        more = max(0, min(left, columns[index].most - widths[index]))
        widths[index] += more
        left -= more
    return tuple(Placed(columns[i], i, widths[i]) for i in sorted(widths))


def _least(column: Column, longest: int | None, room: int) -> int:
    """What a column cannot do without.

    That is its width, or less when its title and all that stands in it are shorter. A name (rank 0) is worth more than
    another column, so it has its whole text, up to a third of the room.
    """
    if longest is None:
        return column.width
    wanted = column.width if column.rank else max(column.width, min(longest, column.most, room // 3))
    return min(wanted, max(len(column.title), longest))


def aligned(text: str, width: int, *, right: bool) -> str:
    """Exactly ``width`` columns; what is too long ends in ``~`` so that nobody takes it for the whole."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - rich only where something is drawn

    text = plain(text)  # the last door: whatever a screen forgot
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "~" if width > 1 else set_cell_size(text, width)
    return " " * (width - length) + text if right else text + " " * (width - length)
