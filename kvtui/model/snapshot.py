"""One reading of all layers of a node, each with its state and age."""

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
    from kvtui.model.keepalived import Controller, Keepalived
    from kvtui.model.kube import Kube
    from kvtui.model.log import LogTail
    from kvtui.model.vrrp import Advertiser, RealServerCheck, Transition, VrrpInstance


class Node(Struct, frozen=True):
    """``read_only``: kvtui is forbidden to write there."""

    name: str
    read_only: bool


class Snapshot(Struct, frozen=True):
    """A node at one moment. A layer that could not be read is None, never empty."""

    time: float  # when it was assembled (seconds since the epoch)
    node: Node
    sources: tuple[Source, ...]  # one per `SourceName`, in that order
    keepalived: tuple[Keepalived, ...] = ()  # every keepalived on the host
    chosen: int | None = None  # PID of the keepalived that the other layers belong to; None if none runs
    conf: Conf | None = None  # its config file, as it is on disk
    running: Conf | None = None  # the config that it runs (memfd, keepalived ≥ 2.2.0)
    instances: tuple[VrrpInstance, ...] | None = None
    checks: tuple[RealServerCheck, ...] | None = None  # of a data dump
    ipvs: IpvsTable | None = None  # of its network namespace; so are `addresses`, `advertisers` and `sysctls`
    addresses: AddressTable | None = None
    advertisers: tuple[Advertiser, ...] | None = None
    heard_since: float | None = None  # since when no advert was lost (seconds since the epoch)
    transitions: tuple[Transition, ...] = ()  # newest last, bounded
    log: LogTail | None = None  # of keepalived; read only while an instance is in FAULT or a script fails
    kube: Kube | None = None  # None without an API, or before its first answer
    sysctls: Mapping[str, int] | None = None  # full names such as `net.ipv4.vs.conntrack`
    host: Host | None = None
    reported_peers: Mapping[str, Mapping[str, int]] | None = None
    """Instance → address → priority, of nodes as reported by the kvtui that coordinates an action."""

    @property
    def chosen_keepalived(self) -> Keepalived | None:
        return next((k for k in self.keepalived if k.pid == self.chosen), None)

    @property
    def controller(self) -> Controller | None:
        keepalived = self.chosen_keepalived
        return keepalived.controller if keepalived else None

    @property
    def effective_conf(self) -> Conf | None:
        """The file if the running config cannot be read."""
        return self.running or self.conf

    def source(self, name: SourceName) -> Source:
        return next((s for s in self.sources if s.name is name), Source(name, SourceState.UNAVAILABLE, "not read"))
