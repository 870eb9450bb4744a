"""Builders of a cluster's nodes as their kvtui reports them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kvtui.model.cluster import (
    ClusterNode,
    Comparison,
    NodeState,
    Report,
    ReportedInstance,
    ReportedNode,
    ReportedPeer,
    ReportedVip,
)

VIP = "10.4.0.50"


def peer(number: int, age: float = 0.5) -> ReportedPeer:
    """Returns peer 10.4.0.<number>; ``age`` is the seconds since its last advert."""
    return ReportedPeer(f"10.4.0.{number}", 100 + number, seen=True, age_seconds=age)


def instance(number: int, state: str, **changes: Any) -> ReportedInstance:
    """Returns the instance of node <number>: priority 100 + number, no peers."""
    base = ReportedInstance(
        name="vips",
        state=state,
        interface="eth0",
        vrid=50,
        version=3,
        priority=100 + number,
        effective_priority=100 + number,
        advert_interval=1.0,
        vips=(VIP,),
        address=f"10.4.0.{number}",
    )
    return replace(base, **changes)


def node(number: int, state: str = "BACKUP", *, comparison: Comparison | None = None, **changes: Any) -> ClusterNode:
    """Returns node-<number>, live. A backup has received adverts of node 5, the master of most tests."""
    if state == "BACKUP":
        changes.setdefault("peers", (peer(5),))
    report = Report(
        schema=1,
        node=ReportedNode(f"node-{number}"),
        vrrp_instances=(instance(number, state, **changes),),
        vips=(ReportedVip(VIP, "vips", present=state == "MASTER"),),
        comparison=comparison or Comparison(kvtui="1", config_hash="a", config=("same",), ipvs_digest="d", drained=()),
    )
    return ClusterNode(f"node-{number}", NodeState.LIVE, age=0.2, report=report)


def silent(number: int) -> ClusterNode:
    """Returns a node that does not answer."""
    return ClusterNode(f"node-{number}", NodeState.FAILED, "No route to host")
