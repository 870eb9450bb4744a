"""All actions. Keys, command palette, dialogs, command line and completion read this list."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, get_args, get_type_hints

from msgspec.structs import replace

from kvtui.actions.check.definition import CHECK
from kvtui.actions.core.definition import Argument, PlanRequest
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.definition import DRAIN, UNDRAIN
from kvtui.actions.failover.definition import FAILOVER
from kvtui.actions.priority.definition import PRIORITY
from kvtui.actions.reload.definition import RELOAD
from kvtui.actions.undo.definition import UNDO

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.definition import ActionDefinition
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
    CHECK,
)
"""In the order of ``kvtui --help`` and of the keys."""

MOVES_VIPS = frozenset({ActionKind.RELOAD, ActionKind.PRIORITY, ActionKind.FAILOVER, ActionKind.UNDO})
"""Actions whose plans predict an election: keepalived's log names nodes that are silent."""
DEFINITIONS = {action.kind: action for action in ACTIONS}


async def plan(intent: Intent, observation: Observation, watch: Watch, backend: ActionBackend) -> Action:
    """Returns the plan for an intent; writes nothing.

    Raises:
        CannotPlanError: there is no such target; the text lists the targets.
        ValueError: a value is out of range, or the target cannot be parsed.
        OSError: the journal or the config cannot be read.
    """
    keepalived = observation.snapshot.chosen_keepalived
    if intent.kind in MOVES_VIPS and keepalived is not None and observation.snapshot.log is None:
        import asyncio  # noqa: PLC0415 - completion and help need the registry, and no event loop

        log = await asyncio.to_thread(backend.log, keepalived)
        observation = replace(observation, snapshot=replace(observation.snapshot, log=log))
    action = await DEFINITIONS[intent.kind].plan(PlanRequest(intent, observation, watch, backend))
    return replace(action, plan=backend.plan(action.plan))


def intent_of(command: str) -> Intent | None:
    """Returns the intent of a ``kvtui`` command such as a finding's remedy; None for any other command."""
    try:
        program, kind, *words = shlex.split(command)
        return _intent(DEFINITIONS[ActionKind(kind)], words) if program == "kvtui" else None
    except ValueError:
        return None


def _intent(definition: ActionDefinition, words: list[str]) -> Intent | None:
    """Raises ValueError for a wrong value."""
    hints = get_type_hints(definition.command, include_extras=True)
    parameters = {name: get_args(hint) for name, hint in hints.items() if name != "return"}
    names = [name for name, (_type, parameter) in parameters.items() if isinstance(parameter, Argument)]
    flags = {parameter.name: name for name, (_type, parameter) in parameters.items() if name not in names}
    values: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        name = flags.get(word) or next((n for n in names if n not in values), None)
        if name is None or (word.startswith("-") and word not in flags):
            return None
        kind = parameters[name][0]
        types = get_args(kind) or (kind,)
        text = next(rest, "") if word in flags and bool not in types else word
        values[name] = True if bool in types else int(text) if int in types else text
    return definition.command(**values)


def dialog_options(intent: Intent, observation: Observation | None, action: Action | None = None) -> tuple[Option, ...]:
    return tuple(DEFINITIONS[intent.kind].dialog_options(intent, observation, action))


def missing(intent: Intent, observation: Observation | None = None) -> Ask | None:
    return DEFINITIONS[intent.kind].missing(intent, observation)
