"""The number in a track file: keepalived's own control of the priority at run time (``track_file``, 2.0.0+)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError, value_state
from kvtui.model.text import shell_word

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json, StepState

_NUMBER = re.compile(r"\s*([+-]?\d{1,20})", re.ASCII)
MAX_BYTES = 64 << 10
"""Of a track file, which has one number."""


def value_of(text: str) -> int:
    """Returns what keepalived reads: the number at the start of the text, else 0 (``process_track_file``; measured)."""
    match = _NUMBER.match(text)
    return int(match[1]) if match else 0


def write_number(value: int, path: str) -> str:
    """Returns the command that does it by hand."""
    return f"echo {value} > {shell_word(path)}"


class SetTrackValue(Struct, frozen=True):
    """A step: another number in a track file.

    Attributes:
        before: the number; a file that is not there counts as 0.
        existed: whether the file was there before; if not, it is removed again when the step is undone.
    """

    kind: ClassVar[str] = "track value"

    daemon: Daemon
    path: str
    before: int
    after: int
    existed: bool = True

    def describe(self) -> str:
        return f"write {self.after} into track file {self.path} ({self.before} now)"

    def describe_undo(self) -> str:
        return f"restore {self.before} in track file {self.path}" if self.existed else f"remove track file {self.path}"

    def why_not_ours(self) -> str:
        return self.daemon.why_not_its_file(self.path)

    def state(self) -> StepState:
        return value_state(self._value(), self.before, self.after)

    def _value(self) -> int:
        try:
            with self.daemon.place(self.path) as place:
                return value_of(place.read(MAX_BYTES).decode("utf-8", "replace"))
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StepError(f"{self.path} cannot be read: {error.strerror or error}") from error

    def do(self) -> None:
        self._write(self.after)

    def undo(self) -> None:
        if self.existed:
            self._write(self.before)
            return
        try:
            with self.daemon.place(self.path) as place:
                place.unlink()
        except OSError as error:
            raise StepError(f"{self.path} was not removed: {error.strerror or error}") from error

    def _write(self, value: int) -> None:
        try:
            with self.daemon.place(self.path) as place:
                place.write(f"{value}\n".encode(), create=True)
        except OSError as error:
            raise StepError(f"{self.path} was not written: {error.strerror or error}") from error

    def to_json(self) -> Json:
        data = {"daemon": self.daemon.to_json(), "path": self.path, "before": self.before, "after": self.after}
        return {**data, "existed": self.existed}

    @classmethod
    def from_json(cls, data: Json) -> SetTrackValue:
        daemon = Daemon.from_json(data["daemon"])
        return cls(daemon, str(data["path"]), int(data["before"]), int(data["after"]), bool(data["existed"]))
