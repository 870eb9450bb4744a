"""Why two nodes do not accept each other's adverts, as far as this node's wire shows it (see ``rejections``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.vrrp import AddressFamily
from kvtui.rules.phrases import listed
from kvtui.rules.triage import signatures
from kvtui.rules.triage.routers import InstanceRouter, describe, each_router
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule
from kvtui.rules.vrrp.instances import family_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.finding import Finding
    from kvtui.model.keepalived import Version

AUTH_NAMES = {0: None, 1: "PASS", 2: "AH"}
"""Authentication types of VRRP version 2 (RFC 2338 5.3.6) as keepalived names them."""
GROUPS = {AddressFamily.V4: "224.0.0.18", AddressFamily.V6: "ff02::12"}
REJECTS_OTHER_VIPS, ACCEPTS_OTHER_VIPS = (2, 2, 7), (2, 3, 3)
"""The last version known to reject adverts with another list of VIPs ("received an unexpected ip number count"), and
the first known to accept them ("expected 1 VIPs but received 2", logged once). Both measured in the lab."""
MIN_BAD_ADVERTS = 2
"""A single bad advert may be an accident."""
BAD_SECONDS = 60.0
"""After the last bad advert the sender has been fixed."""
INTERVAL_STEP = 0.005
"""Seconds. The wire carries centiseconds."""
BOTH_MASTERS = "keepalived drops such adverts, so both become master"


def carp_sender(router: InstanceRouter) -> Findings:
    """OpenBSD, FreeBSD, pfSense or OPNsense uses CARP here with this VRID as its vhid: it is no old keepalived.

    CARP shares VRRP's protocol number and group. Each packet restarts a master's advert timer, so that it falls silent
    (measured with 2.2.7; opnsense/core#1549).
    """
    for other in router.other_masters:
        if other.last.carp:
            yield router.finding(
                "carp-sender",
                Severity.CRITICAL,
                f"{other.last.source} sends CARP packets with vhid {router.instance.vrid}, the VRID of "
                f"{router.instance.name}",
                f"{other.count} CARP packets on {other.last.interface}; CARP shares VRRP's protocol (adverts)",
                "keepalived rejects them, but each restarts its timer: a master falls silent",
                remedy="change the vhid there, or virtual_router_id on all nodes here: a LAN has one number space for "
                "both",
            )


def vrid_collision(router: InstanceRouter) -> Findings:
    """Another virtual router of this LAN uses the same VRID (kubeasz#126)."""
    mine = own_addresses(router)
    for other in router.vrrp_masters:
        theirs = frozenset(other.last.addresses)
        if theirs and mine and not theirs & mine:
            yield router.finding(
                "vrid-collision",
                Severity.CRITICAL,
                f"{other.last.source} uses VRID {router.instance.vrid} on {other.last.interface} for other addresses",
                describe(other, router.now),
                f"its addresses: {listed(sorted(theirs))} (adverts)",
                f"those of {router.instance.name} here: {listed(sorted(mine))}",
                "each node rejects the other's adverts; the first master may keep the other from taking over",
                remedy="change the virtual_router_id of one of the two on all of its nodes (keepalived-vip: --vrid)",
            )


def vip_lists_differ(router: InstanceRouter) -> Findings:
    """This node's VIPs differ from those in another node's adverts (keepalived#2175).

    A silent node counts only where keepalived rejects such adverts: else it is a backup, and was perhaps fixed since.
    """
    mine, version = own_addresses(router), router.version
    accepts = version is not None and version >= ACCEPTS_OTHER_VIPS
    for other in router.vrrp_masters:
        theirs = frozenset(other.last.addresses)
        if theirs == mine or not theirs & mine or (accepts and other.silent(router.now)):
            continue
        yield router.finding(
            "vip-lists-differ",
            Severity.CRITICAL,
            f"{other.last.source} and this node have different VIPs in {router.instance.name}",
            describe(other, router.now),
            *((f"only there: {listed(sorted(theirs - mine))}",) if theirs - mine else ()),
            *((f"only here: {listed(sorted(mine - theirs))}",) if mine - theirs else ()),
            _other_list(version),
            remedy="kvtui reload  # on the node with the old list; its controller's log shows why it was not updated",
            vips=sorted(theirs ^ mine),
        )


def _other_list(version: Version | None) -> str:
    """Returns how a keepalived handles an advert with other VIPs."""
    if version and version <= REJECTS_OTHER_VIPS:
        return "each rejects the other's adverts, so both become master"
    accepted = "accepts such adverts: one node stays master, and VIPs that its list lacks are on no node"
    if version and version >= ACCEPTS_OTHER_VIPS:
        return f"keepalived {'.'.join(map(str, version))} {accepted}"
    return f"keepalived 2.2.7 rejects such adverts, so both become master; 2.3.3 {accepted}"


def own_addresses(router: InstanceRouter) -> frozenset[str]:
    """Returns the addresses that this node advertises, or would advertise as master."""
    if router.own_live and router.own and router.own.last.addresses:
        return frozenset(router.own.last.addresses)
    return frozenset(router.instance.advertised)


def version_differs(router: InstanceRouter) -> Findings:
    """VRRP 2 and 3 are incompatible (measured with 2.2.7; keepalived does not count these adverts)."""
    for other in router.vrrp_masters:
        if router.instance.version not in {None, other.last.version}:
            yield router.finding(
                "vrrp-version-differs",
                Severity.CRITICAL,
                f"{other.last.source} uses VRRP {other.last.version}, but {router.instance.name} on this node VRRP "
                f"{router.instance.version}",
                describe(other, router.now),
                f"another version: {BOTH_MASTERS}",
                remedy="set the same vrrp_version in global_defs on all nodes, then: kvtui reload",
            )


def auth_differs(router: InstanceRouter) -> Findings:
    """Keepalived drops adverts with another authentication type (measured with 2.2.7)."""
    for other in router.other_masters:
        if other.last.auth_type is None or router.instance.version != other.last.version:
            continue
        theirs = "AH" if other.last.authentication_header else AUTH_NAMES.get(other.last.auth_type, "unknown")
        if theirs == router.instance.auth_type:
            continue
        yield router.finding(
            "vrrp-auth-differs",
            Severity.CRITICAL,
            f"{other.last.source} authenticates adverts with {theirs or 'nothing'}, but {router.instance.name} on "
            f"this node with {router.instance.auth_type or 'nothing'}",
            describe(other, router.now),
            f"another auth_type: {BOTH_MASTERS}",
            remedy="use the same authentication block on all nodes (or none, with VRRP 3), then: kvtui reload",
        )


def interval_differs(router: InstanceRouter) -> Findings:
    """VRRP 2 rejects another interval; VRRP 3 uses the master's, which changes the takeover time (RFC 9568 6.4)."""
    for other in router.vrrp_masters:
        if not other.last.interval or abs(other.last.interval - router.interval) < INTERVAL_STEP:
            continue
        second = other.last.version == 2
        effect = f"VRRP 2: {BOTH_MASTERS}" if second else "a takeover takes three of the master's intervals"
        yield router.finding(
            "advert-interval-differs",
            Severity.CRITICAL if second else Severity.WARNING,
            f"{other.last.source} advertises every {other.last.interval:g} s, but {router.instance.name} on this "
            f"node every {router.interval:g} s",
            describe(other, router.now),
            effect,
            remedy="set the same advert_int on all nodes, then: kvtui reload",
        )


def bad_adverts(router: InstanceRouter) -> Findings:
    """Malformed adverts, wrong checksums or TTLs on this node's VRID (contrib#2909: "Invalid VRRPv3 checksum")."""
    for other in router.others:
        last = other.last
        bad_at = last.received if other.bad_at is None else other.bad_at
        if other.bad < MIN_BAD_ADVERTS or last.carp or router.now - bad_at > BAD_SECONDS:
            continue
        why = last.error or (f"TTL {last.ttl} instead of 255" if last.ttl != 255 else "but not the last one")
        yield router.finding(
            "bad-adverts",
            Severity.WARNING,
            f"{last.source} sends adverts for VRID {last.vrid} that keepalived may reject",
            f"{other.bad} of {other.count} adverts were bad: {why} (adverts)",
            describe(other, router.now),
            remedy=(
                "a TTL below 255 means that a router forwards them: nodes of a VRID share one LAN"
                if last.ttl != 255
                else f"keepalived --version  # on {last.source}; the same version and vrrp_version on all nodes"
            ),
        )


def group_differs(router: InstanceRouter) -> Findings:
    """Two nodes use different multicast groups (vrrp_mcast_group4, _group6): both are heard here (keepalived#1663)."""
    mine, number = own_group(router), family_of(router.instance).value
    for other in router.other_masters:
        theirs = other.last.destination
        if _is_group(theirs) and theirs != mine and not unicast_peers(router):
            yield router.finding(
                "vrrp-group-differs",
                Severity.CRITICAL,
                f"{other.last.source} advertises to {theirs}, but {router.instance.name} on this node uses {mine}",
                describe(other, router.now),
                f"keepalived here listens to {mine} only: both become master, and no firewall is the cause",
                remedy=f"set the same vrrp_mcast_group{number} in global_defs on all nodes, then: kvtui reload",
            )


def own_group(router: InstanceRouter) -> str:
    """Returns the multicast group of this node's adverts: as captured, dumped, or configured."""
    if router.own is not None and _is_group(router.own.last.destination):
        return router.own.last.destination
    conf, family = router.snapshot.effective_conf, family_of(router.instance)
    configured = conf.globals.get(f"vrrp_mcast_group{family.value}", "").strip() if conf else ""
    return router.instance.group or configured or GROUPS[family]


def _is_group(destination: str) -> bool:
    first = destination.partition(".")[0]
    return destination.startswith("ff") or (first.isdecimal() and 224 <= int(first) <= 239)


def unicast_mixed(router: InstanceRouter) -> Findings:
    """One node uses unicast, another multicast, or a node is not a configured peer (contrib#808)."""
    peers = unicast_peers(router)
    for other in router.vrrp_masters:
        group = _is_group(other.last.destination)
        if peers is None or (bool(peers) is not group and (not peers or other.last.source in peers)):
            continue
        how = "multicasts" if group else "sends unicast"
        here = f"unicast to {listed(peers)}" if peers else "multicast"
        problem = "is not a unicast_peer" if peers and not group else how
        yield router.finding(
            "unicast-peers-wrong",
            Severity.CRITICAL,
            f"{other.last.source} {problem} in {router.instance.name}: it does not hear this node",
            describe(other, router.now),
            f"it {how} to {other.last.destination} (adverts); this node is configured for {here} (conf)",
            remedy="configure unicast_peer on all nodes, each with all other nodes (keepalived-vip: --use-unicast)",
        )


def unicast_peers(router: InstanceRouter) -> tuple[str, ...] | None:
    """Returns its unicast peers; empty with multicast; None if unknown."""
    known = router.configured
    return (router.instance.unicast_peers or None) if known is None else known.unicast_peers


MISMATCHES: tuple[tuple[Callable[[InstanceRouter], Findings], float], ...] = (
    (carp_sender, TRANSIENT_SECONDS),
    (vrid_collision, TRANSIENT_SECONDS),
    (version_differs, TRANSIENT_SECONDS),
    (auth_differs, TRANSIENT_SECONDS),
    (group_differs, TRANSIENT_SECONDS),
    (unicast_mixed, TRANSIENT_SECONDS),
    (vip_lists_differ, ROLLOUT_SECONDS),
    (interval_differs, TRANSIENT_SECONDS),
    (signatures.unsigned_sender, ROLLOUT_SECONDS),
    (signatures.unexpected_signature, ROLLOUT_SECONDS),
    (signatures.unknown_key, ROLLOUT_SECONDS),
    (signatures.malformed_signature, TRANSIENT_SECONDS),
    (signatures.stale_signature, TRANSIENT_SECONDS),
    (signatures.replayed, 0.0),
    (bad_adverts, 0.0),
)
"""What makes nodes reject each other's adverts, with the time that it must persist."""


def mismatches(router: InstanceRouter) -> tuple[Finding, ...]:
    """Returns why this node and those that it hears do not accept each other."""
    return tuple(found for find, _ in MISMATCHES for found in find(router))


RULES = tuple(Rule(each_router(find), after) for find, after in MISMATCHES)
