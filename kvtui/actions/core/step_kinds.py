"""The kinds of steps; rebuilds a step from the journal."""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.intent import CannotPlanError
from kvtui.actions.core.step import Json, Step, StepState, step_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KINDS = {
    "weight": "kvtui.actions.steps.weight:SetWeight",
    "sysctl": "kvtui.actions.steps.sysctl:SetSysctl",
    "track value": "kvtui.actions.steps.track_value:SetTrackValue",
    "check value": "kvtui.actions.steps.check_value:SetCheckValue",
    "file": "kvtui.actions.steps.file:ReplaceFile",
    "config": "kvtui.actions.steps.kept_config:KeepConfig",
    "hangup": "kvtui.actions.steps.reload:ReloadStep",
    "address": "kvtui.actions.steps.address:RemoveAddress",
    "draft": "kvtui.actions.steps.file:RemoveTempFile",
    "reversed": "kvtui.actions.core.step_kinds:Reversed",
}
"""``kind`` of a step → ``module:class``; the class has a ``from_json``."""

VALUE_KINDS = frozenset({"weight", "track value", "check value"})
"""Kinds of steps that set one value, and need no digest of everything around it."""

OPPOSITE = {StepState.PENDING: StepState.APPLIED, StepState.APPLIED: StepState.PENDING}


class UnknownStepError(CannotPlanError):
    """The journal has a step that this kvtui cannot rebuild: another version wrote it, or the line is damaged."""


def make(data: Json) -> Step:
    """Rebuilds the step that the journal describes; raises UnknownStepError."""
    kind = str(data.get("kind"))
    if kind not in KINDS:
        raise UnknownStepError(f"this kvtui does not know steps of kind {kind!r}; use the version that wrote them")
    module, _, name = KINDS[kind].partition(":")
    from_json: Callable[[Json], Step] = getattr(import_module(module), name).from_json
    try:
        return from_json(data)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise UnknownStepError(f"a step of kind {kind!r} in the journal cannot be read: {error!r}") from error


def readable_steps(steps: Iterable[Json], *kinds: str) -> list[Step]:
    """Rebuilds the steps of these kinds, or of all; one that cannot be read must not hide the others."""
    found = []
    for data in steps:
        if not kinds or data.get("kind") in kinds:
            with contextlib.suppress(UnknownStepError):
                found.append(make(data))
    return found


class Reversed(Struct, frozen=True):
    """Does what ``step`` undoes, and undoes what it does."""

    kind: ClassVar[str] = "reversed"

    step: Step

    def describe(self) -> str:
        return self.step.describe_undo()

    def describe_undo(self) -> str:
        return self.step.describe()

    def state(self) -> StepState:
        state = self.step.state()
        return OPPOSITE.get(state, state)

    def recall(self, *, done: bool) -> None:
        if recall := getattr(self.step, "recall", None):
            recall(done=not done)

    def do(self) -> None:
        self.step.undo()

    def undo(self) -> None:
        self.step.do()

    def to_json(self) -> Json:
        return {"step": step_json(self.step)}

    @classmethod
    def from_json(cls, data: Json) -> Reversed:
        return cls(make(data["step"]))
