"""Keys that act, on any screen: they open the dialog of an action for the selected row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.actions.core.definition import Target
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.options import intent_for
from kvtui.actions.registry import DEFINITIONS
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.plan_panel import PlanPanel
from kvtui.screens.vips import VipsScreen
from kvtui.screens.vrrp import VrrpScreen

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from kvtui.model.observation import InstanceView, Observation, RealServerView, VirtualServerView
    from kvtui.screens.host import Host


def selected_instance(screen: Screen[Any], observation: Observation) -> InstanceView | None:
    """Returns the selected VRRP instance, or the only one of the node."""
    instances = observation.vrrp_instances or ()
    name: str | None = None
    if isinstance(screen, VipsScreen | VrrpScreen) and screen.table.selected is not None:
        key: Any = screen.table.selected
        name = key if isinstance(key, str) else key[0]
    if name is None and len(instances) == 1:
        return instances[0]
    return next((i for i in instances if i.name == name), None)


def selected_real(screen: Screen[Any], observation: Observation) -> tuple[VirtualServerView, RealServerView] | None:
    """Returns the selected real server with its virtual server."""
    key: Any = screen.table.selected if isinstance(screen, IpvsScreen) else None
    if not isinstance(key, tuple) or not isinstance(key[0], tuple):
        return None
    for virtual in observation.virtual_servers or ():
        if (virtual.protocol.value, virtual.name) == key[0]:
            return next(((virtual, r) for r in virtual.real_servers if r.key == key[1]), None)
    return None


def start(app: App[None], host: Host, kind: str) -> str | None:
    """Opens the dialog of an action for the selected row.

    Args:
        app: whose screen it is.
        host: the same app, for the dialog.
        kind: of the action.

    Returns:
        None, or why the dialog cannot be opened.
    """
    observation = host.latest
    if observation is None:
        return "Nothing was read yet."
    action = DEFINITIONS[ActionKind(kind)]
    if action.target is Target.NODE:
        intent = Intent(action.kind)
    elif action.target is Target.REAL_SERVER:
        real = selected_real(app.screen, observation)
        if real is None:
            return (
                "Select a real server on screen 3 (IPVS) first: d drains it, or restores the weight of a drained one."
            )
        intent = intent_for(*real)
    else:
        instance = selected_instance(app.screen, observation)
        if instance is None:
            return "Select a VIP (1) or a VRRP instance (2) first."
        intent = Intent(action.kind, instance.name)
    app.push_screen(PlanPanel(host, intent))
    return None
