"""Which columns of a table fit, and how wide each is: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: plain text and its tone. A change of a ``volatile`` one (sparkline, age) is not marked."""

    text: str
    tone: Tone = Tone.NORMAL
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: identifies it.
        title: its head.
        width: columns it needs.
        rank: those with the lowest rank stay when the terminal is narrow.
        right: align right.
        stretch: how much of the room that is left it takes, in parts.
        most: it grows to at most this many columns.
    """

    name: str
    title: str
    width: int
    rank: int = 0
    right: bool = False
    stretch: int = 0
    most: int = 999


@dataclass(frozen=True, slots=True)
class Placed:
    """A column that fits, with its width."""

    column: Column
    index: int
    width: int


def fit(columns: tuple[Column, ...], room: int) -> tuple[Placed, ...]:
    """The columns that fit into ``room``, in their order; those of low rank first, then the rest is given away.

    The first column always stays, however narrow the terminal is.
    """
    chosen: list[int] = []
    used = 0
    for index in sorted(range(len(columns)), key=lambda i: (columns[i].rank, i)):
        need = columns[index].width + (GAP if chosen else 0)
        if used + need <= room or not chosen:
            chosen.append(index)
            used += need
    chosen.sort()
    widths = {i: columns[i].width for i in chosen}
    _stretch(columns, widths, room - used)
    return tuple(Placed(columns[i], i, max(1, min(widths[i], room))) for i in chosen)


def _stretch(columns: tuple[Column, ...], widths: dict[int, int], left: int) -> None:
    while left > 0:
        able = [i for i in widths if columns[i].stretch and widths[i] < columns[i].most]
        parts = sum(columns[i].stretch for i in able)
        if not parts:
            return
        given = 0
        for i in able:
            share = min(max(1, left * columns[i].stretch // parts), columns[i].most - widths[i], left - given)
            widths[i] += share
            given += share
        left -= given


def aligned(text: str, width: int, *, right: bool) -> str:
    """Exactly ``width`` columns; what is too long ends in ``~`` so that nobody takes it for the whole."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - rich only where something is drawn

    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "~" if width > 1 else set_cell_size(text, width)
    return " " * (width - length) + text if right else text + " " * (width - length)
