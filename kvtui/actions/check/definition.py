from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Argument, Flag, PlanRequest
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from kvtui.actions.core.runner import Action


def check(
    name: Annotated[str, Argument("vrrp_script, or ADDRESS[:PORT] of a real server.", "NAME")],
    service: Annotated[str | None, Flag("--service", "Only in this virtual server, VIP:PORT.")] = None,
) -> Intent:
    """Run a check once, as keepalived runs it.

    It gets the user, the limits, the environment and the namespaces that keepalived gives it. Shows the result, and how
    this differs from running it yourself. Exit code 0: it passes; 1: it fails; 4: it could not be tried.

    Example: kvtui check 10.4.0.61:443
    """
    return Intent(ActionKind.CHECK, name, service=service)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.check.plan import plan_check  # noqa: PLC0415 - see core.definition

    return await to_thread(plan_check, request)


CHECK = ActionDefinition(ActionKind.CHECK, check, _plan)
