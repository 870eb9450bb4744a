"""The state of the steps of one action together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.step import StepState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.actions.core.step import Json, Step

VALUES = ("before", "after", "existed")
"""Fields of a step in the journal that do not say which object it is about."""
KNOWN = (StepState.PENDING, StepState.APPLIED)


class StepStatus(Struct, frozen=True):
    """One step of an action, and its state now.

    Attributes:
        text: what the step does; empty when it only prepares the way back.
        step: to do or undo; None when this kvtui does not know it.
    """

    text: str
    state: StepState | None
    step: Step | None
    error: str = ""

    @property
    def problem(self) -> str:
        """Why it can be neither done nor undone; empty when it can."""
        if self.state in KNOWN:
            return ""
        return self.error or "it was changed by something else since"


def settled(steps: Sequence[Json], found: list[StepStatus]) -> list[StepStatus]:
    """Judges steps of one object together: a slow drain lowers one weight ten times.

    While the third of them is the last one done, the first finds neither of its values. When one step of the object
    is in a known state, those before it are applied and those after it are pending.
    """
    groups: dict[str, list[int]] = {}
    for index, data in enumerate(steps):
        groups.setdefault(object_of(data), []).append(index)
    judged = list(found)
    for indexes in groups.values():
        if len(indexes) < 2 or not any(found[i].state in KNOWN for i in indexes):
            continue
        # the last place that fits: a value that comes twice is taken for the later one
        last_done = max((i for i in indexes if found[i].state is StepState.APPLIED), default=-1)
        for i in indexes:
            judged[i] = replace(found[i], state=StepState.APPLIED if i <= last_done else StepState.PENDING)
    return judged


def object_of(data: Json) -> str:
    return repr(_without_values(data))


def _without_values(data: Json) -> list[tuple[str, Any]]:
    kept = {k: _without_values(v) if isinstance(v, dict) else v for k, v in data.items() if k not in VALUES}
    return sorted(kept.items(), key=lambda item: item[0])
