"""Virtual routers over all nodes: which instances belong together, who owns, who is next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kvtui.model.cluster import (
    BACKUP,
    MASTER,
    ClusterNode,
    ClusterRouter,
    Next,
    NodeState,
    Report,
    ReportedInstance,
    ReportedNode,
    RouterMember,
)
from kvtui.rules.vrrp.election import Candidate, Leaving, predict

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from kvtui.model.cluster import ReportedPeer

SILENT_INTERVALS = 3.5
"""After this many intervals without an advert a backup takes over (3 intervals and the skew)."""
MIN_SILENCE = 1.5
"""Seconds. Reports come once a second, and the capture is read in batches."""


def routers(nodes: tuple[ClusterNode, ...]) -> tuple[ClusterRouter, ...]:
    """Groups the instances of all nodes: those that share a VIP belong together, those without one by their VRID."""
    groups: dict[Hashable, list[RouterMember]] = {}
    names: dict[Hashable, Hashable] = {}
    for node in nodes:
        for instance in (node.report.vrrp_instances if node.report else None) or ():
            keys: list[Hashable] = list(instance.vips) or [(instance.vrid, instance.name)]
            known = [names[key] for key in keys if key in names]
            group = known[0] if known else keys[0]
            for other in set(known) - {group}:  # this instance joins two groups
                groups[group] += groups.pop(other)
                names = {key: group if name == other else name for key, name in names.items()}
            names |= dict.fromkeys(keys, group)
            held = node.report.held(instance.name) if node.report else ()
            groups.setdefault(group, []).append(RouterMember(node.name, instance, held, node.state is NodeState.LIVE))
    everybody = all(node.state in {NodeState.LIVE, NodeState.MISSING} for node in nodes)
    found = [_router(tuple(members), everybody=everybody) for members in groups.values()]
    return tuple(sorted(found, key=lambda r: (r.name, r.vrids)))


def _router(members: tuple[RouterMember, ...], *, everybody: bool) -> ClusterRouter:
    masters = tuple(m.node for m in members if m.is_current and m.instance.state == MASTER)
    return ClusterRouter(
        name=Counter(m.instance.name for m in members).most_common(1)[0][0],
        vrids=tuple(sorted({m.instance.vrid for m in members if m.instance.vrid is not None})),
        vips=tuple(dict.fromkeys(vip for m in members for vip in m.instance.vips)),
        members=members,
        masters=masters,
        next=_next(members, masters, everybody=everybody),
        other_master=_other_master(members),
    )


def _next(members: tuple[RouterMember, ...], masters: tuple[str, ...], *, everybody: bool) -> Next | None:
    """Returns who takes over when the master dies; without a master, who takes over now."""
    able = [m for m in members if m.is_current and m.instance.state in {MASTER, BACKUP} and m.instance.address]
    by_address = {m.instance.address or "": m for m in able}
    master = next((a for a, m in by_address.items() if m.node in masters), None)
    if len(masters) > 1:
        return None
    interval = max((m.instance.advert_interval or 1.0 for m in able), default=1.0)
    candidates = tuple(Candidate(a, m.instance.current_priority) for a, m in by_address.items())
    result = predict(candidates, master, interval, Leaving.SILENT)
    strangers = {p.address for m in members for p in m.instance.peers} - {m.instance.address for m in members}
    certain = everybody and all(c.priority is not None for c in candidates) and not strangers
    if result.master is None:
        nobody = "no other known node can take over" if everybody else "unknown: not all nodes answer (yet)"
        return Next(None, None, nobody, certain)
    winner = by_address[result.master]
    others = len(able) - 1 - bool(master)
    because = f"priority {winner.instance.current_priority}" + (", the highest of the others" if others else "")
    return Next(winner.node, round(result.moves[0].after, 1) if result.moves else None, because, certain)


def _other_master(members: tuple[RouterMember, ...]) -> str | None:
    known = {m.instance.address for m in members}
    peers = (p for m in members if m.is_current for p in m.instance.peers if is_recent(p, m.instance))
    return next((p.address for p in peers if p.address not in known), None)


def is_recent(peer: ReportedPeer, instance: ReportedInstance) -> bool:
    """Whether a node heard this peer within the time after which a backup takes over, and not as it stepped down."""
    limit = max(MIN_SILENCE, SILENT_INTERVALS * (instance.advert_interval or 1.0))
    return peer.priority != 0 and peer.age_seconds is not None and peer.age_seconds <= limit


def heard_nodes(routers: tuple[ClusterRouter, ...]) -> Iterator[ClusterNode]:
    """Yields a node for each address that a live node has heard and that no node has.

    It takes no part in what is concluded.
    """
    known = {m.instance.address for r in routers for m in r.members}
    yielded: set[str] = set()
    for router in routers:
        heard = [(p, m) for m in router.members if m.is_current for p in m.instance.peers]
        seen = [(p, m) for p, m in heard if p.seen and p.age_seconds is not None and p.address not in known]
        for address in sorted({p.address for p, _m in seen} - yielded):
            yielded.add(address)
            yield _heard_node(router, [(p, m) for p, m in seen if p.address == address])


def _heard_node(router: ClusterRouter, seen: list[tuple[ReportedPeer, RouterMember]]) -> ClusterNode:
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
