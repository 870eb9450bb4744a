"""The demo's journal: in memory, so that nothing is left of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.actions.core.journal import Journal, JournalLockedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.step import Json


class MemoryJournal(Journal):
    def __init__(self) -> None:
        super().__init__(Path("the demo's memory"))
        self._lines: list[str] = []
        self._held = ""
        self._current = ""

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        if self._held:
            raise JournalLockedError(f'"{self._held}" is running on the demo; try again when it is done')
        self._held, self._mine = what or "something", True
        try:
            yield
        finally:
            self._held = self._current = ""
            self._mine = False

    def busy(self) -> bool:
        return bool(self._held)

    def begin(self, entry: Entry) -> None:
        super().begin(entry)
        self._current = entry.id

    def unfinished(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries() if e.result is None and e.id != self._current)

    def _append(self, event: Json) -> None:
        self._lines.append(json.dumps(event))

    def _text(self) -> str:
        return "\n".join(self._lines)
