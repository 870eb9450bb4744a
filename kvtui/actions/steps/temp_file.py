from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.track_value import SetTrackValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.actions.core.step import Json


class RemoveTempFile(Struct, frozen=True):
    """A step: removes it. Nothing reads it, so that undo does nothing."""

    kind: ClassVar[str] = "draft"

    daemon: Daemon
    path: str

    def describe(self) -> str:
        return f"remove the temp file that an interrupted write left beside {self.path}"

    def describe_undo(self) -> str:
        return ""

    def why_not_ours(self) -> str:
        return self.daemon.why_not_its_file(self.path)

    def state(self) -> StepState:
        return StepState.PENDING if self._found() else StepState.APPLIED

    def do(self) -> None:
        try:
            with self.daemon.place(self.path) as place:
                place.remove_temp_files()
        except OSError as error:
            raise StepError(f"the temp file beside {self.path} was not removed: {error.strerror or error}") from error

    def undo(self) -> None:
        """Nothing."""

    def _found(self) -> list[str]:
        try:
            with self.daemon.place(self.path) as place:
                return place.temp_files()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StepError(f"the folder of {self.path} cannot be read: {error.strerror or error}") from error

    def to_json(self) -> Json:
        return {"daemon": self.daemon.to_json(), "path": self.path}

    @classmethod
    def from_json(cls, data: Json) -> RemoveTempFile:
        return cls(Daemon.from_json(data["daemon"]), str(data["path"]))


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
