"""A step the other way round: how an action is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kvtui.actions.core.step import Side
from kvtui.actions.core.step_kinds import make
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json, Step

OTHER = {Side.BEFORE: Side.AFTER, Side.AFTER: Side.BEFORE, Side.NEITHER: Side.NEITHER}


@dataclass(frozen=True, slots=True)
class Reversed:
    """Does what ``step`` undoes, and undoes what it does."""

    kind: ClassVar[str] = "reversed"

    step: Step

    def describe(self) -> str:
        """In one line."""
        return f"take back «{self.step.describe()}»"

    def look(self) -> Side:
        """Seen from the other side."""
        return OTHER[self.step.look()]

    def recall(self, *, done: bool) -> None:
        """See ``HangUp.recall``."""
        if recall := getattr(self.step, "recall", None):
            recall(done=not done)

    def do(self) -> None:
        """Undo the step."""
        self.step.undo()

    def undo(self) -> None:
        """Do the step again."""
        self.step.do()

    def to_json(self) -> Json:
        """For the journal."""
        return {"step": {"kind": self.step.kind, **self.step.to_json()}}

    @classmethod
    def from_json(cls, data: Json) -> Reversed:
        """From the journal.

        Raises:
            UnknownStep: the step inside is not known.
        """
        return cls(make(data["step"]))
