from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Argument, PlanRequest, TargetKind
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from kvtui.actions.core.runner import Action


def failover(instance: Annotated[str, Argument("Name of the vrrp_instance.")]) -> Intent:
    """Move the VIPs of an instance to another node.

    kvtui chooses the least disruptive method that works here.

    Example: kvtui --dry-run failover vips
    """
    return Intent(ActionKind.FAILOVER, instance)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.failover.plan import plan_failover  # noqa: PLC0415 - see core.definition

    preflight = await to_thread(request.run_preflight)
    return plan_failover(request.observation, preflight, request.intent.target, request.watch, request.backend)


FAILOVER = ActionDefinition(
    ActionKind.FAILOVER, failover, _plan, "f", "Failover", "Make the VIPs leave", TargetKind.INSTANCE
)
