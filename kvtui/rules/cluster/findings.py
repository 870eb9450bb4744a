"""Findings that need more than one node: two owners, no owner, ties, what is not heard, what differs."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from kvtui.model.cluster import BACKUP, MASTER, Heard, NodeState
from kvtui.model.finding import Finding, Severity
from kvtui.rules.cluster.hearing import missing_peer
from kvtui.rules.cluster.routers import SILENT_INTERVALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.cluster import ClusterDifference, ClusterNode, ClusterRouter, Hearing, RouterMember

MAX_EVIDENCE = 12


def findings(
    nodes: tuple[ClusterNode, ...],
    routers: tuple[ClusterRouter, ...],
    hearing: tuple[Hearing, ...],
    differences: tuple[ClusterDifference, ...],
) -> Iterator[Finding]:
    """Yields what holds at this moment; the caller decides how long it must hold."""
    for router in routers:
        yield from _owners(router, [h for h in hearing if h.router == router.name])
        yield from _vrids(router)
        yield from _ties(router)
        yield from _peers(router)
    yield from _not_heard(hearing, routers)
    yield from _unknown_nodes(nodes)
    yield from _config_split(differences)
    yield from _drain_split(differences)


def hold_seconds(routers: tuple[ClusterRouter, ...]) -> float:
    """Returns how long a condition must hold: an election, and a second for reports that are not of the same moment."""
    intervals = [m.instance.advert_interval or 1.0 for r in routers for m in r.members]
    return 1.0 + (SILENT_INTERVALS + 1) * max(intervals, default=1.0)


def _owners(router: ClusterRouter, cells: list[Hearing]) -> Iterator[Finding]:
    if len(router.masters) > 1:
        members = [m for m in router.members if m.node in router.masters]
        facts = [_fact(m) for m in members]
        facts += [
            f"{c.listener} does not hear {c.speaker}: {c.cause}"
            for c in cells
            if c.heard in {Heard.LOST, Heard.REJECTED} and {c.listener, c.speaker} <= set(router.masters)
        ]
        yield Finding(
            "cluster-two-owners", Severity.CRITICAL, f"{router.name}: {' and '.join(router.masters)} are both MASTER",
            tuple(facts), "Restore what is not heard (see the evidence); clients reach one node or the other by chance",
            router.name, router.vips,
        )  # fmt: skip
    if not router.masters and not router.other_master and all(m.is_current for m in router.members):
        yield Finding(
            "cluster-no-owner", Severity.CRITICAL, f"{router.name}: no node is MASTER",
            tuple(_fact(m) for m in router.members),
            "Start keepalived on a node, or clear its FAULT: kvtui triage there names the cause",
            router.name, router.vips,
        )  # fmt: skip


def _fact(member: RouterMember) -> str:
    i = member.instance
    old = "" if member.is_current else " (old: the node does not answer)"
    holds = f", holds {' '.join(member.held)}" if member.held else ""
    return f"{member.node}: {i.state}, priority {i.current_priority}, address {i.address or '?'}{holds}{old}"


def _vrids(router: ClusterRouter) -> Iterator[Finding]:
    if len(router.vrids) > 1:
        yield Finding(
            "cluster-vrid-mismatch", Severity.CRITICAL,
            f"{router.name}: the nodes have different virtual_router_ids for the same VIPs",
            tuple(f"{m.node}: virtual_router_id {m.instance.vrid}" for m in router.members),
            "Set the same virtual_router_id on all nodes, then: kvtui reload", router.name, router.vips,
        )  # fmt: skip


def _ties(router: ClusterRouter) -> Iterator[Finding]:
    equal: dict[int, list[str]] = defaultdict(list)
    for m in router.members:
        if m.is_current and m.instance.state in {MASTER, BACKUP} and m.instance.current_priority is not None:
            equal[m.instance.current_priority].append(m.node)
    for priority, names in equal.items():
        if len(names) > 1:
            yield Finding(
                "cluster-tie", Severity.WARNING, f"{router.name}: {', '.join(names)} have the same priority {priority}",
                ("With equal priorities the higher address wins; two may take over at once (VRRP)",),
                f"kvtui priority {router.name} VALUE  # on one of them", router.name, router.vips,
            )  # fmt: skip


def _peers(router: ClusterRouter) -> Iterator[Finding]:
    pairs = [p for a, b in combinations([m for m in router.members if m.is_current], 2) for p in ((a, b), (b, a))]
    facts = [why for listener, speaker in pairs if (why := missing_peer(listener, speaker))]
    if facts:
        yield Finding(
            "cluster-peer-missing", Severity.WARNING, f"{router.name}: unicast_peer is not complete",
            tuple(facts[:MAX_EVIDENCE]), "Complete unicast_peer on the named nodes, then: kvtui reload",
            router.name, router.vips,
        )  # fmt: skip


def _not_heard(hearing: tuple[Hearing, ...], routers: tuple[ClusterRouter, ...]) -> Iterator[Finding]:
    vips = {r.name: r.vips for r in routers}
    split = {r.name for r in routers if len(r.masters) > 1}
    by_pair = {(c.router, c.listener, c.speaker): c for c in hearing}
    for c in hearing:
        if c.heard not in {Heard.LOST, Heard.REJECTED}:
            continue
        back = by_pair.get((c.router, c.speaker, c.listener))
        verb = "does not hear" if c.heard is Heard.LOST else "does not follow"
        since = "no advert was ever heard" if c.age is None else f"no advert for {c.age:.0f} s"
        facts = [f"{c.listener} from {c.speaker}: {since} ({c.listener}'s capture)", c.cause]
        if back and back.heard is not Heard.UNKNOWN:
            facts.append(f"The other direction, {c.speaker} from {c.listener}: {back.heard.value}")
        yield Finding(
            "cluster-one-way-hearing", Severity.CRITICAL if c.router in split else Severity.WARNING,
            f"{c.router}: {c.listener} {verb} {c.speaker}", tuple(facts), c.remedy,
            c.object, vips[c.router],
        )  # fmt: skip


def _unknown_nodes(nodes: tuple[ClusterNode, ...]) -> Iterator[Finding]:
    for node in nodes:
        if node.state in {NodeState.FAILED, NodeState.LATE}:
            yield Finding(
                "cluster-node-unknown", Severity.WARNING, f"{node.name}: its state is not known", (node.detail,),
                f"ssh {node.name} kvtui status  # what the cluster view does" if not node.is_self else "kvtui status",
                node.name,
            )  # fmt: skip
        if node.state is NodeState.MISSING:
            yield Finding(
                "cluster-node-missing", Severity.WARNING, f"{node.name} should have a keepalived pod and has none",
                (node.detail,), "kubectl describe daemonset  # its events say why no pod was made", node.name,
            )  # fmt: skip


def _config_split(differences: tuple[ClusterDifference, ...]) -> Iterator[Finding]:
    lines = [d for d in differences if d.kind == "config"]
    if lines:
        facts = [f"{_where(d)}: {d.what}" for d in lines[:MAX_EVIDENCE]]
        more = [f"and {len(lines) - MAX_EVIDENCE} more lines"] if len(lines) > MAX_EVIDENCE else []
        yield Finding(
            "cluster-config-split", Severity.WARNING, "The nodes run different configs", (*facts, *more),
            "Bring the same keepalived.conf to all nodes, then: kvtui reload", "cluster",
        )  # fmt: skip


def _drain_split(differences: tuple[ClusterDifference, ...]) -> Iterator[Finding]:
    for d in differences:
        if d.kind == "drained":
            yield Finding(
                "cluster-drain-split", Severity.INFO, f"{d.what} is drained on {_where(d)} only",
                tuple(f"{', '.join(v.nodes)}: {v.value or 'not drained'}" for v in d.values),
                f"kvtui drain {d.what.partition(' -> ')[2]} --all-nodes", d.what,
            )  # fmt: skip


def _where(difference: ClusterDifference) -> str:
    return ", ".join(node for v in difference.values if v.value for node in v.nodes) or "no node"
