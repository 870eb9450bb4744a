"""VRRP instances with the adverts of their VRID: the input of most rules about masters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.vrrp import VrrpState
from kvtui.rules.vrrp.claims import live
from kvtui.rules.vrrp.instances import family_of, known_instances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import InstanceView, Observation
    from kvtui.model.vrrp import AddressFamily, Advertiser, VrrpInstance


class Router(Struct, frozen=True):
    """An instance of this node and all advertisers of its VRID, IP version and interface.

    Attributes:
        instance: from keepalived or its config.
        own: this node's adverts; None if none were captured.
        others: other nodes, including silent ones.
    """

    instance: VrrpInstance
    view: InstanceView
    own: Advertiser | None
    others: tuple[Advertiser, ...]
    now: float

    @property
    def live_others(self) -> tuple[Advertiser, ...]:
        """Other nodes that advertise now, whether or not they are valid masters."""
        return tuple(a for a in self.others if not a.stepped_down and not a.silent(self.now))

    @property
    def own_live(self) -> bool:
        return self.own is not None and live(self.own, self.now)

    @property
    def interval(self) -> float:
        return self.view.advert_interval or 1.0

    @property
    def vips(self) -> tuple[str, ...]:
        return self.view.vips

    @property
    def is_master(self) -> bool:
        return self.view.state is VrrpState.MASTER


def routers(observation: Observation) -> Iterator[Router]:
    """Returns all known instances; linear in instances and advertisers."""
    snapshot = observation.snapshot
    heard: dict[tuple[int, AddressFamily], list[Advertiser]] = {}
    for advertiser in snapshot.advertisers or ():
        heard.setdefault((advertiser.last.vrid, advertiser.last.family), []).append(advertiser)
    for instance, view in zip(known_instances(snapshot) or (), observation.vrrp_instances or (), strict=False):
        around = [
            a
            for a in heard.get((instance.vrid or 0, family_of(instance)), ())
            if instance.interface in (None, a.last.interface)
        ]
        own = max((a for a in around if a.last.outgoing), key=lambda a: a.last.received, default=None)
        yield Router(instance, view, own, tuple(a for a in around if not a.last.outgoing), snapshot.time)


def describe(advertiser: Advertiser, now: float) -> str:
    last = advertiser.last
    who = f"this node ({last.source})" if last.outgoing else last.source
    return (
        f"{who} advertises VRID {last.vrid} on {last.interface} with priority {last.priority}, "
        f"last heard {max(0.0, now - last.received):.1f} s ago (adverts)"
    )
