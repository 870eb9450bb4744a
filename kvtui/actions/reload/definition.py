from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Flag, PlanRequest
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.actions.core.dialog_options import Option
    from kvtui.actions.core.runner import Action
    from kvtui.model.check import CheckResult
    from kvtui.model.observation import Observation


def reload(
    no_try: Annotated[bool, Flag("--no-try", "Do not run new or changed checks and scripts first.")] = False,
) -> Intent:
    """Test the config, send SIGHUP, verify that it runs.

    kvtui first runs new or changed checks and scripts once, and shows their results in the plan.

    Example: kvtui --reason "new VIP" reload
    """
    return Intent(ActionKind.RELOAD, no_try=no_try)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.reload.plan import plan_reload  # noqa: PLC0415 - see core.definition

    backend = request.backend
    preflight = await to_thread(request.run_preflight)
    results: tuple[CheckResult, ...] = ()
    if not request.intent.no_try and not request.observation.snapshot.node.read_only:
        results = await backend.trials.try_checks(backend, request.keepalived(), preflight.running, preflight.conf)
    return plan_reload(request.observation, preflight, request.watch, backend, results)


def _options(intent: Intent, _observation: Observation | None, _action: Action | None) -> Iterable[Option]:
    from msgspec.structs import replace  # noqa: PLC0415 - see core.definition

    from kvtui.actions.core.dialog_options import Option, yes_no  # noqa: PLC0415 - see core.definition

    tries = replace(intent, no_try=not intent.no_try)
    return (Option("n", "--no-try", "try new checks", yes_no(on=not intent.no_try), tries),)


RELOAD = ActionDefinition(
    ActionKind.RELOAD, reload, _plan, "r", "Reload", "Test the config, reload it", dialog_options=_options
)
