"""Nodes that are known from their adverts only: a row each, which takes no part in what is concluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.cluster import MASTER, ClusterNode, NodeState, Report, ReportedInstance, ReportedNode
from kvtui.rules.cluster.routers import is_recent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.cluster import Member, ReportedPeer, Router


def heard_nodes(routers: tuple[Router, ...]) -> Iterator[ClusterNode]:
    """Yields a node for each address that a live node has heard and that no node has."""
    known = {m.instance.address for r in routers for m in r.members}
    yielded: set[str] = set()
    for router in routers:
        heard = [(p, m) for m in router.members if m.is_current for p in m.instance.peers]
        seen = [(p, m) for p, m in heard if p.seen and p.age_seconds is not None and p.address not in known]
        for address in sorted({p.address for p, _m in seen} - yielded):
            yielded.add(address)
            yield _node(router, [(p, m) for p, m in seen if p.address == address])


def _node(router: Router, seen: list[tuple[ReportedPeer, Member]]) -> ClusterNode:
    peer, listener = min(seen, key=lambda both: both[0].age_seconds or 0.0)
    state = MASTER if is_recent(peer, listener.instance) else "UNKNOWN"
    since = "" if state == MASTER else f", silent for {peer.age_seconds:.0f} s"
    by = ", ".join(sorted({m.node for _p, m in seen}))
    detail = f"{router.name} {state} {peer.priority}{since}: known from its adverts only (heard by {by})"
    instance = ReportedInstance(
        name=router.name,
        state=state,
        vrid=listener.instance.vrid,
        priority=peer.priority,
        effective_priority=peer.priority,
        vips=router.vips,
        address=peer.address,
    )
    report = Report(node=ReportedNode(peer.address), vrrp_instances=(instance,))
    return ClusterNode(peer.address, NodeState.HEARD, detail, peer.age_seconds, report)
