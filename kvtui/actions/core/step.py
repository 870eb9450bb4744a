"""Every action is a list of small reversible steps: that makes it undoable, and recoverable after a kill -9.

A step knows the value before and the value after. It is journaled before it is done, so that the next kvtui can tell
for each step whether it is pending, applied, or in conflict with what something else did.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Protocol

Json = dict[str, Any]


class StepState(StrEnum):
    """System state relative to a step."""

    PENDING = "pending"
    APPLIED = "applied"
    CONFLICT = "conflict"
    """Something else changed it since: kvtui leaves it alone."""


def value_state(value: int, before: int, after: int) -> StepState:
    return StepState.PENDING if value == before else StepState.APPLIED if value == after else StepState.CONFLICT


class StepError(RuntimeError):
    """A step failed; the text says what, why, and what to do next."""


class Step(Protocol):
    """One reversible change of the system. Blocking: the runner calls it in a thread."""

    kind: ClassVar[str]
    """Its name in the journal."""

    def describe(self) -> str:
        """Returns what it does, in one line; empty when it only prepares the way back."""
        ...

    def describe_undo(self) -> str:
        """Returns what undoing it does, in one line; empty when that does nothing."""
        ...

    def state(self) -> StepState:
        """Returns its state now.

        Raises:
            StepError: it is unknown.
        """
        ...

    def do(self) -> None:
        """Applies it.

        Raises:
            StepError: it failed; then it is still pending.
        """
        ...

    def undo(self) -> None:
        """Undoes it.

        Raises:
            StepError: it failed.
        """
        ...

    def to_json(self) -> Json:
        """Returns all that a later kvtui needs to undo it; no secrets."""
        ...


class StepFactory(Protocol):
    def __call__(self, data: Json, /) -> Step: ...
