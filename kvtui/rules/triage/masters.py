"""Mastership: no master, several masters, flapping, or a master that no node can replace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.units import ago
from kvtui.model.vrrp import VrrpState
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import describe, routers
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.vrrp.claims import live
from kvtui.rules.vrrp.instances import listened_since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.rules.triage.routers import Router

TAKEOVER_INTERVALS = 4.1
"""Advert intervals after which the slowest backup has taken over (RFC 5798 6.1: 3 intervals and its skew)."""
FLAPPING_SECONDS, FLAPPING_CHANGES = 120.0, 4
"""This many changes of the master in this time are more than a failover and its reversal."""
MIN_FILTERED_ADVERTS = 4
"""Adverts of another master before their absence in keepalived's counters means something."""
MIN_MASTER_SECONDS, MIN_TAKEOVERS = 60.0, 6
"""Flapping according to the counters: mean seconds between takeovers, over at least this many."""


def two_masters(observation: Observation) -> Iterator[Finding]:
    """Several nodes advertise one VRID at the same time (calico#4956, keepalived#2649)."""
    for router in routers(observation):
        if not router.view.rivals:
            continue
        claims = [a for a in (router.own, *router.others) if a is not None and live(a, router.now)]
        number = len(router.view.rivals) + 1
        yield Finding(
            "two-masters",
            Severity.CRITICAL,
            f"{number} nodes are master of VRID {router.instance.vrid} ({router.instance.name}): split brain",
            (*(describe(a, router.now) for a in claims), f"each of them answers for {listed(router.vips)}"),
            f"tcpdump -ni {shell_word(router.instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'  # on each "
            "node: which one does not hear the others? Allow protocol 112 (multicast 224.0.0.18, ff02::12)",
            router.instance.name,
            router.vips,
        )


def no_master(observation: Observation) -> Iterator[Finding]:
    """No node has advertised for longer than any backup waits."""
    for router in routers(observation):
        since = listened_since(observation.snapshot, router.instance)
        if since is None or router.is_master or any(live(a, router.now) for a in (router.own, *router.others) if a):
            continue
        heard = [a.last.received for a in (router.own, *router.others) if a]
        silence = router.now - max((since, *heard))
        if silence < TAKEOVER_INTERVALS * router.interval:
            continue
        last = f"the last one was {ago(router.now - max(heard))} ago" if heard else "kvtui has not captured any"
        yield Finding(
            "no-master",
            Severity.CRITICAL,
            f"VRID {router.instance.vrid} ({router.instance.name}) has no master: no node holds its VIPs",
            (
                f"no advert for {silence:.1f} s; {last} (adverts)",
                f"a backup takes over within {TAKEOVER_INTERVALS * router.interval:.1f} s",
                f"this node is {router.view.state.value} ({router.view.evidence})",
                f"VIPs without an owner: {listed(router.vips)}",
            ),
            "kvtui vrrp  # on every node: does keepalived run, and not in FAULT? With unicast: is each node a peer?",
            router.instance.name,
            router.vips,
        )


def instance_in_fault(observation: Observation) -> Iterator[Finding]:
    """An instance in FAULT does not take part in elections."""
    links = {i.name: i for i in observation.snapshot.addresses.interfaces} if observation.snapshot.addresses else {}
    for router in routers(observation):
        if router.view.state is not VrrpState.FAULT:
            continue
        link = links.get(router.instance.interface or "")
        why = [f"keepalived reports FAULT ({router.view.evidence})"]
        if link is None:
            why.append(f"interface {router.instance.interface or '?'} does not exist (addresses)")
        elif not (link.up and link.running):
            why.append(f"interface {link.name} is {'up without carrier' if link.up else 'down'} (addresses)")
        why += [f"track file {t.name}: {t.status} × weight {t.weight} (dump)" for t in router.instance.track_files]
        masters = router.live_others
        why += [describe(a, router.now) for a in masters]
        yield Finding(
            "instance-fault",
            Severity.WARNING if masters else Severity.CRITICAL,
            f"Instance {router.instance.name} is in FAULT: this node cannot take its VIPs",
            tuple(why),
            f"ip link show {shell_word(router.instance.interface or '')}  # then its track scripts and files",
            router.instance.name,
            router.vips,
        )


def flapping(observation: Observation) -> Iterator[Finding]:
    """The master changes often, according to the adverts or to keepalived's counters."""
    chosen, now = observation.snapshot.chosen_keepalived, observation.snapshot.time
    for router in routers(observation):
        recent = [
            t
            for t in observation.snapshot.transitions
            if t.vrid == router.instance.vrid and " is master" in t.what and now - t.at <= FLAPPING_SECONDS
        ]
        if len(recent) >= FLAPPING_CHANGES:
            evidence = (
                f"{len(recent)} changes of master in the last {ago(now - recent[0].at)} (adverts)",
                *(f"{ago(now - t.at)} ago: {t.what}" for t in recent[-4:]),
            )
            severity = Severity.CRITICAL
        else:
            times = (router.view.counters or {}).get("become_master", 0)
            up = now - chosen.started if chosen else 0.0
            if times < MIN_TAKEOVERS or up / times > MIN_MASTER_SECONDS:
                continue
            evidence = (f"it became master {times} times in {ago(up)} (keepalived's counters)",)
            severity = Severity.WARNING
        yield Finding(
            "flapping",
            severity,
            f"Mastership of VRID {router.instance.vrid} ({router.instance.name}) flaps",
            evidence,
            "kvtui vrrp --watch  # a flapping check? lost adverts? Then: kvtui priority "
            f"{shell_word(router.instance.name)} VALUE, or a longer advert_int",
            router.instance.name,
            router.vips,
        )


def priority_tie(observation: Observation) -> Iterator[Finding]:
    """Two nodes have the same priority: the higher address wins, not a configured order."""
    for router in routers(observation):
        own = router.view.effective_priority or router.view.priority
        same = [a for a in router.live_others if a.last.priority == own]
        if own is None or not same:
            continue
        other = same[0].last.source
        yield Finding(
            "priority-tie",
            Severity.WARNING,
            f"This node and {other} have the same priority {own} for {router.instance.name}",
            (f"own effective priority {own} ({router.view.evidence})", *(describe(a, router.now) for a in same)),
            f"kvtui priority {shell_word(router.instance.name)} {own - 1 if own > 1 else own + 1}  # on one of the two",
            router.instance.name,
            router.vips,
        )


def stuck_master(observation: Observation) -> Iterator[Finding]:
    """A check lowers the master's priority, but nopreempt prevents a takeover (keepalived#2599)."""
    for router in routers(observation):
        base, now = router.view.priority, router.view.effective_priority
        if not (router.is_master and router.view.nopreempt and base and now and now < base):
            continue
        yield Finding(
            "nopreempt-keeps-lowered-master",
            Severity.WARNING,
            f"A check lowers the priority of {router.instance.name}, but nopreempt keeps the VIPs on this node",
            (
                f"priority {now} instead of {base}: a tracked script, file or interface fails (dump)",
                "this node is MASTER with nopreempt (dump)",
            ),
            f"kvtui failover {shell_word(router.instance.name)}  # with nopreempt, checks need weight 0 (FAULT)",
            router.instance.name,
            router.vips,
        )


def filtered_adverts(observation: Observation) -> Iterator[Finding]:
    """Adverts of another master reach this node's interface, but a local firewall keeps them from keepalived."""
    for router in routers(observation):
        counters = router.view.counters or {}
        senders = [a for a in router.live_others if a.count > MIN_FILTERED_ADVERTS]
        if not (router.is_master and senders and counters) or any(counters.get(n) for n in _received(router)):
            continue
        yield Finding(
            "adverts-filtered-here",
            Severity.CRITICAL,
            f"Adverts for {router.instance.name} arrive on {router.instance.interface} but never reach keepalived",
            (
                *(describe(a, router.now) for a in senders),
                "advert_rcvd and all error counters are 0 (keepalived's counters)",
            ),
            "nft list ruleset  # or iptables-save: accept protocol 112; also check rp_filter: sysctl -a -r rp_filter",
            router.instance.name,
            router.vips,
        )


def _received(router: Router) -> list[str]:
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
