"""What an action will do, why it is or is not safe, and what will happen: shown before anything is written."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from kvtui.actions.core.step import Step
    from kvtui.model.prediction import Prediction, Traffic


class ActionKind(StrEnum):
    """What an operator can ask for; also the name of the command."""

    RELOAD = "reload"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    PRIORITY = "priority"
    FAILOVER = "failover"
    UNDO = "undo"
    CHECK = "check"


class NoteSeverity(IntEnum):
    """What a note means for the plan."""

    NOTE = 0
    WARNING = 1
    UNSAFE = 2
    """Refused without --force."""
    IMPOSSIBLE = 3
    """Always refused: it cannot be done, or is sure to break something."""


class Note(Struct, frozen=True):
    severity: NoteSeverity
    text: str


class PlannedChange(Struct, frozen=True):
    what: str
    before: str
    after: str


class Plan(Struct, frozen=True):
    """A plan; pure data.

    Attributes:
        effects: what will happen on the wire and to clients, with times; shown first.
        prediction: the same for each instance of this node, as data.
        traffic: the same for each virtual server whose weights change.
    """

    kind: ActionKind
    target: str
    summary: str
    changes: tuple[PlannedChange, ...] = ()
    steps: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    diff: str = ""
    equivalent_commands: tuple[str, ...] = ()
    prediction: tuple[Prediction, ...] = ()
    traffic: tuple[Traffic, ...] = ()

    def refusal(self, *, force: bool) -> str | None:
        """Returns why it must not be done; None when it may."""
        limit = NoteSeverity.IMPOSSIBLE if force else NoteSeverity.UNSAFE
        reasons = [n.text for n in self.notes if n.severity >= limit]
        if not reasons:
            return None
        forceable = not force and all(n.severity <= NoteSeverity.UNSAFE for n in self.notes)
        return "; ".join(reasons) + (" (override with --force)" if forceable else "")


class PlanPart(Struct, frozen=True):
    """What one method brings into a plan; there are no ``steps`` when it cannot be done, or nothing is to be done."""

    steps: tuple[Step, ...] = ()
    notes: tuple[Note, ...] = ()
    changes: tuple[PlannedChange, ...] = ()
    diff: str = ""
    equivalent_commands: tuple[str, ...] = ()

    def with_note(self, severity: NoteSeverity, text: str) -> PlanPart:
        return replace(self, notes=(*self.notes, Note(severity, text)))

    @property
    def is_impossible(self) -> bool:
        return any(n.severity is NoteSeverity.IMPOSSIBLE for n in self.notes)

    def plan(
        self,
        kind: ActionKind,
        target: str,
        summary: str,
        effects: tuple[str, ...],
        prediction: tuple[Prediction, ...] = (),
    ) -> Plan:
        return Plan(
            kind=kind,
            target=target,
            summary=summary,
            changes=self.changes,
            steps=described(self.steps),
            effects=effects,
            notes=self.notes,
            diff=self.diff,
            equivalent_commands=self.equivalent_commands,
            prediction=prediction,
        )


def described(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Returns the steps in words; a step that only prepares the undo has none."""
    return tuple(text for step in steps if (text := step.describe()))
