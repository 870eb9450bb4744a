"""The hidden draft that a write leaves beside its file when kvtui is killed in the middle of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kvtui.actions.core.step import Side, StepFailed
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.steps.file import ReplaceFile, drafts_of
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.actions.core.step import Json


@dataclass(frozen=True, slots=True)
class RemoveDraft:
    """A step: remove it. Nobody reads it, so taking this back does nothing.

    Attributes:
        daemon: whose file.
        path: of the file that the draft was for, as keepalived names it.
    """

    kind: ClassVar[str] = "draft"

    daemon: Daemon
    path: str

    def describe(self) -> str:
        """In one line."""
        return f"remove the draft that a write cut short left beside {self.path}"

    def look(self) -> Side:
        """By whether there is one."""
        return Side.BEFORE if self._found() else Side.AFTER

    def do(self) -> None:
        """Remove it."""
        try:
            for draft in self._found():
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise StepFailed(f"the draft beside {self.path} was not removed: {error.strerror or error}") from error

    def undo(self) -> None:
        """Nothing."""

    def _found(self) -> list[Path]:
        return drafts_of(Path(self.daemon.outside(self.path)))

    def to_json(self) -> Json:
        """For the journal."""
        return {"daemon": self.daemon.to_json(), "path": self.path}

    @classmethod
    def from_json(cls, data: Json) -> RemoveDraft:
        """From the journal."""
        return cls(Daemon.from_json(data["daemon"]), str(data["path"]))


def drafts(steps: Iterable[Json]) -> Iterator[RemoveDraft]:
    """Those that are left beside the files which these steps of the journal write."""
    seen: set[RemoveDraft] = set()
    for data in steps:
        inner = data.get("step") or data.get("file") or data
        inner = inner.get("file") or inner
        if inner.get("kind", SetTrackValue.kind) not in (ReplaceFile.kind, SetTrackValue.kind) or "path" not in inner:
            continue
        try:
            step = RemoveDraft.from_json(inner)
            if step not in seen and step.look() is Side.BEFORE:
                yield step
        except (StepFailed, KeyError, TypeError, ValueError):
            continue  # a damaged line, or keepalived is gone and its files with it
        seen.add(step)
