"""The definition of an action: keys, command palette, dialogs, command line and completion all read it.

Definitions are loaded at every start of kvtui, so that a definition's module imports what plans the action only inside
``plan`` and ``dialog_options``.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.intent import CannotPlanError, Intent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.dialog_options import Ask, Option
    from kvtui.actions.core.plan import ActionKind
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.watch import Watch
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation


class TargetKind(Enum):
    """What an action is done to: on a screen, what must be under the cursor."""

    NODE = "node"
    REAL_SERVER = "real server"
    INSTANCE = "instance"


class Argument(Struct, frozen=True):
    help: str
    metavar: str = ""
    minimum: int | None = None
    maximum: int | None = None


class Flag(Struct, frozen=True):
    """An option of the command line; ``name`` is such as ``--wait``, or ``--yes/--no``."""

    name: str
    help: str
    minimum: int | None = None


class UsageError(ValueError):
    def __init__(self, text: str, parameter: str) -> None:
        super().__init__(text)
        self.parameter = parameter


class PlanRequest(Struct, frozen=True):
    intent: Intent
    observation: Observation
    watch: Watch
    backend: ActionBackend

    def run_preflight(self) -> Preflight:
        """Blocking."""
        return self.backend.run_preflight(self.keepalived(), force=self.intent.force)

    def keepalived(self) -> Keepalived:
        keepalived = self.observation.snapshot.chosen_keepalived
        if keepalived is None:
            raise CannotPlanError(f"no keepalived to act on: {self.observation.snapshot.sources[0].detail}")
        return keepalived


class ActionDefinition(Struct, frozen=True):
    """One action.

    Attributes:
        command: returns the intent for the parameters of the command line. Its signature (with ``Argument`` and
            ``Flag`` in ``Annotated``) is the command's, its docstring the command's help.
        missing: returns the number without which there is no plan; None when the intent is complete.
    """

    kind: ActionKind
    command: Callable[..., Intent]
    plan: Callable[[PlanRequest], Awaitable[Action]]
    key: str = ""
    label: str = ""
    tooltip: str = ""
    target: TargetKind = TargetKind.NODE
    dialog_options: Callable[[Intent, Observation | None, Action | None], Iterable[Option]] = lambda *_: ()
    missing: Callable[[Intent, Observation | None], Ask | None] = lambda *_: None
