"""Each VRRP instance beside what is on the wire of its VRID: what most rules about masters look at."""

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
    """One instance of this node and everybody heard on its VRID, IP version and interface.

    Attributes:
        instance: as keepalived or its config has it.
        view: what the rules concluded of it.
        own: this node as it was heard, on whatever adverts it sent last; None when it was not heard.
        others: other nodes that were heard, some of them long ago.
        now: time of the snapshot.
    """

    instance: VrrpInstance
    view: InstanceView
    own: Advertiser | None
    others: tuple[Advertiser, ...]
    now: float

    @property
    def live_others(self) -> tuple[Advertiser, ...]:
        """Other nodes that advertise now, whether or not they are to be believed as master of it."""
        return tuple(a for a in self.others if not a.stepped_down and not a.silent(self.now))

    @property
    def own_live(self) -> bool:
        """This node advertises now."""
        return self.own is not None and live(self.own, self.now)

    @property
    def interval(self) -> float:
        """Seconds between two adverts."""
        return self.view.advert_interval or 1.0

    @property
    def vips(self) -> tuple[str, ...]:
        """Its addresses."""
        return self.view.vips

    @property
    def is_master(self) -> bool:
        """This node is master."""
        return self.view.state is VrrpState.MASTER


def routers(seen: Observation) -> Iterator[Router]:
    """All instances; none when they are not known. Linear in instances and advertisers."""
    heard: dict[tuple[int, AddressFamily], list[Advertiser]] = {}
    for advertiser in seen.snapshot.advertisers or ():
        heard.setdefault((advertiser.last.vrid, advertiser.last.family), []).append(advertiser)
    for instance, view in zip(known_instances(seen.snapshot) or (), seen.vrrp_instances or (), strict=False):
        around = [
            a
            for a in heard.get((instance.vrid or 0, family_of(instance)), ())
            if instance.interface in (None, a.last.interface)
        ]
        own = max((a for a in around if a.last.outgoing), key=lambda a: a.last.received, default=None)
        yield Router(instance, view, own, tuple(a for a in around if not a.last.outgoing), seen.snapshot.time)


def told(advertiser: Advertiser, now: float) -> str:
    """One sentence on an advertiser: who, what, when."""
    last = advertiser.last
    who = f"this node ({last.source})" if last.outgoing else last.source
    return (
        f"{who} advertises VRID {last.vrid} on {last.interface} with priority {last.priority}, "
        f"last heard {max(0.0, now - last.received):.1f} s ago (adverts)"
    )
