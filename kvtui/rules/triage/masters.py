"""Who is master: none, several, too often another one, or one that nobody can take over from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.units import ago
from kvtui.model.vrrp import VrrpState
from kvtui.rules.triage.routers import routers, told
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.triage.words import listed, quoted
from kvtui.rules.vrrp.claims import live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory
    from kvtui.rules.triage.routers import Router

SLOWEST = 4.1
"""Advert intervals after which the slowest backup has taken over (RFC 5798 6.1: 3 intervals and its skew)."""
WINDOW, CHANGES = 120.0, 4
"""So many changes of mastership in so many seconds are no failover and its way back."""
OFTEN, AT_LEAST = 60.0, 6
"""Seconds between two times that it became master, on the average of at least so many."""


def two_masters(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Several nodes advertise one VRID at the same time (calico#4956, keepalived#2649)."""
    for router in routers(seen):
        if not router.view.rivals:
            continue
        claims = [a for a in (router.own, *router.others) if a is not None and live(a, router.now)]
        number = len(router.view.rivals) + 1
        yield Finding(
            "two-masters",
            Severity.CRITICAL,
            f"{number} nodes are master of VRID {router.instance.vrid} ({router.instance.name}): split brain",
            (*(told(a, router.now) for a in claims), f"each of them answers for {listed(router.vips)}"),
            f"tcpdump -ni {quoted(router.instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'  # on each of "
            "them: who does not hear the others? Let protocol 112 (multicast 224.0.0.18, ff02::12) pass between them",
            router.instance.name,
            router.vips,
        )


def no_master(seen: Observation, history: ConditionHistory) -> Iterator[Finding]:
    """Nobody advertises, for longer than any backup waits."""
    if seen.snapshot.advertisers is None or history.began is None:
        return
    for router in routers(seen):
        if router.is_master or any(live(a, router.now) for a in (router.own, *router.others) if a):
            continue
        heard = [a.last.received for a in (router.own, *router.others) if a]
        quiet = router.now - max((history.began, *heard))
        if quiet < SLOWEST * router.interval:
            continue
        never = "none was heard" if not heard else f"the last one {ago(router.now - max(heard))} ago"
        yield Finding(
            "no-master",
            Severity.CRITICAL,
            f"Nobody is master of VRID {router.instance.vrid} ({router.instance.name}): no node holds its VIPs",
            (
                f"no advert for {quiet:.1f} s, {never} (adverts)",
                f"a backup takes over within {SLOWEST * router.interval:.1f} s",
                f"this node is {router.view.state.value} ({router.view.evidence})",
                f"VIPs without an owner: {listed(router.vips)}",
            ),
            "kvtui vrrp  # on every node: is keepalived up, and not in FAULT? In unicast: does each list this one?",
            router.instance.name,
            router.vips,
        )


def instance_in_fault(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """An instance in FAULT takes no part in elections."""
    links = {i.name: i for i in seen.snapshot.addresses.interfaces} if seen.snapshot.addresses else {}
    for router in routers(seen):
        if router.view.state is not VrrpState.FAULT:
            continue
        link = links.get(router.instance.interface or "")
        why = [f"keepalived says FAULT ({router.view.evidence})"]
        if link is None:
            why.append(f"interface {router.instance.interface or '?'} does not exist (addresses)")
        elif not (link.up and link.running):
            why.append(f"interface {link.name} is {'up without carrier' if link.up else 'down'} (addresses)")
        why += [f"track file {t.name}: {t.status} × weight {t.weight} (dump)" for t in router.instance.track_files]
        someone = router.live_others
        why += [told(a, router.now) for a in someone]
        yield Finding(
            "instance-fault",
            Severity.WARNING if someone else Severity.CRITICAL,
            f"Instance {router.instance.name} is in FAULT: this node cannot take its VIPs",
            tuple(why),
            f"ip link show {quoted(router.instance.interface or '')}  # then what it tracks",
            router.instance.name,
            router.vips,
        )


def flapping(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Mastership changes again and again: as seen on the wire, else as keepalived has counted."""
    chosen, now = seen.snapshot.chosen_keepalived, seen.snapshot.time
    for router in routers(seen):
        recent = [
            t
            for t in seen.snapshot.transitions
            if t.vrid == router.instance.vrid and " is master" in t.what and now - t.at <= WINDOW
        ]
        if len(recent) >= CHANGES:
            evidence = (
                f"{len(recent)} changes of master in the last {ago(now - recent[0].at)} (adverts)",
                *(f"{ago(now - t.at)} ago: {t.what}" for t in recent[-4:]),
            )
            severity = Severity.CRITICAL
        else:
            times = (router.view.counters or {}).get("become_master", 0)
            up = now - chosen.started if chosen else 0.0
            if times < AT_LEAST or up / times > OFTEN:
                continue
            evidence = (f"it became master {times} times in {ago(up)} (keepalived's counters)",)
            severity = Severity.WARNING
        yield Finding(
            "flapping",
            severity,
            f"Mastership of VRID {router.instance.vrid} ({router.instance.name}) flaps",
            evidence,
            f"kvtui vrrp --watch  # a check that flaps? lost adverts? kvtui priority {quoted(router.instance.name)} "
            "VALUE, or a longer advert_int",
            router.instance.name,
            router.vips,
        )


def priority_tie(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Two nodes with one priority: the higher address wins, which nobody has chosen."""
    for router in routers(seen):
        own = router.view.effective_priority or router.view.priority
        same = [a for a in router.live_others if a.last.priority == own]
        if own is None or not same:
            continue
        other = same[0].last.source
        yield Finding(
            "priority-tie",
            Severity.WARNING,
            f"This node and {other} have the same priority {own} for {router.instance.name}",
            (f"own effective priority {own} ({router.view.evidence})", *(told(a, router.now) for a in same)),
            f"kvtui priority {quoted(router.instance.name)} {own - 1 if own > 1 else own + 1}  # on one of the two",
            router.instance.name,
            router.vips,
        )


def stuck_master(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A check lowers the master's priority, and nopreempt keeps the others from taking over (keepalived#2599)."""
    for router in routers(seen):
        base, now = router.view.priority, router.view.effective_priority
        if not (router.is_master and router.view.nopreempt and base and now and now < base):
            continue
        yield Finding(
            "nopreempt-keeps-lowered-master",
            Severity.WARNING,
            f"Something lowers the priority of {router.instance.name}, and nopreempt keeps the VIPs here all the same",
            (
                f"priority {now} instead of {base}: a script, file or interface that it tracks fails (dump)",
                f"this node is MASTER with nopreempt for {SLOWEST * router.interval:.0f} s at least",
            ),
            f"kvtui failover {quoted(router.instance.name)}  # checks need weight 0 (FAULT) where nopreempt is",
            router.instance.name,
            router.vips,
        )


def filtered_adverts(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Adverts of another master reach this node's interface, but not keepalived: a firewall here drops them."""
    for router in routers(seen):
        counters = router.view.counters or {}
        loud = [a for a in router.live_others if a.count > CHANGES]
        if not (router.is_master and loud and counters) or any(counters.get(n) for n in _received(router)):
            continue
        yield Finding(
            "adverts-filtered-here",
            Severity.CRITICAL,
            f"Adverts for {router.instance.name} arrive on {router.instance.interface} but never reach keepalived",
            (*(told(a, router.now) for a in loud), "advert_rcvd is 0, and so are its errors (keepalived's counters)"),
            "nft list ruleset  # or iptables-save: accept protocol 112; see rp_filter as well: sysctl -a -r rp_filter",
            router.instance.name,
            router.vips,
        )


def _received(router: Router) -> list[str]:
    """Counters that move when keepalived is given an advert at all."""
    counters = router.view.counters or {}
    return [n for n in counters if n in {"advert_rcvd", "pri_zero_rcvd"} or n.endswith(("_err", "_failure"))]


RULES = (
    Rule(two_masters, PASSING),
    Rule(no_master),
    Rule(filtered_adverts, PASSING),
    Rule(instance_in_fault, PASSING),
    Rule(flapping),
    Rule(priority_tie, PASSING),
    Rule(stuck_master, PASSING),
)
