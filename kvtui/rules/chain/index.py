"""What one observation says, laid out by VIP and port, so that every layer of a chain is found at once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from kvtui.model.ip import canonical_or_same
from kvtui.model.ipvs import Protocol
from kvtui.model.observation import ManagedBy
from kvtui.rules.mapping.controller import settings_of
from kvtui.rules.servers.views import conf_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.kube import KubeService
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation, VipView, VirtualServerView
    from kvtui.model.source import SourceName
    from kvtui.rules.mapping.controller import ControllerSettings


class Port(NamedTuple):
    """A port of a VIP; TCP unless it says otherwise."""

    number: int
    protocol: Protocol = Protocol.TCP

    def __str__(self) -> str:
        """``80``, ``53/UDP``."""
        return str(self.number) if self.protocol is Protocol.TCP else f"{self.number}/{self.protocol.value}"


ByPort = dict[Port, "ConfVirtualServer"]


class ChainIndex(Struct, frozen=True, dict=True):
    """Indexes over one observation; make one for each.

    Attributes:
        seen: the observation.
    """

    seen: Observation

    @cached_property
    def entries(self) -> dict[str, Mapping]:
        """VIP → entry of the ConfigMap (or what the config's comments tell of it)."""
        return {canonical_or_same(m.vip): m for m in self.seen.mappings or ()}

    @cached_property
    def views(self) -> dict[str, VipView]:
        """VIP → what VRRP and the interfaces say; the one that is held here where several instances have it."""
        found: dict[str, VipView] = {}
        for view in self.seen.vips or ():
            if view.address not in found or (view.owner_is_self and not found[view.address].owner_is_self):
                found[view.address] = view
        return found

    @cached_property
    def conf(self) -> dict[str, ByPort]:
        """VIP → its virtual servers in the config file."""
        return _by_address(self.seen.snapshot.conf)

    @cached_property
    def running(self) -> dict[str, ByPort]:
        """VIP → its virtual servers in the running config."""
        return _by_address(self.seen.snapshot.running)

    @cached_property
    def kernel(self) -> dict[str, dict[Port, VirtualServerView]]:
        """VIP → its virtual servers, the kernel's and those that are only configured."""
        found: dict[str, dict[Port, VirtualServerView]] = {}
        for view in self.seen.virtual_servers or ():
            if view.address is not None and view.port is not None:
                found.setdefault(view.address, {})[Port(view.port, view.protocol)] = view
        return found

    @cached_property
    def marked(self) -> tuple[VirtualServerView, ...]:
        """Keepalived's virtual servers of firewall marks: which packets they get, a firewall's rules decide."""
        servers = self.seen.virtual_servers or ()
        return tuple(v for v in servers if v.fwmark is not None and v.managed_by is ManagedBy.KEEPALIVED)

    @cached_property
    def conf_marks(self) -> dict[ServiceKey, ConfVirtualServer]:
        """The virtual servers of firewall marks in the running config, else in the file, by the kernel's key."""
        conf = self.seen.snapshot.running or self.seen.snapshot.conf
        found = {conf_key(v): v for v in (conf.virtual_servers if conf else ()) if v.fwmark is not None}
        return {key: v for key, v in found.items() if key is not None}

    def marked_for(self, address: str) -> tuple[VirtualServerView, ...]:
        """Those that can serve a VIP that keepalived has, and for which it has no virtual server: of its family."""
        if address not in self.views or self.ports(address):
            return ()
        return tuple(v for v in self.marked if (v.key[1] == "::") is (":" in address))

    @cached_property
    def controller(self) -> ControllerSettings:
        """How the controller on this node was started."""
        return settings_of(self.seen.snapshot)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every VIP that some layer knows, in the order of keepalived's config; then those that only others know."""
        held = [*self.views, *_vips(self.seen.snapshot.conf), *_vips(self.seen.snapshot.running)]
        return tuple(dict.fromkeys((*held, *self.entries, *self.conf, *self.running, *self.kernel)))

    def service(self, address: str) -> KubeService | None:
        """The Service that the entry of a VIP names, where the API has it."""
        entry, kube = self.entries.get(address), self.seen.snapshot.kube
        if entry is None or entry.target is None or kube is None or kube.services is None:
            return None
        return kube.services.get(entry.target)

    def ports(self, address: str) -> tuple[Port, ...]:
        """The ports of a VIP in any layer, lowest first; none for a VIP that is only an address."""
        service = self.service(address)
        asked = [Port(p.port, protocol(p.protocol)) for p in service.ports] if service else []
        found = (*asked, *self.conf.get(address, ()), *self.running.get(address, ()), *self.kernel.get(address, ()))
        return tuple(sorted(set(found)))

    def age(self, name: SourceName) -> float | None:
        """Seconds since a source's data was read."""
        return self.seen.snapshot.source(name).age(self.seen.snapshot.time)

    def since(self, read_at: float | None) -> float | None:
        """Seconds since a moment."""
        return None if read_at is None else max(0.0, self.seen.snapshot.time - read_at)


def protocol(name: str) -> Protocol:
    """A Service's protocol as keepalived takes it."""
    return Protocol(name) if name in {p.value for p in Protocol} else Protocol.TCP


def has_vip(conf: Conf, address: str) -> bool:
    """Whether an instance of the config has the address."""
    return any(v.address == address for i in conf.instances for v in (*i.vips, *i.excluded_vips))


def _vips(conf: Conf | None) -> Iterable[str]:
    return (v.address for i in conf.instances for v in (*i.vips, *i.excluded_vips)) if conf else ()


def _by_address(conf: Conf | None) -> dict[str, ByPort]:
    found: dict[str, ByPort] = {}
    for virtual in conf.virtual_servers if conf else ():
        if virtual.address is not None and virtual.port is not None:
            found.setdefault(virtual.address, {})[Port(virtual.port, virtual.protocol)] = virtual
    return found
