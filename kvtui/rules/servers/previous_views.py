"""Reuses the views of the previous observation.

Building all views of 10,000 real servers takes 130 ms, and nearly all equal those of a second ago. Large tables are
read incrementally (``kvtui.backend.ipvs.incremental``): virtual servers that were not read again are the same objects,
so their views are reused.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from kvtui.model.addresses import InterfaceAddress
    from kvtui.model.ipvs import RealServer, ServiceKey, Stats, VirtualServer
    from kvtui.model.kube import EndpointGroup, NamespacedName
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.model.snapshot import Snapshot


class PreviousView(Struct, frozen=True):
    """A virtual server of the previous observation.

    Attributes:
        usable: all other layers are unchanged, so equal servers have equal views.
    """

    virtual: VirtualServer
    view: VirtualServerView
    usable: bool

    def own_stats_unless_read(self, virtual: VirtualServer) -> Stats | None:
        return self.view.stats if self.virtual.stats_read == virtual.stats_read is not None else None

    def reals_unless_read(self, virtual: VirtualServer) -> tuple[RealServerView, ...] | None:
        return self.view.real_servers if self.usable and self._same_reading(virtual) else None

    def stats_unless_read(self, virtual: VirtualServer) -> list[Stats | None] | None:
        if not self._same_reading(virtual):
            return None
        return [view.stats for view in self.view.real_servers[: len(virtual.real_servers)]]

    def _same_reading(self, virtual: VirtualServer) -> bool:
        old = self.virtual
        return old.real_servers is virtual.real_servers and old.reals_read == virtual.reals_read is not None

    def reals(self) -> Iterator[tuple[RealServer, RealServerView]]:
        """Returns its real servers with their views, in the kernel's order; empty if another layer changed."""
        return zip(self.virtual.real_servers, self.view.real_servers, strict=False) if self.usable else iter(())

    def same(self, view: VirtualServerView) -> VirtualServerView:
        return self.view if self.view == view else view


class PreviousViews:
    """The virtual servers of the previous observation; ``views`` has those that only the config has at its end."""

    def __init__(
        self, virtuals: Sequence[VirtualServer] = (), views: Sequence[VirtualServerView] = (), *, usable: bool = False
    ) -> None:
        self._virtuals = virtuals
        self._views = views
        self._usable = usable

    @classmethod
    def of(cls, before: Observation | None, now: Snapshot, services: Mapping[str, NamespacedName]) -> Self:
        if before is None or before.snapshot.ipvs is None or before.virtual_servers is None:
            return cls()
        usable = _other_layers_equal(before, now, services)
        return cls(before.snapshot.ipvs.virtual_servers, before.virtual_servers, usable=usable)

    def find(self, virtual: VirtualServer, place: int) -> PreviousView | None:
        if place < len(self._virtuals) and self._virtuals[place].key == virtual.key:
            return PreviousView(self._virtuals[place], self._views[place], self._usable)
        index = self._places.get(virtual.key)
        return None if index is None else PreviousView(self._virtuals[index], self._views[index], self._usable)

    @cached_property
    def _places(self) -> dict[ServiceKey, int]:
        return {virtual.key: place for place, virtual in enumerate(self._virtuals)}

    def unread(self, virtuals: Sequence[VirtualServer]) -> list[VirtualServerView | None]:
        if not self._usable:
            return [None] * len(virtuals)
        views: list[VirtualServerView | None] = [
            view if now is then else None
            for now, then, view in zip(virtuals, self._virtuals, self._views, strict=False)
        ]
        return views + [None] * (len(virtuals) - len(views))

    def missing(self, virtuals: Sequence[VirtualServer]) -> Sequence[VirtualServerView] | None:
        if not self._usable or len(virtuals) != len(self._virtuals):
            return None
        pairs = zip(virtuals, self._virtuals, strict=True)
        if any(now is not then and now.key != then.key for now, then in pairs):
            return None
        return self._views[len(virtuals) :]


def _other_layers_equal(before: Observation, now: Snapshot, services: Mapping[str, NamespacedName]) -> bool:
    """Returns whether everything but the IPVS table is unchanged; compares large objects by identity."""
    then = before.snapshot
    if then.conf is not now.conf or then.running is not now.running:
        return False
    if then.checks is not now.checks and then.checks != now.checks:  # every dump creates new objects
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
