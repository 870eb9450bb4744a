"""All actions. Keys, command palette, dialogs, command line and completion read this list."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.definition import PlanRequest
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.definition import DRAIN, UNDRAIN
from kvtui.actions.failover.definition import FAILOVER
from kvtui.actions.priority.definition import PRIORITY
from kvtui.actions.reload.definition import RELOAD
from kvtui.actions.undo.definition import UNDO

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.dialog_options import Ask, Option
    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation

ACTIONS = (
    RELOAD,
    DRAIN,
    UNDRAIN,
    PRIORITY,
    FAILOVER,
    UNDO,
)
"""In the order of ``kvtui --help`` and of the keys."""

MOVES_VIPS = frozenset({ActionKind.RELOAD, ActionKind.PRIORITY, ActionKind.FAILOVER, ActionKind.UNDO})
"""Actions whose plans predict an election: keepalived's log names nodes that are silent."""
DEFINITIONS = {action.kind: action for action in ACTIONS}


async def plan(intent: Intent, observation: Observation, watch: Watch, backend: ActionBackend) -> Action:
    """Returns the plan for an intent; writes nothing.

    Raises:
        LookupError: there is no such target; the text lists the targets.
        ValueError: a value is out of range, or the target cannot be parsed.
        OSError: the journal or the config cannot be read.
    """
    keepalived = observation.snapshot.chosen_keepalived
    if intent.kind in MOVES_VIPS and keepalived is not None and observation.snapshot.log is None:
        log = await to_thread(backend.log, keepalived)
        observation = replace(observation, snapshot=replace(observation.snapshot, log=log))
    action = await DEFINITIONS[intent.kind].plan(PlanRequest(intent, observation, watch, backend))
    return replace(action, plan=backend.plan(action.plan))


def dialog_options(intent: Intent, observation: Observation | None, action: Action | None = None) -> tuple[Option, ...]:
    """Returns what can be chosen in the dialog of an intent, in the order in which it is shown."""
    return tuple(DEFINITIONS[intent.kind].dialog_options(intent, observation, action))


def missing(intent: Intent, observation: Observation | None = None) -> Ask | None:
    """Returns the number without which there is no plan; None when the intent is complete."""
    return DEFINITIONS[intent.kind].missing(intent, observation)
