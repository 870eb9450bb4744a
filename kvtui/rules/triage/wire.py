"""What the adverts of other nodes say about their configuration, and whether keepalived can accept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.rules.triage.routers import routers, told
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.versions import parsed
from kvtui.rules.triage.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfInstance
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.triage.condition_history import ConditionHistory
    from kvtui.rules.triage.routers import Router

AUTH_WORDS = {0: None, 1: "PASS", 2: "AH"}
"""Authentication types of VRRP version 2 (RFC 2338 5.3.6) as keepalived names them."""
REJECTS_OTHER_VIPS, ACCEPTS_OTHER_VIPS = (2, 2, 7), (2, 3, 3)
"""The last version known to reject adverts with another list of VIPs ("received an unexpected ip number count"), and
the first known to accept them ("expected 1 VIPs but received 2" is logged once). Both were seen in the lab."""
SMALL = 2
"""Bad adverts before one speaks of them: one may be an accident."""


def vrid_collision(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Another virtual router of this LAN uses the same VRID (kubeasz#126)."""
    for router in routers(seen):
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
                    told(other, router.now),
                    f"its addresses: {listed(sorted(theirs))} (adverts)",
                    f"those of {router.instance.name} here: {listed(sorted(mine))}",
                    "each takes the other's adverts for bogus ones, and the first to speak may keep the other down",
                ),
                "choose another virtual_router_id for one of the two on all of its nodes (keepalived-vip: --vrid)",
                router.instance.name,
                router.vips,
            )


def vip_lists_differ(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Compares this node's VIPs with those in other nodes' adverts (keepalived#2175)."""
    for router in routers(seen):
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
                    told(other, router.now),
                    *((f"only there: {listed(sorted(theirs - mine))}",) if theirs - mine else ()),
                    *((f"only here: {listed(sorted(mine - theirs))}",) if mine - theirs else ()),
                    _other_list(seen),
                ),
                "kvtui reload  # on the node whose list is old; its controller's log says why it was not written",
                router.instance.name,
                tuple(sorted(theirs ^ mine)),
            )


def _other_list(seen: Observation) -> str:
    """Returns what this node's keepalived does with an advert whose VIPs are not its own."""
    chosen = seen.snapshot.chosen_keepalived
    version = parsed(chosen.version or "") if chosen else None
    if version and version <= REJECTS_OTHER_VIPS:
        return "each rejects the other's adverts, so both become master"
    accepted = "accepts such adverts: one node stays master, and VIPs that its list lacks are on no node"
    if version and version >= ACCEPTS_OTHER_VIPS:
        return f"keepalived {chosen.version if chosen else ''} {accepted}"
    return f"keepalived 2.2.7 rejects such adverts, so both become master; 2.3.3 {accepted}"


def _own_addresses(router: Router) -> frozenset[str]:
    """What this node advertises, or would."""
    if router.own_live and router.own and router.own.last.addresses:
        return frozenset(router.own.last.addresses)
    return frozenset(router.vips)


def version_differs(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """VRRP 2 and 3 do not understand each other."""
    for router in routers(seen):
        for other in router.live_others:
            if router.instance.version is None or other.last.version == router.instance.version:
                continue
            yield Finding(
                "vrrp-version-differs",
                Severity.CRITICAL,
                f"{other.last.source} speaks VRRP {other.last.version}, {router.instance.name} here VRRP "
                f"{router.instance.version}",
                (told(other, router.now), "keepalived drops adverts of another version, so both become master"),
                "write the same vrrp_version into global_defs on all nodes, then: kvtui reload",
                router.instance.name,
                router.vips,
            )


def auth_differs(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Another authentication type: adverts are dropped."""
    for router in routers(seen):
        for other in router.live_others:
            if other.last.auth_type is None or router.instance.version != other.last.version:
                continue
            theirs = "AH" if other.last.authentication_header else AUTH_WORDS.get(other.last.auth_type, "unknown")
            if theirs == router.instance.auth_type:
                continue
            yield Finding(
                "vrrp-auth-differs",
                Severity.CRITICAL,
                f"{other.last.source} authenticates adverts with {theirs or 'nothing'}, {router.instance.name} here "
                f"with {router.instance.auth_type or 'nothing'}",
                (told(other, router.now), "keepalived drops such adverts, so both become master"),
                "write the same authentication block on all nodes (or none, with VRRP 3), then: kvtui reload",
                router.instance.name,
                router.vips,
            )


def interval_differs(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Version 2 rejects another interval; version 3 takes over the master's, and its takeovers take other times."""
    for router in routers(seen):
        for other in router.live_others:
            if (
                not other.last.interval or abs(other.last.interval - router.interval) < 0.005
            ):  # centiseconds on the wire
                continue
            second = other.last.version == 2
            effect = "VRRP 2 drops such adverts" if second else "a takeover takes three of the master's intervals"
            yield Finding(
                "advert-interval-differs",
                Severity.CRITICAL if second else Severity.WARNING,
                f"{other.last.source} advertises every {other.last.interval:g} s, {router.instance.name} here every "
                f"{router.interval:g} s",
                (told(other, router.now), effect),
                "write the same advert_int on all nodes, then: kvtui reload",
                router.instance.name,
                router.vips,
            )


def bad_adverts(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Malformed adverts, wrong checksums or TTLs on our VRID (contrib#2909: "Invalid VRRPv3 checksum")."""
    for router in routers(seen):
        for other in router.others:
            if other.bad < SMALL:
                continue
            last = other.last
            why = last.error or (f"TTL {last.ttl} instead of 255" if last.ttl != 255 else "some of its adverts")
            yield Finding(
                "bad-adverts",
                Severity.WARNING,
                f"{last.source} sends adverts for VRID {last.vrid} that keepalived may reject",
                (f"{other.bad} of {other.count} were bad: {why} (adverts)", told(other, router.now)),
                f"keepalived --version  # on {last.source}; the same version and vrrp_version on all nodes",
                router.instance.name,
                router.vips,
            )


def unicast_mixed(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """One node in unicast, another in multicast, or one that is not among our peers (contrib#808)."""
    for router in routers(seen):
        peers = unicast_peers(seen, router)
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
            told(other, router.now),
            f"it {how} to {other.last.destination} (adverts); this node is configured for {here} (conf)",
        ),
        "the same unicast_peer blocks on all nodes, each naming all the others (keepalived-vip: --use-unicast)",
        router.instance.name,
        router.vips,
    )


def conf_instance(seen: Observation, name: str) -> ConfInstance | None:
    """The instance as keepalived runs it, else as the file has it."""
    conf = seen.snapshot.running or seen.snapshot.conf
    return next((i for i in conf.instances if i.name == name), None) if conf else None


def unicast_peers(seen: Observation, router: Router) -> tuple[str, ...] | None:
    """Its unicast peers; empty in multicast; None when that is not known."""
    known = conf_instance(seen, router.instance.name)
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
