"""The public JSON of ``kvtui cluster``: one definition gives the objects, the JSON and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import convert, to_builtins

from kvtui.model.cluster import ClusterNode, ClusterView, Heard, NodeState, Report
from kvtui.model.finding import Severity
from kvtui.presenters import contract
from kvtui.presenters.contract import Contract, Count, SchemaVersion, Time
from kvtui.presenters.documents import status, timestamp

if TYPE_CHECKING:
    from kvtui.model.cluster import ClusterRouter, ReportedInstance
    from kvtui.model.observation import Observation


class ClusterInstance(Contract, frozen=True):
    """A VRRP instance on one node, as that node reports it."""

    name: str
    state: str
    vrid: Count | None
    priority: Count | None
    effective_priority: int | None
    address: str | None
    vips_held: list[str]


class FindingCounts(Contract, frozen=True):
    """How many findings a node's own triage has."""

    critical: Count
    warning: Count
    info: Count


class NodeRow(Contract, frozen=True):
    """One node; name is the host that was asked for, host_name what it calls itself.

    state: connecting, live, late (what is shown is old) or failed; detail says why. Null: not known.
    """

    name: str
    host_name: str | None
    is_self: bool
    state: NodeState
    detail: str
    age_seconds: float | None
    keepalived: str | None
    kvtui: str | None
    config_hash: str | None
    ipvs_digest: str | None
    drained: list[str] | None
    cps: float | None
    findings: FindingCounts | None
    instances: list[ClusterInstance] | None


class NextMaster(Contract, frozen=True):
    """Who takes over when the master dies; certain is false while a node is not known."""

    node: str | None
    within_seconds: float | None
    certain: bool
    why: str


class RouterRow(Contract, frozen=True):
    """A virtual router over all nodes; masters are the nodes that say that they are master.

    other_master: address of a master that is heard and is none of these nodes.
    """

    name: str
    vrids: list[Count]
    vips: list[str]
    masters: list[str]
    next: NextMaster | None
    other_master: str | None


class HearingCell(Contract, frozen=True):
    """Whether listener hears the adverts of speaker; cause says why not."""

    router: str
    listener: str
    speaker: str
    heard: Heard
    age_seconds: float | None
    cause: str
    remedy: str


class NodesWithValue(Contract, frozen=True):
    """A value and the nodes that have it; empty where they lack it."""

    value: str
    nodes: list[str]


class NodeDifference(Contract, frozen=True):
    """Something that should be equal on all nodes."""

    kind: str
    what: str
    values: list[NodesWithValue]


class Cluster(Contract, frozen=True):
    """All nodes side by side (kvtui cluster)."""

    schema: SchemaVersion
    time: Time
    nodes: list[NodeRow]
    routers: list[RouterRow]
    hearing: list[HearingCell]
    differences: list[NodeDifference]
    findings: list[contract.Finding]


def own_node(seen: Observation) -> ClusterNode | None:
    """Returns this node as others would see it; None without a keepalived."""
    if not seen.snapshot.keepalived:
        return None
    report = convert(to_builtins(status(seen)), Report, strict=False)
    return ClusterNode(seen.snapshot.node.name, NodeState.LIVE, age=0.0, report=report, is_self=True)


def finding_counts(report: Report) -> FindingCounts | None:
    if report.findings is None:
        return None
    counted = [f.severity for f in report.findings]
    return FindingCounts(*(counted.count(severity.value) for severity in Severity))


def cluster_document(view: ClusterView) -> Cluster:
    return Cluster(
        schema=1,
        time=timestamp(view.time),
        nodes=[_node(n) for n in view.nodes],
        routers=[_router(r) for r in view.routers],
        hearing=[HearingCell(h.router, h.listener, h.speaker, h.heard, h.age, h.cause, h.remedy) for h in view.hearing],
        differences=convert(view.differences, list[NodeDifference], from_attributes=True),
        findings=convert(view.findings, list[contract.Finding], from_attributes=True),
    )


def _node(node: ClusterNode) -> NodeRow:
    report = node.report or Report()
    compared = report.comparison
    return NodeRow(
        name=node.name,
        host_name=node.report.node.name if node.report else None,
        is_self=node.is_self,
        state=node.state,
        detail=node.detail,
        age_seconds=None if node.age is None else round(node.age, 1),
        keepalived=next((k.version for k in report.keepalived), None),
        kvtui=compared.kvtui or None,
        config_hash=compared.config_hash,
        ipvs_digest=compared.ipvs_digest,
        drained=None if compared.drained is None else list(compared.drained),
        cps=compared.cps,
        findings=finding_counts(report),
        instances=None if report.vrrp_instances is None else [_instance(report, i) for i in report.vrrp_instances],
    )


def _instance(report: Report, i: ReportedInstance) -> ClusterInstance:
    held = list(report.held(i.name))
    return ClusterInstance(i.name, i.state, i.vrid, i.priority, i.effective_priority, i.address, held)


def _router(router: ClusterRouter) -> RouterRow:
    follows = router.next
    return RouterRow(
        router.name,
        list(router.vrids),
        list(router.vips),
        list(router.masters),
        NextMaster(follows.node, follows.seconds, follows.certain, follows.because) if follows else None,
        router.other_master,
    )
