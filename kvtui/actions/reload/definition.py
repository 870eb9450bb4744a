from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.definition import ActionDefinition
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from kvtui.actions.core.definition import PlanRequest
    from kvtui.actions.core.runner import Action


def reload() -> Intent:
    """Test the config, send SIGHUP, verify that it runs.

    Example: kvtui --reason "new VIP" reload
    """
    return Intent(ActionKind.RELOAD)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.reload.plan import plan_reload  # noqa: PLC0415 - see core.definition

    backend = request.backend
    preflight = await to_thread(backend.run_preflight, request.keepalived())
    return plan_reload(request.observation, preflight, request.watch, backend)


RELOAD = ActionDefinition(ActionKind.RELOAD, reload, _plan, "r", "Reload", "Test the config, reload it")
