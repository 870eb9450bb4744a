"""Keys that act, on any screen: they open the dialog of an action for the selected row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.definition import Target
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.options import intent_for
from kvtui.actions.registry import DEFINITIONS
from kvtui.screens.panel import NOTHING_READ
from kvtui.screens.plan_panel import PlanPanel

if TYPE_CHECKING:
    from kvtui.screens.node_screen import NodeScreen


def start(screen: NodeScreen, kind: str) -> str | None:
    """Opens the dialog of an action for the selected row, or returns why it cannot be opened."""
    observation = screen.host.latest
    if observation is None:
        return NOTHING_READ
    if other := screen.other_node():
        return f"{other} is another node, and this key would act on this one. Enter opens kvtui on {other}: act there."
    action = DEFINITIONS[ActionKind(kind)]
    if action.target is Target.NODE:
        intent = Intent(action.kind)
    elif action.target is Target.REAL_SERVER:
        reals = screen.selected_reals(observation)
        if len(reals) != 1:
            which = f"{len(reals)} real servers are possible: select one" if reals else "Select a real server"
            return f"{which} on screen 3 (IPVS) first: d drains it, or restores the weight of a drained one."
        intent = intent_for(*reals[0])
    else:
        instance = screen.selected_instance(observation)
        if instance is None:
            return "Select a VIP (1) or a VRRP instance (2) first."
        intent = Intent(action.kind, instance.name)
    screen.app.push_screen(PlanPanel(screen.host, intent))
    return None
