"""The hearing matrix: who hears whose adverts, from every node's own capture, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.cluster import MASTER, Heard, Hearing
from kvtui.rules.cluster.routers import is_recent
from kvtui.rules.vrrp.election import address_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.cluster import ClusterNode, ClusterRouter, Report, RouterMember

MAX_SILENT_SPEAKERS = 20
"""In a larger cluster the matrix has only the nodes that send adverts."""


def hearing(nodes: tuple[ClusterNode, ...], routers: tuple[ClusterRouter, ...]) -> tuple[Hearing, ...]:
    reports = {n.name: n.current for n in nodes}
    return tuple(cell for router in routers for cell in _cells(router, reports))


def _cells(router: ClusterRouter, reports: dict[str, Report | None]) -> Iterator[Hearing]:
    for speaker in router.members:
        if speaker.instance.state != MASTER and len(router.members) > MAX_SILENT_SPEAKERS:
            continue
        for listener in router.members:
            if listener.node != speaker.node:
                heard, age, why = _hears(listener, speaker, reports[listener.node])
                yield Hearing(router.name, listener.node, speaker.node, heard, age, *why)


Why = tuple[str, str]
"""Cause and remedy."""


def _hears(listener: RouterMember, speaker: RouterMember, report: Report | None) -> tuple[Heard, float | None, Why]:
    if not speaker.is_current:
        return Heard.UNKNOWN, None, (f"the state of {speaker.node} is not known", "")
    peer = next((p for p in listener.instance.peers if p.address == speaker.instance.address), None)
    age = peer.age_seconds if peer else None
    if speaker.instance.state != MASTER:
        return Heard.SILENT, age, (f"{speaker.node} is {speaker.instance.state}: it sends no adverts", "")
    if report is None:
        return Heard.UNKNOWN, None, (f"{listener.node} does not answer", "")
    if error := report.source_error("adverts"):
        return Heard.UNKNOWN, None, (f"{listener.node} cannot capture adverts: {error}", "")
    if speaker.instance.address is None:
        return Heard.UNKNOWN, None, (f"the address that {speaker.node} advertises from is not known", "")
    if peer is None or not is_recent(peer, speaker.instance):
        return Heard.LOST, age, _lost(listener, speaker)
    if listener.instance.state == MASTER and _outranks(speaker, listener):
        return Heard.REJECTED, age, _rejected(listener, speaker)
    return Heard.HEARD, age, ("", "")


def _outranks(one: RouterMember, other: RouterMember) -> bool:
    first, second = one.instance, other.instance
    if first.current_priority != second.current_priority or not (first.address and second.address):
        return (first.current_priority or 0) > (second.current_priority or 0)
    return address_order(first.address) > address_order(second.address)


def _lost(listener: RouterMember, speaker: RouterMember) -> Why:
    there, here = speaker.instance, listener.instance
    if there.vrid != here.vrid:
        return (
            f"virtual_router_id differs: {there.vrid} on {speaker.node}, {here.vrid} on {listener.node}",
            "Set the same virtual_router_id on both, then: kvtui reload",
        )
    if why := missing_peer(listener, speaker):
        return why, "Complete unicast_peer, then: kvtui reload"
    if here.state == "FAULT":
        return f"{listener.node} is in FAULT", f"Check {here.interface or 'its interface'} on {listener.node}"
    group = "ff02::12" if ":" in (there.address or "") else "224.0.0.18"
    to = here.address if there.unicast_peers else f"the group {group}"
    return (
        f"adverts from {there.address} to {to} are lost on the way",
        f"Let IP protocol 112 pass: check nft and iptables on {speaker.node} (output), then switches and VLANs",
    )


def missing_peer(listener: RouterMember, speaker: RouterMember) -> str | None:
    """Returns what is wrong with the unicast peers of two nodes; None if nothing."""
    there, here = speaker.instance, listener.instance
    if there.unicast_peers and here.address and here.address not in there.unicast_peers:
        return f"unicast_peer on {speaker.node} lacks {here.address} ({listener.node}): it sends it no adverts"
    if here.unicast_peers and not there.unicast_peers:
        return f"{speaker.node} sends multicast, {listener.node} expects unicast"
    return None


def _rejected(listener: RouterMember, speaker: RouterMember) -> Why:
    there, here = speaker.instance, listener.instance
    if there.version != here.version:
        why = f"VRRP versions differ: {there.version} on {speaker.node}, {here.version} on {listener.node}"
        return why, "Set the same vrrp_version on all nodes, then: kvtui reload"
    if there.auth_hmac != here.auth_hmac:
        modes = [f"{m.node}: {_hmac(m)}" for m in (speaker, listener)]
        why = f"auth_hmac differs ({', '.join(modes)}): {listener.node} rejects the adverts"
        return why, "Finish the roll-out of auth_hmac: the same keys on all nodes before any of them enforces"
    why = f"the adverts reach {here.interface or 'the interface'} of {listener.node}; its keepalived does not take them"
    return why, f"Check nft and iptables on {listener.node} (input, IP protocol 112), and authentication: kvtui triage"


def _hmac(member: RouterMember) -> str:
    hmac = member.instance.auth_hmac
    return f"{hmac.mode}, key {hmac.active_key}" if hmac else "none"
