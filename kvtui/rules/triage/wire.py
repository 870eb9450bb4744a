"""Configuration differences between nodes, as seen in the adverts of other nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.rules.phrases import listed
from kvtui.rules.triage.routers import describe, routers
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfInstance
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.triage.routers import Router

AUTH_NAMES = {0: None, 1: "PASS", 2: "AH"}
"""Authentication types of VRRP version 2 (RFC 2338 5.3.6) as keepalived names them."""
REJECTS_OTHER_VIPS, ACCEPTS_OTHER_VIPS = (2, 2, 7), (2, 3, 3)
"""The last version known to reject adverts with another list of VIPs ("received an unexpected ip number count"), and
the first known to accept them ("expected 1 VIPs but received 2", logged once). Both measured in the lab."""
MIN_BAD_ADVERTS = 2
"""A single bad advert may be an accident."""
INTERVAL_STEP = 0.005
"""Seconds. The wire carries centiseconds."""


def vrid_collision(observation: Observation) -> Iterator[Finding]:
    """Another virtual router of this LAN uses the same VRID (kubeasz#126)."""
    for router in routers(observation):
        mine = _own_addresses(router)
        for other in router.live_others:
            theirs = frozenset(other.last.addresses)
            if not theirs or not mine or theirs & mine:
                continue
            yield Finding(
                "vrid-collision",
                Severity.CRITICAL,
                f"{other.last.source} uses VRID {router.instance.vrid} on {other.last.interface} for other addresses",
                (
                    describe(other, router.now),
                    f"its addresses: {listed(sorted(theirs))} (adverts)",
                    f"those of {router.instance.name} here: {listed(sorted(mine))}",
                    "each node rejects the other's adverts; the first master may keep the other from taking over",
                ),
                "change the virtual_router_id of one of the two on all of its nodes (keepalived-vip: --vrid)",
                router.instance.name,
                router.vips,
            )


def vip_lists_differ(observation: Observation) -> Iterator[Finding]:
    """Compares this node's VIPs with those in other nodes' adverts (keepalived#2175)."""
    for router in routers(observation):
        mine = _own_addresses(router)
        for other in router.live_others:
            theirs = frozenset(other.last.addresses)
            if theirs == mine or not theirs & mine:
                continue
            yield Finding(
                "vip-lists-differ",
                Severity.CRITICAL,
                f"{other.last.source} and this node have different VIPs in {router.instance.name}",
                (
                    describe(other, router.now),
                    *((f"only there: {listed(sorted(theirs - mine))}",) if theirs - mine else ()),
                    *((f"only here: {listed(sorted(mine - theirs))}",) if mine - theirs else ()),
                    _other_list(observation),
                ),
                "kvtui reload  # on the node with the old list; its controller's log shows why it was not updated",
                router.instance.name,
                tuple(sorted(theirs ^ mine)),
            )


def _other_list(observation: Observation) -> str:
    chosen = observation.snapshot.chosen_keepalived
    version = parse_version(chosen.version or "") if chosen else None
    if version and version <= REJECTS_OTHER_VIPS:
        return "each rejects the other's adverts, so both become master"
    accepted = "accepts such adverts: one node stays master, and VIPs that its list lacks are on no node"
    if version and version >= ACCEPTS_OTHER_VIPS:
        return f"keepalived {chosen.version if chosen else ''} {accepted}"
    return f"keepalived 2.2.7 rejects such adverts, so both become master; 2.3.3 {accepted}"


def _own_addresses(router: Router) -> frozenset[str]:
    if router.own_live and router.own and router.own.last.addresses:
        return frozenset(router.own.last.addresses)
    return frozenset(router.vips)


def version_differs(observation: Observation) -> Iterator[Finding]:
    """VRRP 2 and 3 are incompatible."""
    for router in routers(observation):
        for other in router.live_others:
            if router.instance.version is None or other.last.version == router.instance.version:
                continue
            yield Finding(
                "vrrp-version-differs",
                Severity.CRITICAL,
                f"{other.last.source} uses VRRP {other.last.version}, but {router.instance.name} on this node VRRP "
                f"{router.instance.version}",
                (
                    describe(other, router.now),
                    "keepalived drops adverts of another version, so both become master",
                ),
                "set the same vrrp_version in global_defs on all nodes, then: kvtui reload",
                router.instance.name,
                router.vips,
            )


def auth_differs(observation: Observation) -> Iterator[Finding]:
    """Keepalived drops adverts with another authentication type."""
    for router in routers(observation):
        for other in router.live_others:
            if other.last.auth_type is None or router.instance.version != other.last.version:
                continue
            theirs = "AH" if other.last.authentication_header else AUTH_NAMES.get(other.last.auth_type, "unknown")
            if theirs == router.instance.auth_type:
                continue
            yield Finding(
                "vrrp-auth-differs",
                Severity.CRITICAL,
                f"{other.last.source} authenticates adverts with {theirs or 'nothing'}, but {router.instance.name} on "
                f"this node with {router.instance.auth_type or 'nothing'}",
                (describe(other, router.now), "keepalived drops such adverts, so both become master"),
                "use the same authentication block on all nodes (or none, with VRRP 3), then: kvtui reload",
                router.instance.name,
                router.vips,
            )


def interval_differs(observation: Observation) -> Iterator[Finding]:
    """VRRP 2 rejects another interval; VRRP 3 uses the master's, which changes the takeover time."""
    for router in routers(observation):
        for other in router.live_others:
            if not other.last.interval or abs(other.last.interval - router.interval) < INTERVAL_STEP:
                continue
            second = other.last.version == 2
            effect = "VRRP 2 drops such adverts" if second else "a takeover takes three of the master's intervals"
            yield Finding(
                "advert-interval-differs",
                Severity.CRITICAL if second else Severity.WARNING,
                f"{other.last.source} advertises every {other.last.interval:g} s, but {router.instance.name} on this "
                f"node every {router.interval:g} s",
                (describe(other, router.now), effect),
                "set the same advert_int on all nodes, then: kvtui reload",
                router.instance.name,
                router.vips,
            )


def bad_adverts(observation: Observation) -> Iterator[Finding]:
    """Malformed adverts, wrong checksums or TTLs on this node's VRID (contrib#2909: "Invalid VRRPv3 checksum")."""
    for router in routers(observation):
        for other in router.others:
            if other.bad < MIN_BAD_ADVERTS:
                continue
            last = other.last
            why = last.error or (f"TTL {last.ttl} instead of 255" if last.ttl != 255 else "but not the last one")
            yield Finding(
                "bad-adverts",
                Severity.WARNING,
                f"{last.source} sends adverts for VRID {last.vrid} that keepalived may reject",
                (f"{other.bad} of {other.count} adverts were bad: {why} (adverts)", describe(other, router.now)),
                f"keepalived --version  # on {last.source}; the same version and vrrp_version on all nodes",
                router.instance.name,
                router.vips,
            )


def unicast_mixed(observation: Observation) -> Iterator[Finding]:
    """One node uses unicast, another multicast, or a node is not a configured peer (contrib#808)."""
    for router in routers(observation):
        peers = unicast_peers(observation, router)
        for other in router.live_others:
            group = other.last.destination.startswith(("224.", "ff"))
            if peers is None or (bool(peers) is not group and (not peers or other.last.source in peers)):
                continue
            yield _mixed(router, other, peers, group=group)


def _mixed(router: Router, other: Advertiser, peers: tuple[str, ...], *, group: bool) -> Finding:
    how = "multicasts" if group else "sends unicast"
    here = f"unicast to {listed(peers)}" if peers else "multicast"
    problem = "is not a unicast_peer" if peers and not group else how
    return Finding(
        "unicast-peers-wrong",
        Severity.CRITICAL,
        f"{other.last.source} {problem} in {router.instance.name}: it does not hear this node",
        (
            describe(other, router.now),
            f"it {how} to {other.last.destination} (adverts); this node is configured for {here} (conf)",
        ),
        "configure unicast_peer on all nodes, each with all other nodes (keepalived-vip: --use-unicast)",
        router.instance.name,
        router.vips,
    )


def conf_instance(observation: Observation, name: str) -> ConfInstance | None:
    conf = observation.snapshot.effective_conf
    return conf.instance(name) if conf else None


def unicast_peers(observation: Observation, router: Router) -> tuple[str, ...] | None:
    """Returns its unicast peers; empty with multicast; None if unknown."""
    known = conf_instance(observation, router.instance.name)
    if known is not None:
        return known.unicast_peers
    return router.instance.unicast_peers or None


RULES = (
    Rule(vrid_collision, PASSING),
    Rule(version_differs, PASSING),
    Rule(auth_differs, PASSING),
    Rule(unicast_mixed, PASSING),
    Rule(vip_lists_differ, ROLLOUT),
    Rule(interval_differs, PASSING),
    Rule(bad_adverts),
)
