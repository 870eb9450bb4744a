from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.step import StepState
from kvtui.actions.core.step_kinds import make

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json, Step

OTHER = {
    StepState.PENDING: StepState.APPLIED,
    StepState.APPLIED: StepState.PENDING,
    StepState.CONFLICT: StepState.CONFLICT,
}


class Reversed(Struct, frozen=True):
    """Does what ``step`` undoes, and undoes what it does."""

    kind: ClassVar[str] = "reversed"

    step: Step

    def describe(self) -> str:
        return self.step.describe_undo()

    def describe_undo(self) -> str:
        return self.step.describe()

    def state(self) -> StepState:
        return OTHER[self.step.state()]

    def recall(self, *, done: bool) -> None:
        if recall := getattr(self.step, "recall", None):
            recall(done=not done)

    def do(self) -> None:
        self.step.undo()

    def undo(self) -> None:
        self.step.do()

    def to_json(self) -> Json:
        return {"step": {"kind": self.step.kind, **self.step.to_json()}}

    @classmethod
    def from_json(cls, data: Json) -> Reversed:
        """From the journal.

        Raises:
            UnknownStepError: the step inside is unknown.
        """
        return cls(make(data["step"]))
