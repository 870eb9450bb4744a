"""Every action is a list of small reversible steps: that makes it undoable, and recoverable after a kill -9.

A step knows the value before and the value after. It is journaled before it is done, so that the next kvtui can tell
for each step whether it is pending, applied, or in conflict with what something else did.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]

VALUES = ("before", "after", "existed")
"""Fields of a step in the journal that do not say which object it is about."""


class StepState(StrEnum):
    """System state relative to a step."""

    PENDING = "pending"
    APPLIED = "applied"
    CONFLICT = "conflict"
    """Something else changed it since: kvtui leaves it alone."""


KNOWN = (StepState.PENDING, StepState.APPLIED)


class StepError(RuntimeError):
    """A step failed; the text says what, why, and what to do next."""


@contextmanager
def os_errors_as(failure: str) -> Iterator[None]:
    """Raises a StepError that begins with ``failure`` in place of an OSError."""
    try:
        yield
    except OSError as error:
        raise StepError(f"{failure}: {error.strerror or error}") from error


class Step(Protocol):
    """One reversible change of the system. Blocking: the runner calls it in a thread."""

    kind: ClassVar[str]
    """Its name in the journal."""

    def describe(self) -> str:
        """Returns what it does, in one line; empty when it only prepares the undo."""

    def describe_undo(self) -> str:
        """Returns what undoing it does, in one line; empty when that does nothing."""

    def state(self) -> StepState:
        """Raises StepError when the state is unknown."""

    def do(self) -> None:
        """Raises StepError when it failed; then it is still pending."""

    def undo(self) -> None:
        """Raises StepError when it failed."""

    def to_json(self) -> Json:
        """Returns all that a later kvtui needs to undo it; no secrets."""


def step_json(step: Step) -> Json:
    return {"kind": step.kind, **step.to_json()}


def from_builtins(data: object, kind: Any) -> Any:
    """As ``msgspec.convert``; raises ValueError, which that does not with msgspec 0.20."""
    try:
        return convert(data, kind)
    except ValidationError as error:
        raise ValueError(str(error)) from error


def value_state(value: object, before: object, after: object) -> StepState:
    return StepState.PENDING if value == before else StepState.APPLIED if value == after else StepState.CONFLICT


class StepStatus(Struct, frozen=True):
    """One step of an action, and its state now; ``step`` is None when this kvtui does not know it."""

    text: str
    state: StepState | None
    step: Step | None
    error: str = ""

    @classmethod
    def of(cls, step: Step, error: str = "") -> StepStatus:
        try:
            return cls(step.describe(), step.state(), step, error)
        except StepError as why:
            return cls(step.describe(), None, step, str(why))

    @property
    def problem(self) -> str:
        """Why it can be neither done nor undone; empty when it can."""
        return "" if self.state in KNOWN else self.error or "it was changed by something else since"


def settled(steps: Sequence[Json], found: Sequence[StepStatus]) -> list[StepStatus]:
    """Judges steps of one object together: a slow drain lowers one weight ten times.

    While the third of them is the last one done, the first finds neither of its values. When one step of the object
    is in a known state, those before it are applied and those after it are pending.
    """
    groups: dict[str, list[int]] = {}
    for index, data in enumerate(steps):
        groups.setdefault(object_of(data), []).append(index)
    evaluated = list(found)
    for indexes in groups.values():
        if len(indexes) < 2 or not any(found[i].state in KNOWN for i in indexes):
            continue
        # the last place that fits: a value that comes twice is taken for the later one
        last_done = max((i for i in indexes if found[i].state is StepState.APPLIED), default=-1)
        for i in indexes:
            evaluated[i] = replace(found[i], state=StepState.APPLIED if i <= last_done else StepState.PENDING)
    return evaluated


def object_of(data: Json) -> str:
    """Returns the same text for all steps that are about one object."""
    return repr(_without_values(data))


def _without_values(data: Json) -> list[tuple[str, Any]]:
    return sorted((k, _without_values(v) if isinstance(v, dict) else v) for k, v in data.items() if k not in VALUES)
