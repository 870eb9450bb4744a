from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from kvtui.actions.core.daemon import FileStep
from kvtui.actions.core.step import StepError, StepState, os_errors_as
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.track_value import SetTrackValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.actions.core.step import Json


class RemoveTempFile(FileStep, frozen=True):
    """A step: removes it. Nothing reads it, so that undo does nothing."""

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
