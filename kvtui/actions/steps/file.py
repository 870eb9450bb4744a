"""Writes one file of keepalived: atomically, byte for byte, and only when nothing else changed it.

The texts hold passwords, so that the journal has only their digests and the edit: either text is rebuilt from the
other, and its digest proves it.
"""

from __future__ import annotations

import errno
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Self

from kvtui.actions.core.daemon import Daemon, FileStep
from kvtui.actions.core.obstacle import obstacle
from kvtui.actions.core.step import Json, StepError, StepState, os_errors_as, value_state
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.backend.conf.editor import EditError, set_priority

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class ReplaceFile(FileStep, frozen=True):
    """A step: give one instance another priority in its file, every other byte as it was."""

    kind: ClassVar[str] = "file"
    journaled_fields = ("daemon", "path", "instance", "priority", "digests")

    instance: str
    priority: tuple[int, int]
    digests: tuple[str, str]

    @classmethod
    def plan(cls, daemon: Daemon, path: str, text: str, instance: str, priority: tuple[int, int]) -> Self:
        """Returns the step for a file that has ``text`` now; raises EditError, which says what to do."""
        edited = set_priority(text, instance, priority[1])
        return cls(daemon, path, instance, priority, (digest(_bytes(text)), digest(_bytes(edited))))

    def describe(self) -> str:
        old, new = self.priority
        return f"write {self.path} with priority {new} instead of {old} for {self.instance}"

    def describe_undo(self) -> str:
        return f"restore priority {self.priority[0]} of {self.instance} in {self.path}"

    def state(self) -> StepState:
        with os_errors_as(f"{self.path} cannot be read"):
            return value_state(digest(self._read()), *self.digests)

    def do(self) -> None:
        self._edit(self.priority[1], self.digests)

    def undo(self) -> None:
        before, after = self.digests
        self._edit(self.priority[0], (after, before))

    def _edit(self, priority: int, digests: tuple[str, str]) -> None:
        try:
            data = self._read()
            if digest(data) != digests[0]:
                raise StepError(f"{self.path} was changed by something else: check it and try again")
            edited = _bytes(set_priority(data.decode("utf-8", "surrogateescape"), self.instance, priority))
            if digest(edited) != digests[1]:
                raise StepError(f"{self.path} would differ from the original: set its priority to {priority} by hand")
            self._write(edited, data)
        except EditError as why:
            raise StepError(f"{self.path}: {why}") from why
        except OSError as error:
            raise StepError(f"{self.path} was not written: {self._reason(error)}") from error

    def _read(self) -> bytes:
        with self.daemon.place(self.path) as place:
            return place.read()

    def _write(self, data: bytes, instead_of: bytes) -> None:
        with self.daemon.place(self.path) as place:
            place.write(data, instead_of=instead_of)

    def _reason(self, error: OSError) -> str:
        if error.errno in (errno.EBUSY, errno.EROFS):
            return obstacle(self.daemon.pid, self.path) or str(error)
        return error.strerror or str(error)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class RemoveTempFile(FileStep, frozen=True):
    """A step: removes the temp files beside ``path``. Nothing reads them, so that undo does nothing."""

    kind: ClassVar[str] = "draft"
    journaled_fields = ("daemon", "path")

    def describe(self) -> str:
        return f"remove the temp file that an interrupted write left beside {self.path}"

    def describe_undo(self) -> str:
        return ""

    def state(self) -> StepState:
        failure = f"the folder of {self.path} cannot be read"
        with os_errors_as(failure), suppress(FileNotFoundError), self.daemon.place(self.path) as place:
            return StepState.PENDING if place.temp_files() else StepState.APPLIED
        return StepState.APPLIED

    def do(self) -> None:
        failure = f"the temp file beside {self.path} was not removed"
        with os_errors_as(failure), self.daemon.place(self.path) as place:
            place.remove_temp_files()

    def undo(self) -> None:
        """Nothing."""


def temp_file_steps(steps: Iterable[Json]) -> Iterator[RemoveTempFile]:
    """Yields the steps that remove what interrupted writes of these journaled steps left."""
    seen: set[RemoveTempFile] = set()
    for data in steps:
        inner = data.get("step") or data.get("file") or data
        inner = inner.get("file") or inner
        if inner.get("kind", SetTrackValue.kind) not in (ReplaceFile.kind, SetTrackValue.kind) or "path" not in inner:
            continue
        try:
            step = RemoveTempFile.from_json(inner)
            if step not in seen and step.state() is StepState.PENDING and not step.why_not_ours():
                yield step
        except (StepError, KeyError, TypeError, ValueError):
            continue  # a damaged line, or keepalived is gone and its files with it
        seen.add(step)
