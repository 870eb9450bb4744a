"""What the observation before knows already: a view that would come out the same is not made again.

At 10,000 real servers making every view anew costs 130 ms, of which nearly all comes to what it was a second ago. Of
a large table most virtual servers were not read again (``kvtui.backend.ipvs.incremental``): they are the same objects
as before, and so are their views.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from kvtui.model.addresses import InterfaceAddress
    from kvtui.model.ipvs import RealServer, ServiceKey, VirtualServer
    from kvtui.model.kube import EndpointGroup, NamespacedName
    from kvtui.model.observation import Observation, RealServerView, StatsView, VirtualServerView
    from kvtui.model.snapshot import Snapshot


class EarlierVirtual(Struct, frozen=True):
    """One virtual server of the observation before.

    Attributes:
        virtual: as the kernel had it.
        view: what was concluded.
        usable: the layers beside the kernel's are as they were, so that equal servers have equal views.
    """

    virtual: VirtualServer
    view: VirtualServerView
    usable: bool

    def own_stats_unless_read(self, virtual: VirtualServer) -> StatsView | None:
        """Its own counters and rates, where it was not read since: over no time there is no rate."""
        return self.view.stats if self.virtual.stats_read == virtual.stats_read is not None else None

    def reals_unless_read(self, virtual: VirtualServer) -> tuple[RealServerView, ...] | None:
        """The views of its real servers, where these were not read since."""
        return self.view.real_servers if self.usable and self._same_reading(virtual) else None

    def stats_unless_read(self, virtual: VirtualServer) -> list[StatsView | None] | None:
        """Counters and rates of its real servers, where these were not read since: over no time there is no rate."""
        if not self._same_reading(virtual):
            return None
        return [view.stats for view in self.view.real_servers[: len(virtual.real_servers)]]

    def _same_reading(self, virtual: VirtualServer) -> bool:
        kept = self.virtual
        return kept.real_servers is virtual.real_servers and kept.reals_read == virtual.reals_read is not None

    def reals(self) -> Iterator[tuple[RealServer, RealServerView]]:
        """Its real servers and their views, in the kernel's order; none where the layers beside have changed."""
        return zip(self.virtual.real_servers, self.view.real_servers, strict=False) if self.usable else iter(())

    def same(self, view: VirtualServerView) -> VirtualServerView:
        """The earlier object where it says the same."""
        return self.view if self.view == view else view


class Earlier:
    """The virtual servers of the observation before.

    Args:
        virtuals: as the kernel had them, in its order.
        views: what was concluded: of these first, in the same order, then of what only the config has.
        usable: the layers beside the kernel's are as they were.
    """

    def __init__(
        self, virtuals: Sequence[VirtualServer] = (), views: Sequence[VirtualServerView] = (), *, usable: bool = False
    ) -> None:
        self._virtuals = virtuals
        self._views = views
        self._usable = usable

    @classmethod
    def of(cls, before: Observation | None, now: Snapshot, services: Mapping[str, NamespacedName]) -> Self:
        """Laid out of an observation; nothing where there is none.

        Args:
            before: the observation.
            now: the snapshot that comes after it.
            services: VIP → Service, now.
        """
        if before is None or before.snapshot.ipvs is None or before.virtual_servers is None:
            return cls()
        usable = _beside_is_same(before, now, services)
        return cls(before.snapshot.ipvs.virtual_servers, before.virtual_servers, usable=usable)

    def find(self, virtual: VirtualServer, place: int) -> EarlierVirtual | None:
        """What one was; where the table has the same order, without laying out all of it."""
        if place < len(self._virtuals) and self._virtuals[place].key == virtual.key:
            return EarlierVirtual(self._virtuals[place], self._views[place], self._usable)
        at = self._places.get(virtual.key)
        return None if at is None else EarlierVirtual(self._virtuals[at], self._views[at], self._usable)

    @cached_property
    def _places(self) -> dict[ServiceKey, int]:
        return {virtual.key: place for place, virtual in enumerate(self._virtuals)}

    def unread(self, virtuals: Sequence[VirtualServer]) -> list[VirtualServerView | None]:
        """The views of those that are the very objects they were, None of each that was read again."""
        if not self._usable:
            return [None] * len(virtuals)
        kept: list[VirtualServerView | None] = [
            view if now is then else None
            for now, then, view in zip(virtuals, self._virtuals, self._views, strict=False)
        ]
        return kept + [None] * (len(virtuals) - len(kept))

    def missing(self, virtuals: Sequence[VirtualServer]) -> Sequence[VirtualServerView] | None:
        """The views of what only the config has; None where they may be others now."""
        if not self._usable or len(virtuals) != len(self._virtuals):
            return None
        pairs = zip(virtuals, self._virtuals, strict=True)
        if any(now is not then and now.key != then.key for now, then in pairs):
            return None
        return self._views[len(virtuals) :]


def _beside_is_same(before: Observation, now: Snapshot, services: Mapping[str, NamespacedName]) -> bool:
    """Whether everything but the kernel's table is as it was; what is large is compared by identity first."""
    then = before.snapshot
    if then.conf is not now.conf or then.running is not now.running:
        return False
    if then.checks is not now.checks and then.checks != now.checks:  # each full dump has them anew
        return False
    if _addresses(then) != _addresses(now):
        return False
    if _endpoints(then) is not _endpoints(now):
        return False
    if _endpoints(now) is None:
        return True
    return services == {m.vip: m.target for m in before.mappings or () if m.target is not None}


def _addresses(snapshot: Snapshot) -> tuple[InterfaceAddress, ...] | None:
    return None if snapshot.addresses is None else snapshot.addresses.addresses


def _endpoints(snapshot: Snapshot) -> Mapping[NamespacedName, tuple[EndpointGroup, ...]] | None:
    return None if snapshot.kube is None else snapshot.kube.endpoints
