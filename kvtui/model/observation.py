"""A snapshot with the conclusions of the rules: the input of screens, CLI and recordings.

Field names follow the JSON contract (``kvtui schema``); ``presenters.documents`` builds the JSON objects.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.ipvs import ForwardingMethod, Protocol, ServiceKey, Stats
    from kvtui.model.mapping import Mapping
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import AuthHmac, Tracked, VrrpState


class ManagedBy(StrEnum):
    """The program that created a virtual server."""

    KEEPALIVED = "keepalived"
    KUBE_PROXY = "kube-proxy"
    UNKNOWN = "unknown"


class RealServerState(StrEnum):
    """Whether a real server accepts new connections."""

    UP = "up"
    DRAINED = "drained"  # in the kernel with weight 0; its health checks pass or are unknown
    FAILED = "failed"  # in the kernel with weight 0 because its health check fails (`inhibit_on_failure`)
    REMOVED = "removed"  # in keepalived's config but not in the kernel: its health check fails, or it was deleted


class Master(Struct, frozen=True):
    """The node that currently advertises an instance's VRID; ``is_self`` is ``self`` in JSON."""

    address: str | None
    priority: int | None
    is_self: bool


class Peer(Struct, frozen=True):
    """Another node of an instance: heard, or only configured (``unicast_peer``).

    The priority, age and key are those of its latest advert. A backup does not advertise.
    """

    address: str
    priority: int | None
    seen: bool
    age_seconds: float | None
    auth_hmac_key: int | None = None  # id of the key that signed it


class InstanceView(Struct, frozen=True):
    """A VRRP instance with its current state; see ``model.vrrp.VrrpInstance`` and the JSON contract."""

    name: str
    state: VrrpState
    interface: str | None
    vrid: int | None
    version: int | None
    priority: int | None
    effective_priority: int | None
    nopreempt: bool | None
    advert_interval: float | None
    vips: tuple[str, ...]
    since: float | None
    master: Master | None
    peers: tuple[Peer, ...]
    counters: dict[str, int] | None
    evidence: str = "none"  # source of `state`: `dump`, `wire`, `address` or `none`
    rivals: tuple[str, ...] = ()  # addresses of other nodes that claim to be master at the same time
    track_files: tuple[str, ...] = ()
    tracked: tuple[Tracked, ...] = ()
    sync_group: str | None = None
    preempt_delay: float | None = None
    auth_hmac: AuthHmac | None = None
    address: str | None = None  # what this node advertises from
    unicast_peers: tuple[str, ...] = ()


class VipView(Struct, frozen=True):
    """One virtual address; ``interface`` is the current one, else the configured one."""

    address: str
    prefixlen: int
    interface: str | None
    instance: str
    present: bool | None  # on an interface of this node; None if addresses cannot be read
    owner: str | None  # address of the node that advertises it
    state: VrrpState
    owner_is_self: bool = False
    rivals: tuple[str, ...] = ()  # other nodes that advertise it at the same time


class PodView(Struct, frozen=True):
    namespace: str
    name: str
    ready: bool
    node: str | None = None


class RealServerView(Struct, frozen=True, gc=False):
    """A real server, from kernel and config; unknown values are None. ``check``: keepalived's result, in words."""

    address: str
    port: int
    method: ForwardingMethod | None
    weight: int | None
    active: int | None
    inactive: int | None
    persistent: int | None
    upper_threshold: int | None
    lower_threshold: int | None
    stats: Stats | None
    state: RealServerState
    configured_weight: int | None
    check: str | None = None
    pod: PodView | None = None

    @property
    def key(self) -> tuple[str, int]:
        return (self.address, self.port)


class VirtualServerView(Struct, frozen=True):
    """A virtual server, from kernel and config; ``service`` is named in the config's comment."""

    name: str
    protocol: Protocol
    address: str | None
    port: int | None
    fwmark: int | None
    scheduler: str | None
    persistence_timeout: int | None
    flags: tuple[str, ...]
    managed_by: ManagedBy
    stats: Stats | None
    real_servers: tuple[RealServerView, ...]
    in_kernel: bool = True
    service: str | None = None

    @property
    def key(self) -> ServiceKey:
        if self.fwmark is None:
            return (self.protocol, self.address or "", self.port or 0, 0)
        six = self.name.endswith(" IPv6") or any(":" in r.address for r in self.real_servers)
        return (self.protocol, "::" if six else "", 0, self.fwmark)

    @property
    def up(self) -> int:
        return sum(1 for r in self.real_servers if r.state is RealServerState.UP)


class Observation(Struct, frozen=True, dict=True):
    """A snapshot and the conclusions of the rules; None where a layer could not be read."""

    snapshot: Snapshot
    vrrp_instances: tuple[InstanceView, ...] | None
    vips: tuple[VipView, ...] | None
    virtual_servers: tuple[VirtualServerView, ...] | None
    notes: tuple[str, ...] = ()
    mappings: tuple[Mapping, ...] | None = None  # entries of the ConfigMap, or of keepalived.conf without an API
    findings: tuple[Finding, ...] | None = None  # worst first; None if triage did not run

    def servers_of(self, vip: str) -> tuple[VirtualServerView, ...]:
        return self._by_address.get(vip, ())

    @cached_property
    def _by_address(self) -> dict[str, tuple[VirtualServerView, ...]]:
        by_address: dict[str, tuple[VirtualServerView, ...]] = {}
        for view in self.virtual_servers or ():
            if view.address is not None:
                by_address[view.address] = (*by_address.get(view.address, ()), view)
        return by_address
