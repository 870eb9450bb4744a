"""Keys that act, on any screen: what is under the cursor becomes an intent, the intent a dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.vips import VipsScreen
from kvtui.screens.vrrp import VrrpScreen

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from kvtui.actions.intent import Intent
    from kvtui.model.observation import InstanceView, Observation, RealServerView, VirtualServerView


def selected_instance(screen: Screen[Any], seen: Observation) -> InstanceView | None:
    """The VRRP instance under the cursor, or the only one there is."""
    instances = seen.vrrp_instances or ()
    name: str | None = None
    if isinstance(screen, VipsScreen | VrrpScreen) and screen.table.selected is not None:
        key: Any = screen.table.selected
        name = key if isinstance(key, str) else key[0]
    if name is None and len(instances) == 1:
        return instances[0]
    return next((i for i in instances if i.name == name), None)


def selected_real(screen: Screen[Any], seen: Observation) -> tuple[VirtualServerView, RealServerView] | None:
    """The real server under the cursor, with its virtual server."""
    key: Any = screen.table.selected if isinstance(screen, IpvsScreen) else None
    if not isinstance(key, tuple) or not isinstance(key[0], tuple):
        return None
    for virtual in seen.virtual_servers or ():
        if (virtual.protocol.value, virtual.name) == key[0]:
            return next(((virtual, r) for r in virtual.real_servers if r.key == key[1]), None)
    return None


def start(app: App[None], verb: str, seen: Observation | None) -> str | None:
    """Open the dialog of an action for what is under the cursor.

    Args:
        app: whose screen it is.
        verb: ``reload``, ``drain``, ``priority``, ``failover`` or ``undo``.
        seen: the latest observation.

    Returns:
        Why not, in a sentence for the person; None when the dialog is open.
    """
    from kvtui.actions.intent import Intent  # noqa: PLC0415 - acting is seldom; the first frame does without
    from kvtui.actions.options import service_option  # noqa: PLC0415
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    if seen is None:
        return "Nothing was read yet."
    wanted = Verb(verb)
    if wanted in {Verb.RELOAD, Verb.UNDO}:
        _open(app, Intent(wanted))
        return None
    if wanted is Verb.DRAIN:
        real = selected_real(app.screen, seen)
        if real is None:
            return "Go to a real server on screen 3 (IPVS) first: d drains it, and gives a drained one its weight back."
        virtual, server = real
        from kvtui.model.ipvs import endpoint  # noqa: PLC0415

        way = Verb.UNDRAIN if server.weight == 0 else Verb.DRAIN
        _open(app, Intent(way, endpoint(server.address, server.port), service=service_option(virtual)))
        return None
    instance = selected_instance(app.screen, seen)
    if instance is None:
        return "Go to a VIP (1) or a VRRP instance (2) first."
    _open(app, Intent(wanted, instance.name))  # the dialog asks for a new priority
    return None


def _open(app: App[None], intent: Intent) -> None:
    from kvtui.screens.plan_panel import PlanPanel  # noqa: PLC0415

    app.push_screen(PlanPanel(intent))
