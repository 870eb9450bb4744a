"""Keys that act, on any screen: the selected row becomes an intent, the intent a dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.actions.core.definition import Target
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.registry import DEFINITIONS
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.vips import VipsScreen
from kvtui.screens.vrrp import VrrpScreen

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from kvtui.model.observation import InstanceView, Observation, RealServerView, VirtualServerView


def selected_instance(screen: Screen[Any], seen: Observation) -> InstanceView | None:
    """Returns the VRRP instance under the cursor, or the only one there is."""
    instances = seen.vrrp_instances or ()
    name: str | None = None
    if isinstance(screen, VipsScreen | VrrpScreen) and screen.table.selected is not None:
        key: Any = screen.table.selected
        name = key if isinstance(key, str) else key[0]
    if name is None and len(instances) == 1:
        return instances[0]
    return next((i for i in instances if i.name == name), None)


def selected_real(screen: Screen[Any], seen: Observation) -> tuple[VirtualServerView, RealServerView] | None:
    """Returns the real server under the cursor, with its virtual server."""
    key: Any = screen.table.selected if isinstance(screen, IpvsScreen) else None
    if not isinstance(key, tuple) or not isinstance(key[0], tuple):
        return None
    for virtual in seen.virtual_servers or ():
        if (virtual.protocol.value, virtual.name) == key[0]:
            return next(((virtual, r) for r in virtual.real_servers if r.key == key[1]), None)
    return None


def start(app: App[None], kind: str, seen: Observation | None) -> str | None:
    """Opens the dialog of an action for what is under the cursor.

    Args:
        app: whose screen it is.
        kind: of the action.
        seen: the latest observation.

    Returns:
        Why not, for the operator; None when the dialog is open.
    """
    from kvtui.screens.plan_panel import PlanPanel  # noqa: PLC0415 - the first frame does without

    if seen is None:
        return "Nothing was read yet."
    action = DEFINITIONS[ActionKind(kind)]
    if action.target is Target.NODE:
        intent = Intent(action.kind)
    elif action.target is Target.REAL_SERVER:
        real = selected_real(app.screen, seen)
        if real is None:
            return (
                "Select a real server on screen 3 (IPVS) first: d drains it, or restores the weight of a drained one."
            )
        from kvtui.actions.drain.options import intent_for  # noqa: PLC0415

        intent = intent_for(*real)
    else:
        instance = selected_instance(app.screen, seen)
        if instance is None:
            return "Select a VIP (1) or a VRRP instance (2) first."
        intent = Intent(action.kind, instance.name)
    app.push_screen(PlanPanel(intent))
    return None
