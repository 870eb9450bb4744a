"""An observation indexed by VIP and port."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec import Struct

from kvtui.model.ip import canonical_or_same
from kvtui.model.ipvs import Protocol
from kvtui.model.observation import InstanceView, ManagedBy, Observation, VipView, VirtualServerView
from kvtui.rules.mapping.controller import ControllerSettings, settings_of
from kvtui.rules.servers.views import configured_servers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.conf import ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.kube import KubeService
    from kvtui.model.mapping import Mapping
    from kvtui.model.source import SourceName


class Port(NamedTuple):
    number: int
    protocol: Protocol = Protocol.TCP

    def __str__(self) -> str:
        """``80``, ``53/UDP``."""
        return str(self.number) if self.protocol is Protocol.TCP else f"{self.number}/{self.protocol.value}"


T = TypeVar("T", "ConfVirtualServer", "VirtualServerView")
ByAddress = dict[str, dict[Port, T]]
"""Address → port → virtual server."""


class ChainIndex(Struct, frozen=True, dict=True):
    """Indexes of one observation, built on demand."""

    seen: Observation

    @cached_property
    def entries(self) -> dict[str, Mapping]:
        return {canonical_or_same(m.vip): m for m in self.seen.mappings or ()}

    @cached_property
    def views(self) -> dict[str, VipView]:
        """VIP → its view; if several instances have it, the one that this node holds."""
        views: dict[str, VipView] = {}
        for view in self.seen.vips or ():
            if view.address not in views or (view.owner_is_self and not views[view.address].owner_is_self):
                views[view.address] = view
        return views

    @cached_property
    def instances(self) -> dict[str, InstanceView]:
        return {i.name: i for i in self.seen.vrrp_instances or ()}

    @cached_property
    def conf(self) -> ByAddress[ConfVirtualServer]:
        conf = self.seen.snapshot.conf
        return _by_address(conf.virtual_servers if conf else ())

    @cached_property
    def running(self) -> ByAddress[ConfVirtualServer]:
        running = self.seen.snapshot.running
        return _by_address(running.virtual_servers if running else ())

    @cached_property
    def kernel(self) -> ByAddress[VirtualServerView]:
        return _by_address(self.seen.virtual_servers or ())

    @cached_property
    def marked(self) -> tuple[VirtualServerView, ...]:
        """Keepalived's virtual servers on firewall marks; firewall rules choose their packets."""
        servers = self.seen.virtual_servers or ()
        return tuple(v for v in servers if v.fwmark is not None and v.managed_by is ManagedBy.KEEPALIVED)

    @cached_property
    def conf_marks(self) -> dict[ServiceKey, ConfVirtualServer]:
        return {key: v for key, v in configured_servers(self.seen.snapshot).items() if v.fwmark is not None}

    def marked_for(self, address: str) -> tuple[VirtualServerView, ...]:
        if address not in self.views or self.ports(address):
            return ()
        return tuple(v for v in self.marked if (v.key[1] == "::") is (":" in address))

    @cached_property
    def controller(self) -> ControllerSettings:
        return settings_of(self.seen.snapshot)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All VIPs of any layer; first those of keepalived, in the order of its config."""
        confs = (self.seen.snapshot.conf, self.seen.snapshot.running)
        held = [*self.views, *(vip for conf in confs if conf for vip in conf.vips())]
        return tuple(dict.fromkeys((*held, *self.entries, *self.conf, *self.running, *self.kernel)))

    def service(self, address: str) -> KubeService | None:
        entry, kube = self.entries.get(address), self.seen.snapshot.kube
        if entry is None or entry.target is None or kube is None or kube.services is None:
            return None
        return kube.services.get(entry.target)

    def ports(self, address: str) -> tuple[Port, ...]:
        service = self.service(address)
        wanted = [Port(p.port, protocol(p.protocol)) for p in service.ports] if service else []
        ports = (*wanted, *self.conf.get(address, ()), *self.running.get(address, ()), *self.kernel.get(address, ()))
        return tuple(sorted(set(ports)))

    def age(self, name: SourceName) -> float | None:
        return self.since(self.seen.snapshot.source(name).read_at)

    def since(self, read_at: float | None) -> float | None:
        return None if read_at is None else max(0.0, self.seen.snapshot.time - read_at)


def protocol(name: str) -> Protocol:
    return Protocol(name) if name in {p.value for p in Protocol} else Protocol.TCP


def find(virtuals: ByAddress[T], address: str, port: Port | None) -> T | None:
    return virtuals.get(address, {}).get(port) if port else None


def _by_address(virtuals: Iterable[T]) -> ByAddress[T]:
    by_address: ByAddress[T] = {}
    for virtual in virtuals:
        if virtual.address is not None and virtual.port is not None:
            by_address.setdefault(virtual.address, {})[Port(virtual.port, virtual.protocol)] = virtual
    return by_address
