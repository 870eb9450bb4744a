"""One reading of a node, all layers, each with its state and age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.addresses import AddressTable
    from kvtui.model.conf import Conf
    from kvtui.model.host import Host
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.kube import Kube
    from kvtui.model.vrrp import Advertiser, RealServerCheck, Transition, VrrpInstance


class Node(Struct, frozen=True):
    """The machine kvtui looks at, and whether kvtui may write there."""

    name: str
    read_only: bool


class Snapshot(Struct, frozen=True):
    """What is known of a node at one moment. Layers are kept apart; an absent layer is None, never empty.

    Attributes:
        time: when it was assembled (seconds since the epoch).
        node: the machine.
        sources: one per ``SourceName``, in that order.
        keepalived: every keepalived on the machine.
        chosen: PID of the one that the other layers belong to; None when there is none.
        conf: its config file, as it is on disk now.
        running: the config that it runs (memfd, keepalived ≥ 2.2.0); None when it cannot be read.
        instances: its VRRP instances as it reports them (dump); None when there was no dump.
        checks: its checkers' view of real servers (data dump); None when there was none.
        ipvs: the table of its network namespace.
        addresses: of its network namespace.
        advertisers: seen on the wire of its network namespace; None when nothing can be captured.
        transitions: newest last, bounded.
        kube: what the Kubernetes API says; None when there is none, or it was not asked yet.
        sysctls: full names such as ``net.ipv4.vs.conntrack`` → value, of its network namespace; None when unreadable.
        host: the machine's vitals; None when they cannot be read.
    """

    time: float
    node: Node
    sources: tuple[Source, ...]
    keepalived: tuple[Keepalived, ...] = ()
    chosen: int | None = None
    conf: Conf | None = None
    running: Conf | None = None
    instances: tuple[VrrpInstance, ...] | None = None
    checks: tuple[RealServerCheck, ...] | None = None
    ipvs: IpvsTable | None = None
    addresses: AddressTable | None = None
    advertisers: tuple[Advertiser, ...] | None = None
    transitions: tuple[Transition, ...] = ()
    kube: Kube | None = None
    sysctls: Mapping[str, int] | None = None
    host: Host | None = None

    @property
    def chosen_keepalived(self) -> Keepalived | None:
        """The keepalived that the layers belong to."""
        return next((k for k in self.keepalived if k.pid == self.chosen), None)

    def source(self, name: SourceName) -> Source:
        """The named source; unavailable when the snapshot does not have it."""
        return next((s for s in self.sources if s.name is name), Source(name, SourceState.UNAVAILABLE, "not read"))
