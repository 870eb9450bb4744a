"""Several nodes side by side: each one's latest report, and what the rules conclude from all of them.

The reports are the public JSON of each node's own kvtui (``status -o json``). Only what a comparison needs is read;
unknown members are ignored and missing ones have defaults, so a kvtui that is one schema older or newer is understood.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from kvtui.model.finding import Finding

MASTER, BACKUP = "MASTER", "BACKUP"
NO_KVTUI = "none"
"""The version of kvtui in the report of a pod that has none (``cli.pod_status``)."""


class ReportedNode(Struct, frozen=True):
    name: str = ""
    read_only: bool = False


class ReportedSource(Struct, frozen=True):
    name: str = ""
    state: str = ""
    detail: str = ""


class ReportedKeepalived(Struct, frozen=True):
    pid: int = 0
    version: str | None = None


class ReportedPeer(Struct, frozen=True):
    address: str = ""
    priority: int | None = None
    seen: bool = False
    age_seconds: float | None = None


class ReportedHmac(Struct, frozen=True):
    mode: str = ""
    active_key: int | None = None


class ReportedInstance(Struct, frozen=True):
    """A VRRP instance, as its node reports it; see ``InstanceView``."""

    name: str = ""
    state: str = "UNKNOWN"
    interface: str | None = None
    vrid: int | None = None
    version: int | None = None
    priority: int | None = None
    effective_priority: int | None = None
    nopreempt: bool | None = None
    preempt_delay: float | None = None
    advert_interval: float | None = None
    vips: tuple[str, ...] = ()
    peers: tuple[ReportedPeer, ...] = ()
    auth_hmac: ReportedHmac | None = None
    address: str | None = None
    unicast_peers: tuple[str, ...] = ()

    @property
    def current_priority(self) -> int | None:
        return self.priority if self.effective_priority is None else self.effective_priority


class ReportedVip(Struct, frozen=True):
    address: str = ""
    instance: str = ""
    present: bool | None = None


class ReportedFinding(Struct, frozen=True):
    id: str = ""
    severity: str = ""
    title: str = ""
    object: str = ""


class Comparison(Struct, frozen=True):
    """What is compared between nodes; see ``presenters.contract.Comparison``."""

    kvtui: str = ""
    config_hash: str | None = None
    config: tuple[str, ...] | None = None
    ipvs_digest: str | None = None
    drained: tuple[str, ...] | None = None
    cps: float | None = None
    sysctls: dict[str, int] | None = None


class Report(Struct, frozen=True):
    """A node's ``status -o json``."""

    schema: int = 0
    time: str = ""
    node: ReportedNode = ReportedNode()
    sources: tuple[ReportedSource, ...] = ()
    keepalived: tuple[ReportedKeepalived, ...] = ()
    vrrp_instances: tuple[ReportedInstance, ...] | None = None
    vips: tuple[ReportedVip, ...] | None = None
    findings: tuple[ReportedFinding, ...] | None = None
    comparison: Comparison = Comparison()

    def source_error(self, name: str) -> str | None:
        """Why a source has no data; None if it has."""
        return next((s.detail or s.state for s in self.sources if s.name == name and s.state == "unavailable"), None)

    def held(self, instance: str) -> tuple[str, ...]:
        return tuple(v.address for v in self.vips or () if v.instance == instance and v.present)


class NodeState(StrEnum):
    """How a node's kvtui answers."""

    CONNECTING = "connecting"
    LIVE = "live"
    LATE = "late"  # it has answered, and is silent now: what is shown is old
    FAILED = "failed"  # it refuses, cannot be reached, or its answer is not understood
    MISSING = "missing"  # the DaemonSet should have a pod there, and has none
    HEARD = "heard"  # known from its adverts only


class ClusterNode(Struct, frozen=True):
    """``is_self``: kvtui runs there."""

    name: str  # as it was asked for (a host name); of the node that kvtui runs on, its own name
    state: NodeState
    detail: str = ""  # why it is not live, and what helps
    age: float | None = None  # seconds since its report arrived
    report: Report | None = None
    is_self: bool = False

    @property
    def current(self) -> Report | None:
        """None if it is old."""
        return self.report if self.state is NodeState.LIVE else None


class RouterMember(Struct, frozen=True):
    """A node's instance in a virtual router; ``is_current`` is False if its report is old."""

    node: str
    instance: ReportedInstance
    held: tuple[str, ...]
    is_current: bool = True


class Next(Struct, frozen=True):
    """Who takes over when the master dies."""

    node: str | None  # None if no known node can
    seconds: float | None  # at most, after the master's last advert
    because: str
    certain: bool  # False while a node is not known


class ClusterRouter(Struct, frozen=True):
    """A virtual router over all nodes: the instances that share VIPs, or a VRID."""

    name: str
    vrids: tuple[int, ...]
    vips: tuple[str, ...]
    members: tuple[RouterMember, ...]
    masters: tuple[str, ...]  # nodes that report MASTER
    next: Next | None  # None with several masters
    other_master: str | None = None  # address of a master that is heard and is none of these nodes


class Heard(StrEnum):
    """Whether one node hears the adverts of another."""

    HEARD = "heard"
    SILENT = "silent"  # it sends none now: a backup is silent
    LOST = "lost"
    REJECTED = "rejected"  # they arrive on its interface, but its keepalived does not follow them
    UNKNOWN = "unknown"


class Hearing(Struct, frozen=True):
    """One cell of the hearing matrix; ``age`` is that of the last advert, in seconds."""

    router: str
    listener: str
    speaker: str
    heard: Heard
    age: float | None = None
    cause: str = ""
    remedy: str = ""

    @property
    def object(self) -> str:
        return f"{self.router} {self.speaker} -> {self.listener}"


class ValueOnNodes(Struct, frozen=True):
    """A value, and the nodes that have it; ``value`` is empty where they lack it."""

    value: str
    nodes: tuple[str, ...]


class ClusterDifference(Struct, frozen=True):
    """Something that should be equal on all nodes."""

    kind: str  # `config`, `vips`, `sysctl`, `keepalived`, `kvtui`, `ipvs`, `drained`, `auth_hmac`
    what: str
    values: tuple[ValueOnNodes, ...]  # most frequent first


class ClusterView(Struct, frozen=True):
    """All nodes at one moment; ``findings`` are those of the cluster, worst first."""

    time: float
    nodes: tuple[ClusterNode, ...]
    routers: tuple[ClusterRouter, ...] = ()
    hearing: tuple[Hearing, ...] = ()
    differences: tuple[ClusterDifference, ...] = ()
    findings: tuple[Finding, ...] = ()
