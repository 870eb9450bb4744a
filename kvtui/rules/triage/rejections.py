"""Adverts that keepalived receives and rejects, or does not receive: from its counters, compared with the wire.

keepalived 2.2.7 counts neither another version, a wrong checksum, nor a sender that is no unicast_peer; and with
priority 255 it drops every advert (vrrp.c: ``vrrp_check_packet``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.finding import Finding, Severity
from kvtui.model.units import ago
from kvtui.rules.phrases import listed, plural, shell_word
from kvtui.rules.triage.routers import GROWN_SECONDS, OWNER_PRIORITY, InstanceRouter, describe, each_router
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule
from kvtui.rules.triage.wire import mismatches
from kvtui.rules.vrrp.claims import OVERLAP_INTERVALS

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advertiser

CAPTURE = "tcpdump -vni any 'ip proto 112'"
CAUSES = {
    "auth_failure": ("another auth_pass", "use the same auth_pass on all nodes, then: kvtui reload"),
    "authtype_mismatch": ("another auth_type", "use the same authentication block on all nodes, then: kvtui reload"),
    "invalid_authtype": ("an unknown auth_type", "use the same authentication block on all nodes, then: kvtui reload"),
    "addr_list_err": (
        "another list of VIPs, or unicast against multicast",
        "use the same virtual_ipaddress and unicast_peer blocks on all nodes, then: kvtui reload",
    ),
    "advert_interval_err": ("another advert_int", "use the same advert_int on all nodes, then: kvtui reload"),
    "ip_ttl_err": ("a TTL other than 255", "a router forwards these adverts: nodes of a VRID share one LAN"),
    "packet_len_err": ("another length: CARP, another VRRP version, or an auth_hmac signature", CAPTURE),
    "invalid_type_rcvd": ("an unknown type", CAPTURE),
    "chk_err": ("a wrong checksum", "use the same keepalived version and vrrp_version on all nodes"),
    "vers_err": ("another VRRP version", "use the same vrrp_version on all nodes, then: kvtui reload"),
    "auth_ext_missing": (
        "no auth_hmac signature",
        "configure auth_hmac with the same keys on all nodes; set mode enforce only when all of them sign",
    ),
    "auth_ext_malformed": ("a malformed auth_hmac signature", "use the same keepalived version on all nodes"),
    "auth_ext_unknown_key": (
        "an auth_hmac key id that this node lacks",
        "configure the same auth_hmac keys on all nodes",
    ),
    "auth_ext_invalid_hmac": (
        "an auth_hmac signature of another key",
        "configure the same key under the same id on all nodes, then: kvtui reload",
    ),
    "auth_ext_stale": (
        "an old auth_hmac signature: the clocks differ",
        "chronyc tracking  # on all nodes, or timedatectl",
    ),
    "auth_ext_replay": (
        "a repeated auth_hmac signature: a replay, or a clock that was set back",
        "chronyc tracking  # on all nodes; two nodes with one address look like this too",
    ),
}
"""keepalived's counter → what the rejected adverts have, and what to do."""
RECEIVED = ("advert_rcvd", "pri_zero_rcvd", *CAUSES)
"""Counters of which one increases whenever keepalived receives an advert, apart from those that it does not count."""
MIN_FILTERED_ADVERTS = 4
"""Adverts of another master before their absence in keepalived's counters means something."""
FOREIGN = frozenset({"packet_len_err", "invalid_type_rcvd", "ip_ttl_err", "chk_err", "vers_err"})
"""Counters that strangers increase too: a few of them mean nothing."""
MIN_REJECTED = 3
"""So many adverts in a row must be rejected before a backup takes over (RFC 9568 6.1)."""
RECENT_SECONDS = 300.0
"""A takeover since then may have the rejected adverts as its cause."""
HISTORY_SECONDS = 3600.0
"""After this long as master, adverts rejected at some time before are history."""
ELSEWHERE = (
    "whether another node holds the VIPs too cannot be seen from here: kvtui cluster, or kvtui vrrp on each node"
)


def rejects(router: InstanceRouter) -> tuple[tuple[str, ...], str]:
    """Returns why keepalived rejects the adverts that it receives now, as evidence, and what to do; or nothing."""
    counted, seen = router.growing(*CAUSES), _critical_mismatches(router)
    facts = [f"keepalived rejects adverts that have {CAUSES[n][0]} ({_count(router, n)})" for n in counted]
    facts += [f.title for f in seen]
    remedies = [*(f.remedy for f in seen), *(CAUSES[n][1] for n in counted)]
    return tuple(facts), remedies[0] if remedies else ""


def _critical_mismatches(router: InstanceRouter) -> list[Finding]:
    return [f for f in mismatches(router) if f.severity is Severity.CRITICAL]


def _count(router: InstanceRouter, name: str) -> str:
    return f"{name} {router.counters.get(name, 0)}, keepalived's counters"


def rejected(router: InstanceRouter) -> Findings:
    """Keepalived receives adverts of this VRID and rejects them; its counters name the cause (keepalived#2433).

    Reported where the wire alone does not show the cause: passwords, keys, clocks. It ends 60 s after the last rejected
    advert that kvtui saw counted; a kvtui that has just started knows the counters' sums only, and reports them for an
    hour after the node became master.
    """
    if _critical_mismatches(router):
        return
    growing, since = router.growing(*CAUSES), router.view.since
    names = growing or tuple(n for n in CAUSES if router.counters.get(n))
    total = sum(router.counters.get(n, 0) for n in names)
    if not growing:
        few = total < MIN_REJECTED and {*names} <= FOREIGN
        is_old = since is not None and router.now - since > HISTORY_SECONDS
        if few or is_old or router.counters_rest or not router.is_master:
            return
    recent = since is not None and router.now - since < RECENT_SECONDS and total >= MIN_REJECTED
    what, remedy = CAUSES[names[0]]
    yield router.finding(
        "adverts-rejected",
        Severity.CRITICAL if growing else Severity.WARNING if recent else Severity.INFO,
        f"keepalived rejects adverts for {router.instance.name} that have {what}"
        if growing
        else f"keepalived has rejected {plural(total, 'advert')} for {router.instance.name} that had {what}",
        *(f"{_count(router, n)}: {CAUSES[n][0]}" for n in names),
        *(describe(a, router.now) for a in router.other_masters),
        *((f"this node has been master for {ago(router.now - since)}",) if since and not growing else ()),
        "nodes that reject each other both become master; " + ELSEWHERE,
        remedy=remedy,
    )


def filtered(router: InstanceRouter) -> Findings:
    """Adverts of another master reach this node, but a local firewall keeps them from keepalived (measured)."""
    senders = [a for a in router.live_others if a.count > MIN_FILTERED_ADVERTS and a.believed]
    if not router.is_master or not senders or "advert_rcvd" not in router.counters or mismatches(router):
        return
    priorities = {router.view.priority, router.view.effective_priority}
    if any(router.counters.get(n) for n in RECEIVED) or OWNER_PRIORITY in priorities:
        return
    yield router.finding(
        "adverts-filtered-here",
        Severity.CRITICAL,
        f"Adverts for {router.instance.name} arrive on {router.instance.interface} but never reach keepalived",
        *(describe(a, router.now) for a in senders),
        "advert_rcvd and all error counters are 0, and the adverts are ones that keepalived counts (its counters)",
        remedy="nft list ruleset  # or iptables-save: accept protocol 112; also check rp_filter: sysctl -a -r "
        "rp_filter",
    )


def unheard(router: InstanceRouter) -> Findings:
    """Another master whose adverts keepalived rejects fell silent, and nothing shows that it stepped down.

    Reported after the findings about its adverts have ended, for an hour. It ends when that node steps down or is heard
    again, when keepalived here is reloaded, or accepts an advert (vrrp_dispatcher_read; measured with 2.2.7).
    """
    silent = [
        a
        for a in router.others
        if a.silent(router.now)
        and not (a.last.carp or a.stepped_down)
        and router.now - a.last.received <= HISTORY_SECONDS
        and (router.instance.last_transition or 0.0) <= a.last.received
    ]
    if not silent or not router.is_master or not router.own_live or rejects(router)[0]:
        return
    for other in silent:
        last, age = other.last, router.now - other.last.received
        facts, remedy = rejects(router.as_it_fell_silent(other))
        if facts:
            yield router.finding(
                "master-unheard",
                Severity.WARNING,
                f"{last.source} was master of {router.instance.name} beside this node when it was last heard, "
                f"{ago(age)} ago: nothing shows that it stepped down",
                describe(other, router.now),
                *facts,
                "a master that receives adverts that it rejects may fall silent and keep the VIPs; " + ELSEWHERE,
                remedy=f"kvtui vrrp  # on {last.source}: if it is MASTER, {remedy}",
            )


def silenced_rivals(router: InstanceRouter) -> tuple[Advertiser, ...]:
    """Returns the other masters that advertised in the last minute, since this node is one, and do not accept it."""
    since = max(router.view.since or 0.0, router.now - GROWN_SECONDS)
    return tuple(
        a
        for a in (router.other_masters if router.is_master else ())
        if a.believed
        and a.last.received > since + OVERLAP_INTERVALS * a.last.interval
        and rejects(replace(router, others=(a,)))[0]
    )


def split_reasons(router: InstanceRouter) -> tuple[tuple[str, ...], str]:
    """Returns why several nodes are masters, as evidence, and what to do."""
    facts, remedy = rejects(router)
    if facts:
        return facts, remedy
    heard = router.growing("advert_rcvd")
    facts = (f"keepalived here receives and accepts adverts ({_count(router, 'advert_rcvd')})",) if heard else ()
    to = listed(sorted({a.last.destination for a in router.other_masters}))
    return facts, (
        f"tcpdump -ni {shell_word(router.instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'  # on each "
        f"node: which one does not hear the others? Allow protocol 112 to {to}"
    )


RULES = tuple(Rule(each_router(find), TRANSIENT_SECONDS) for find in (rejected, filtered, unheard))
