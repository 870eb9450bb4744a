from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec.structs import replace

from kvtui.actions.core.definition import ActionDefinition, Argument, Flag, TargetKind, UsageError
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.definition import PlanRequest
    from kvtui.actions.core.dialog_options import Ask, Option
    from kvtui.actions.core.runner import Action
    from kvtui.model.observation import Observation


def priority(
    instance: Annotated[str, Argument("Name of the vrrp_instance.")],
    value: Annotated[int | None, Argument("1 to 255.", minimum=1, maximum=255)] = None,
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


def _options(intent: Intent, observation: Observation | None, action: Action | None) -> Iterator[Option]:
    from kvtui.actions.core.dialog_options import Option, yes_no  # noqa: PLC0415

    if not intent.reset:
        value = str(intent.value) if intent.value else "?"
        yield Option("v", "VALUE", "value", value, ask=_ask(intent, observation))
        tracked = intent.use_track_file
        if tracked is None and action is not None:
            tracked = any(step.kind == "track value" for step in action.steps)
        by = "automatic" if tracked is None else "its track file" if tracked else "its config"
        yield Option("t", "--track-file", "method", by, replace(intent, use_track_file=not tracked))
    yield Option("r", "--reset", "reset", yes_no(on=intent.reset), replace(intent, reset=not intent.reset))


def _missing(intent: Intent, observation: Observation | None) -> Ask | None:
    return None if intent.value or intent.reset else _ask(intent, observation)


def _ask(intent: Intent, observation: Observation | None) -> Ask:
    from kvtui.actions.core.dialog_options import Ask  # noqa: PLC0415

    instances = (observation.vrrp_instances or ()) if observation is not None else ()
    now = next((i.effective_priority or i.priority for i in instances if i.name == intent.target), None)
    what = f"New priority of {intent.target}" + (f" (now {now})" if now is not None else "")
    return Ask(what, 1, 254 if intent.use_track_file else 255, lambda n: replace(intent, value=n, reset=False))


PRIORITY = ActionDefinition(
    ActionKind.PRIORITY,
    priority,
    _plan,
    "p",
    "Priority",
    "Change the instance's priority",
    TargetKind.INSTANCE,
    _options,
    _missing,
)
