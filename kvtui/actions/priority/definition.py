from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Argument, Flag, Target, UsageError
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.actions.core.definition import PlanRequest
    from kvtui.actions.core.dialog_options import Ask, Option
    from kvtui.actions.core.runner import Action
    from kvtui.model.observation import Observation


def priority(
    instance: Annotated[str, Argument("Name of the vrrp_instance.")],
    value: Annotated[int | None, Argument("1 to 255.", least=1, most=255)] = None,
    reset: Annotated[bool, Flag("--reset", "Restore the priority from before kvtui changed it.")] = False,
    track_file: Annotated[
        bool | None,
        Flag("--track-file/--config-line", "Change its track file, or its line of the config; else automatic."),
    ] = None,
) -> Intent:
    """Change an instance's priority, and verify it on the wire.

    kvtui changes its track file, or one line of the config.

    Example: kvtui priority vips 90
    """
    if (value is None) is not reset:
        raise UsageError("give either a number from 1 to 255 or --reset", "VALUE")
    return Intent(ActionKind.PRIORITY, instance, value or 0, reset=reset, use_track_file=track_file)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.priority.plan import plan_priority, plan_reset  # noqa: PLC0415 - see core.definition

    intent, seen, watch, backend = request.intent, request.observation, request.watch, request.backend
    preflight = await to_thread(request.run_preflight)
    if intent.reset:
        return plan_reset(seen, preflight, intent.target, backend.journal.entries(), watch, backend)
    track = intent.use_track_file
    return plan_priority(seen, preflight, intent.target, intent.value, watch, backend, use_track_file=track)


def _options(intent: Intent, observation: Observation | None, action: Action | None) -> Iterable[Option]:
    from kvtui.actions.priority.options import priority_options  # noqa: PLC0415

    return priority_options(intent, observation, action)


def _missing(intent: Intent, observation: Observation | None) -> Ask | None:
    from kvtui.actions.priority.options import ask_priority  # noqa: PLC0415

    return None if intent.value or intent.reset else ask_priority(intent, observation)


PRIORITY = ActionDefinition(
    ActionKind.PRIORITY,
    priority,
    _plan,
    "p",
    "Priority",
    "Change the instance's priority",
    Target.INSTANCE,
    _options,
    _missing,
)
