"""Every action is a list of small reversible steps; that is what makes it undoable and kill -9 harmless.

A step knows the value before and the value after. It is written to the journal before it is done, so the next kvtui
can look at the world and say for each step: still before, already after, or neither, because somebody else was there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Protocol

Json = dict[str, Any]


class Side(StrEnum):
    """Where the world is, as seen from a step."""

    BEFORE = "before"
    AFTER = "after"
    NEITHER = "neither"
    """Somebody changed it since: kvtui will not touch it."""


class StepFailed(RuntimeError):  # noqa: N818 - it is what happened, not a kind of error
    """A step could not be done; the text says what, why, and what to do next."""


class Step(Protocol):
    """One reversible change of the world. Blocking: the runner calls it in a thread."""

    kind: ClassVar[str]
    """What names it in the journal."""

    def describe(self) -> str:
        """What it does, in one line."""
        ...

    def look(self) -> Side:
        """Where the world is now.

        Raises:
            StepFailed: it cannot be told.
        """
        ...

    def do(self) -> None:
        """From before to after.

        Raises:
            StepFailed: it could not be done; then the world is still before.
        """
        ...

    def undo(self) -> None:
        """From after to before.

        Raises:
            StepFailed: it could not be done.
        """
        ...

    def to_json(self) -> Json:
        """Everything that is needed to undo it later, after kvtui was restarted; no secrets."""
        ...


class StepFactory(Protocol):
    """Makes a step again from the journal."""

    def __call__(self, data: Json, /) -> Step:
        """The step whose ``to_json`` this was."""
        ...
