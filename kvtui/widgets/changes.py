"""What is other than before: which cells to mark, and which parts of a line to draw again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from kvtui.presenters.cells import Cell

    Cells = tuple[Cell, ...]
    Drawn = tuple[Cells, frozenset[int]]
    """A row as it is drawn: its cells, and which of them are marked as changed."""

LASTS = 0.8
"""Seconds that a changed cell stays marked, even when a burst of events brings the next observation at once."""


class Changes:
    """Remembers the rows that were on the screen."""

    def __init__(self) -> None:
        self._before: Mapping[Hashable, Cells] = {}
        self._since: dict[Hashable, dict[int, float]] = {}

    def forget(self) -> None:
        """What comes next is no change."""
        self._before, self._since = {}, {}

    def take(self, rows: Mapping[Hashable, Cells], at: float | None, *, marking: bool) -> dict[Hashable, Drawn]:
        """The rows with their marks.

        Args:
            rows: cells by key.
            at: when they were read (seconds); None marks until the next call.
            marking: whether to mark anything.
        """
        since = {key: self._marks(key, cells, at) for key, cells in rows.items()} if marking else {}
        self._before, self._since = rows, since
        return {key: (cells, frozenset(since.get(key, ()))) for key, cells in rows.items()}

    def _marks(self, key: Hashable, cells: Cells, at: float | None) -> dict[int, float]:
        """Cells that changed just now, and those whose change is not yet old."""
        now = 0.0 if at is None else at
        lasting = {} if at is None else {i: t for i, t in self._since.get(key, {}).items() if 0 <= now - t < LASTS}
        return lasting | dict.fromkeys(changed(self._before.get(key), cells), now)


def changed(before: Cells | None, now: Cells) -> frozenset[int]:
    """Which cells say something else than before; a row that was not there is no change."""
    if before is None or len(before) != len(now):
        return frozenset()
    return frozenset(
        i for i, (old, new) in enumerate(zip(before, now, strict=True)) if old.text != new.text and not new.volatile
    )


def to_draw(old: tuple[Hashable, Drawn] | None, new: tuple[Hashable, Drawn]) -> frozenset[int] | None:
    """Which cells of a line to draw again; None for the whole line, since another row stands there now."""
    if old is None or old[0] != new[0] or len(old[1][0]) != len(new[1][0]):
        return None
    (before, marked), (now, marks) = old[1], new[1]
    return frozenset(
        i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b or (i in marked) != (i in marks)
    )
