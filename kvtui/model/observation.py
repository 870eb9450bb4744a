"""What the screens, the CLI and a recording are given: one snapshot and what the rules conclude from it.

The field names are those of the JSON contract (``kvtui schema``); ``presenters.documents`` makes its objects of them.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.ipvs import ForwardingMethod, Protocol, ServiceKey
    from kvtui.model.mapping import Mapping
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import VrrpState


class ManagedBy(StrEnum):
    """Who put a virtual server into the kernel, as far as can be told."""

    KEEPALIVED = "keepalived"
    KUBE_PROXY = "kube-proxy"
    UNKNOWN = "unknown"


class RealServerState(StrEnum):
    """Whether a real server takes new connections, and why not."""

    UP = "up"
    DRAINED = "drained"
    """In the kernel with weight 0, while its health checks (where they are known) pass."""
    FAILED = "failed"
    """In the kernel with weight 0 because its health check fails (``inhibit_on_failure``)."""
    REMOVED = "removed"
    """In keepalived's config but not in the kernel: its health check fails, or somebody deleted it."""


class Master(Struct, frozen=True):
    """The node that advertises an instance's VRID now.

    Attributes:
        address: the source of its adverts; None when only its existence is known.
        priority: in its adverts; None when not known.
        is_self: it is this node (``self`` in JSON).
    """

    address: str | None
    priority: int | None
    is_self: bool


class Peer(Struct, frozen=True):
    """Another node of an instance: seen on the wire, or only configured (``unicast_peer``).

    Attributes:
        address: of the peer.
        priority: of its latest advert; None when never seen.
        seen: an advert of it was seen.
        age_seconds: since its latest advert; None when never seen. A backup is silent: that is no fault.
    """

    address: str
    priority: int | None
    seen: bool
    age_seconds: float | None


class InstanceView(Struct, frozen=True):
    """One VRRP instance, with the newest evidence about its state.

    Attributes:
        evidence: where ``state`` comes from: ``dump``, ``wire``, ``address`` or ``none``.
        rivals: sources of adverts of other nodes that claim to be master at the same time.
        Others: see ``model.vrrp.VrrpInstance`` and the JSON contract.
    """

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
    evidence: str = "none"
    rivals: tuple[str, ...] = ()
    track_files: tuple[str, ...] = ()
    sync_group: str | None = None
    preempt_delay: float | None = None


class VipView(Struct, frozen=True):
    """One virtual address.

    Attributes:
        address: canonical text.
        prefixlen: bits.
        interface: where it is, or should be; None when not known.
        instance: name of its VRRP instance.
        present: on an interface here now; None when addresses cannot be read.
        owner: address of the node that advertises it; None when no advert is known.
        state: of its instance on this node.
        rivals: other nodes that advertise it at the same time.
    """

    address: str
    prefixlen: int
    interface: str | None
    instance: str
    present: bool | None
    owner: str | None
    state: VrrpState
    owner_is_self: bool = False
    rivals: tuple[str, ...] = ()


class StatsView(Struct, frozen=True):
    """Counters, and rates per second: from two readings' differences where there are two, else the kernel's estimate.

    ``in_bps`` and ``out_bps`` are bytes per second, as in ``ipvsadm --rate``.
    """

    connections: int
    in_packets: int
    out_packets: int
    in_bytes: int
    out_bytes: int
    cps: float
    in_pps: float
    out_pps: float
    in_bps: float
    out_bps: float


class PodView(Struct, frozen=True):
    """The pod behind a real server, as the API's endpoints name it.

    Attributes:
        namespace: of the pod.
        name: of the pod.
        ready: of its endpoint.
        node: where it runs; None when not said.
    """

    namespace: str
    name: str
    ready: bool
    node: str | None = None


class RealServerView(Struct, frozen=True):
    """One real server of a virtual server, kernel beside config; None where a layer does not say.

    Attributes:
        check: what keepalived's checker says, in words; None when not asked.
        pod: the pod behind it; None when the API was not asked, or its endpoints do not have the address.
    """

    address: str
    port: int
    method: ForwardingMethod | None
    weight: int | None
    active: int | None
    inactive: int | None
    persistent: int | None
    upper_threshold: int | None
    lower_threshold: int | None
    stats: StatsView | None
    state: RealServerState
    configured_weight: int | None
    check: str | None = None
    pod: PodView | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What names it within its virtual server."""
        return (self.address, self.port)


class VirtualServerView(Struct, frozen=True):
    """One virtual server, kernel beside config.

    Attributes:
        name: as ipvsadm writes it.
        in_kernel: False when only the config has it.
        service: ``namespace/name`` of its Kubernetes Service, from the config's comment; None.
    """

    name: str
    protocol: Protocol
    address: str | None
    port: int | None
    fwmark: int | None
    scheduler: str | None
    persistence_timeout: int | None
    flags: tuple[str, ...]
    managed_by: ManagedBy
    stats: StatsView | None
    real_servers: tuple[RealServerView, ...]
    in_kernel: bool = True
    service: str | None = None

    @property
    def key(self) -> ServiceKey:
        """What names it in the kernel's table."""
        if self.fwmark is None:
            return (self.protocol, self.address or "", self.port or 0, 0)
        six = self.name.endswith(" IPv6") or any(":" in r.address for r in self.real_servers)
        return (self.protocol, "::" if six else "", 0, self.fwmark)

    @property
    def up(self) -> int:
        """How many real servers take new connections."""
        return sum(1 for r in self.real_servers if r.state is RealServerState.UP)


class Observation(Struct, frozen=True, dict=True):  # without slots: what is laid out on demand is kept
    """A snapshot and what follows from it.

    Attributes:
        mappings: the ConfigMap's entries (or, without an API, what keepalived.conf tells of them); None when neither
            could be read.
        findings: of triage, worst first; None when triage was not asked for.
    """

    snapshot: Snapshot
    vrrp_instances: tuple[InstanceView, ...] | None
    vips: tuple[VipView, ...] | None
    virtual_servers: tuple[VirtualServerView, ...] | None
    notes: tuple[str, ...] = field(default=())
    mappings: tuple[Mapping, ...] | None = None
    findings: tuple[Finding, ...] | None = None

    def servers_of(self, vip: str) -> tuple[VirtualServerView, ...]:
        """The virtual servers on ``vip``."""
        return self._by_address.get(vip, ())

    @cached_property
    def _by_address(self) -> dict[str, tuple[VirtualServerView, ...]]:
        found: dict[str, tuple[VirtualServerView, ...]] = {}
        for view in self.virtual_servers or ():
            if view.address is not None:
                found[view.address] = (*found.get(view.address, ()), view)
        return found
