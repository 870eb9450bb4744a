from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Flag
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from kvtui.actions.core.definition import PlanRequest
    from kvtui.actions.core.runner import Action


def reload(
    no_try: Annotated[bool, Flag("--no-try", "Do not run new or changed checks and scripts before.")] = False,
) -> Intent:
    """Test the config, send SIGHUP, verify that it runs.

    Checks and scripts that are new or changed are run once before, and their results are in the plan.

    Example: kvtui --reason "new VIP" reload
    """
    return Intent(ActionKind.RELOAD, no_try=no_try)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from msgspec.structs import replace  # noqa: PLC0415 - see core.definition

    from kvtui.actions.core.trial import trial_notes  # noqa: PLC0415 - see core.definition
    from kvtui.actions.reload.plan import plan_reload  # noqa: PLC0415 - see core.definition
    from kvtui.model.check import SCRIPT  # noqa: PLC0415 - see core.definition

    backend = request.backend
    preflight = await to_thread(backend.run_preflight, request.keepalived())
    if request.intent.no_try or request.observation.snapshot.node.read_only:
        return plan_reload(request.observation, preflight, request.watch, backend)
    results = await backend.trials.try_checks(backend, request.keepalived(), preflight.running, preflight.conf)
    tried = {("script", r.check.name): r.passed for r in results if r.check.kind == SCRIPT and r.passed is not None}
    action = plan_reload(request.observation, preflight, request.watch, backend, tried)
    return replace(action, plan=replace(action.plan, notes=(*trial_notes(results), *action.plan.notes)))


RELOAD = ActionDefinition(ActionKind.RELOAD, reload, _plan, "r", "Reload", "Test the config, reload it")
