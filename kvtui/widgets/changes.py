"""Tracks changed cells: which to highlight, and which to draw again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from kvtui.presenters.cells import Cell

    Cells = tuple[Cell, ...]
    Drawn = tuple[Cells, frozenset[int]]
    """A row on the screen: its cells, and the indexes of the highlighted ones."""

HIGHLIGHT_SECONDS = 0.8
"""How long a changed cell stays highlighted, also when the next observation comes sooner."""


class CellChanges:
    def __init__(self) -> None:
        self._before: Mapping[Hashable, Cells] = {}
        self._since: dict[Hashable, dict[int, float]] = {}

    def forget(self) -> None:
        self._before, self._since = {}, {}

    def take(self, rows: Mapping[Hashable, Cells], at: float | None, *, marking: bool) -> dict[Hashable, Drawn]:
        """Adds the cells to highlight; ``at``: when they were read (seconds); None highlights until the next call."""
        since = {key: self._marks(key, cells, at) for key, cells in rows.items()} if marking else {}
        self._before, self._since = rows, since
        return {key: (cells, frozenset(since.get(key, ()))) for key, cells in rows.items()}

    def _marks(self, key: Hashable, cells: Cells, at: float | None) -> dict[int, float]:
        now = 0.0 if at is None else at
        since = {} if at is None else self._since.get(key, {})
        recent = {i: t for i, t in since.items() if 0 <= now - t < HIGHLIGHT_SECONDS}
        return recent | dict.fromkeys(changed(self._before.get(key), cells), now)


def changed(before: Cells | None, now: Cells) -> frozenset[int]:
    """Returns the cells whose text changed; a new row has none."""
    if before is None or len(before) != len(now):
        return frozenset()
    return frozenset(
        i for i, (old, new) in enumerate(zip(before, now, strict=True)) if old.text != new.text and not new.volatile
    )


def to_draw(old: tuple[Hashable, Drawn] | None, new: tuple[Hashable, Drawn]) -> frozenset[int] | None:
    """Returns the cells of a line to draw again; None for the whole line, if it shows another row now."""
    if old is None or old[0] != new[0] or len(old[1][0]) != len(new[1][0]):
        return None
    (before, marked), (now, marks) = old[1], new[1]
    return frozenset(
        i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b or (i in marked) != (i in marks)
    )
