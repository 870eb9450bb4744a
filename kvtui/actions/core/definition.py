"""The definition of an action: keys, command palette, dialogs, command line and completion all read it.

Definitions are loaded at every start of kvtui, so that a definition's module imports what plans the action only inside
``plan`` and ``dialog_options``.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.intent import CannotPlanError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.dialog_options import Ask, Option
    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.plan import ActionKind
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.watch import Watch
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation


class Target(Enum):
    """What an action is done to: on a screen, what must be under the cursor."""

    NODE = "node"
    REAL_SERVER = "real server"
    INSTANCE = "instance"


class Argument(Struct, frozen=True):
    """A positional parameter of the command line.

    Attributes:
        help: one sentence.
        metavar: how ``--help`` writes it; empty for its name.
        least: smallest number.
        most: largest number.
    """

    help: str
    metavar: str = ""
    least: int | None = None
    most: int | None = None


class Flag(Struct, frozen=True):
    """An option of the command line.

    Attributes:
        name: such as ``--wait``, or ``--yes/--no``.
        help: one sentence.
        least: smallest number.
    """

    name: str
    help: str
    least: int | None = None


class UsageError(ValueError):
    """A parameter of the command line has a wrong value.

    Args:
        text: what is wrong, and what to write.
        parameter: which one, as the user typed it.
    """

    def __init__(self, text: str, parameter: str) -> None:
        super().__init__(text)
        self.parameter = parameter


class PlanRequest(Struct, frozen=True):
    """What a plan is made from.

    Attributes:
        intent: what is wanted.
        observation: the node now.
        watch: gives new observations, for the verification.
        backend: the world to act in.
    """

    intent: Intent
    observation: Observation
    watch: Watch
    backend: ActionBackend

    def keepalived(self) -> Keepalived:
        """Returns the chosen keepalived.

        Raises:
            CannotPlanError: there is none.
        """
        keepalived = self.observation.snapshot.chosen_keepalived
        if keepalived is None:
            raise CannotPlanError(f"no keepalived to act on: {self.observation.snapshot.sources[0].detail}")
        return keepalived


def no_options(_intent: Intent, _observation: Observation | None, _action: Action | None) -> Iterable[Option]:
    """Returns no choices."""
    return ()


def nothing_missing(_intent: Intent, _observation: Observation | None) -> Ask | None:
    """Returns None: the intent is complete."""
    return None


class ActionDefinition(Struct, frozen=True):
    """One action.

    Attributes:
        kind: its name, and that of its command.
        command: returns the intent for the parameters of the command line. Its signature (with ``Argument`` and
            ``Flag`` in ``Annotated``) is the command's, its docstring the command's help.
        plan: returns the plan with its steps; reads the world and writes nothing.
        key: on every screen; empty when it has none.
        label: a word for the key line.
        tooltip: a sentence for the help and the command palette.
        target: what it is done to.
        dialog_options: returns what can be chosen in the dialog that shows the plan.
        missing: returns the number without which there is no plan; None when the intent is complete.
    """

    kind: ActionKind
    command: Callable[..., Intent]
    plan: Callable[[PlanRequest], Awaitable[Action]]
    key: str = ""
    label: str = ""
    tooltip: str = ""
    target: Target = Target.NODE
    dialog_options: Callable[[Intent, Observation | None, Action | None], Iterable[Option]] = no_options
    missing: Callable[[Intent, Observation | None], Ask | None] = nothing_missing
