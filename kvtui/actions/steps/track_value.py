"""The number in a track file: keepalived's own control of the priority at run time (``track_file``, 2.0.0+)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import ClassVar

from kvtui.actions.core.daemon import FileStep
from kvtui.actions.core.step import StepState, os_errors_as, value_state
from kvtui.model.text import shell_word

_NUMBER = re.compile(r"\s*([+-]?\d{1,20})", re.ASCII)
MAX_BYTES = 64 << 10
"""Of a track file, which has one number."""


def value_of(text: str) -> int:
    """Returns what keepalived reads: the number at the start of the text, else 0 (``process_track_file``; measured)."""
    match = _NUMBER.match(text)
    return int(match[1]) if match else 0


def write_number(value: int, path: str) -> str:
    return f"echo {value} > {shell_word(path)}"


class SetTrackValue(FileStep, frozen=True):
    """A step: another number in a track file. One that is not there counts as 0, and is removed by the undo."""

    kind: ClassVar[str] = "track value"
    journaled_fields = ("daemon", "path", "before", "after", "existed")

    before: int
    after: int
    existed: bool = True

    def describe(self) -> str:
        return f"write {self.after} into track file {self.path} ({self.before} now)"

    def describe_undo(self) -> str:
        return f"restore {self.before} in track file {self.path}" if self.existed else f"remove track file {self.path}"

    def state(self) -> StepState:
        return value_state(self._value(), self.before, self.after)

    def _value(self) -> int:
        failure = f"{self.path} cannot be read"
        with os_errors_as(failure), suppress(FileNotFoundError), self.daemon.place(self.path) as place:
            return value_of(place.read(MAX_BYTES).decode("utf-8", "replace"))
        return 0

    def do(self) -> None:
        self._write(self.after)

    def undo(self) -> None:
        if self.existed:
            self._write(self.before)
            return
        with os_errors_as(f"{self.path} was not removed"), self.daemon.place(self.path) as place:
            place.unlink()

    def _write(self, value: int) -> None:
        with os_errors_as(f"{self.path} was not written"), self.daemon.place(self.path) as place:
            place.write(f"{value}\n".encode(), create=True)
