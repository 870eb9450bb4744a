"""Mastership: no master, several masters, flapping, or a master that no node can replace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.units import ago
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rejections import silenced_rivals, split_reasons
from kvtui.rules.triage.routers import describe, each_router, routers
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
MIN_MASTER_SECONDS, MIN_TAKEOVERS = 60.0, 6
"""Flapping according to the counters: mean seconds between takeovers, over at least this many."""


def two_masters(observation: Observation, router: Router) -> Iterator[Finding]:
    """Several nodes advertise one VRID at the same time (calico#4956, keepalived#2649).

    Adverts that each rejects restart the other's timer, so such nodes may advertise by turns: the last minute counts
    (vrrp_dispatcher_read).
    """
    hidden = silenced_rivals(observation, router)
    if not router.view.rivals and not hidden:
        return
    claims = [a for a in (router.own, *router.others) if a is not None and (live(a, router.now) or a in hidden)]
    facts, remedy = split_reasons(observation, router)
    number = len({*router.view.rivals, *(a.last.source for a in hidden)}) + 1
    yield Finding(
        "two-masters",
        Severity.CRITICAL,
        f"{number} nodes are master of VRID {router.instance.vrid} ({router.instance.name}): split brain",
        (
            *(describe(a, router.now) for a in claims),
            *(() if router.own_live else (f"this node is {router.view.state.value} ({router.view.evidence})",)),
            *facts,
            f"each of them answers for {listed(router.vips)}",
        ),
        remedy,
        router.instance.name,
        router.vips,
    )


def no_master(observation: Observation, router: Router) -> Iterator[Finding]:
    """No node has advertised for longer than any backup waits, and no advert was missed (RFC 9568 6.1)."""
    snapshot, heard = observation.snapshot, [a.last.received for a in (router.own, *router.others) if a]
    since = listened_since(snapshot, router.instance)
    if since is None or router.is_master or any(live(a, router.now) for a in (router.own, *router.others) if a):
        return
    silence = router.now - max((since, *heard))
    if silence < TAKEOVER_INTERVALS * router.interval:
        return
    held = {v for v in router.vips if snapshot.addresses and snapshot.addresses.holding(v)}
    last = f"the last one was {ago(router.now - max(heard))} ago" if heard else "kvtui has not captured any"
    yield Finding(
        "no-master",
        Severity.CRITICAL,
        f"VRID {router.instance.vrid} ({router.instance.name}) has no master: no node advertises its VIPs",
        (
            f"no advert on {router.instance.interface} for {silence:.1f} s, none dropped; {last} (adverts)",
            f"a backup takes over within {TAKEOVER_INTERVALS * router.interval:.1f} s",
            f"this node is {router.view.state.value} ({router.view.evidence})",
            f"VIPs without an owner: {listed(router.vips)}"
            + (f"; but this node has {listed(sorted(held))} (addresses)" if held else ""),
        ),
        "kvtui vrrp  # on every node: does keepalived run, and not in FAULT? With unicast: is each node a peer?",
        router.instance.name,
        router.vips,
    )


def flapping(observation: Observation) -> Iterator[Finding]:
    """The master changes often, according to the adverts or to keepalived's counters (keepalived#2433)."""
    chosen, now = observation.snapshot.chosen_keepalived, observation.snapshot.time
    for router in routers(observation):
        recent = [
            t
            for t in observation.snapshot.transitions
            if t.vrid == router.instance.vrid and " is master" in t.what and now - t.at <= FLAPPING_SECONDS
        ]
        if len(recent) >= FLAPPING_CHANGES and not silenced_rivals(observation, router):
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
    """Two nodes have the same priority: the higher address wins, not a configured order (RFC 9568 6.4.3)."""
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


RULES = (
    Rule(each_router(two_masters), PASSING),
    Rule(each_router(no_master)),
    Rule(flapping),
    Rule(priority_tie, PASSING),
)
