"""Mastership: no master, several masters, flapping, or a master that no node can replace."""

from __future__ import annotations

from kvtui.model.finding import Severity
from kvtui.model.units import ago
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rejections import silenced_rivals, split_reasons
from kvtui.rules.triage.routers import InstanceRouter, describe, each_router
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule
from kvtui.rules.vrrp.claims import live
from kvtui.rules.vrrp.instances import family_of, listened_since

TAKEOVER_INTERVALS = 4.1
"""Advert intervals after which the slowest backup has taken over (RFC 5798 6.1: 3 intervals and its skew)."""
FLAPPING_SECONDS, FLAPPING_CHANGES = 120.0, 4
"""This many changes of the master in this time are more than a failover and its reversal."""
MIN_MASTER_SECONDS, MIN_TAKEOVERS = 60.0, 6
"""Flapping according to the counters: mean seconds between takeovers, over at least this many."""


def two_masters(router: InstanceRouter) -> Findings:
    """Several nodes advertise one VRID at the same time (calico#4956, keepalived#2649).

    Adverts that each rejects restart the other's timer, so such nodes may advertise by turns: the last minute counts
    (vrrp_dispatcher_read).
    """
    hidden = silenced_rivals(router)
    if not router.view.rivals and not hidden:
        return
    claims = [a for a in router.heard if live(a, router.now) or a in hidden]
    facts, remedy = split_reasons(router)
    number = len({*router.view.rivals, *(a.last.source for a in hidden)}) + 1
    yield router.finding(
        "two-masters",
        Severity.CRITICAL,
        f"{number} nodes are master of VRID {router.instance.vrid} ({router.instance.name}): split brain",
        *(describe(a, router.now) for a in claims),
        *(() if router.own_live else (f"this node is {router.view.state.value} ({router.view.evidence})",)),
        *facts,
        f"each of them answers for {listed(router.vips)}",
        remedy=remedy,
    )


def no_master(router: InstanceRouter) -> Findings:
    """No node has advertised for longer than any backup waits, and no advert was missed (RFC 9568 6.1)."""
    since, table = listened_since(router.snapshot, router.instance), router.snapshot.addresses
    if since is None or router.is_master or any(live(a, router.now) for a in router.heard):
        return
    times = [a.last.received for a in router.heard]
    silence = router.now - max((since, *times))
    if silence < TAKEOVER_INTERVALS * router.interval:
        return
    held = {v for v in router.vips if table and table.holding(v)}
    last = f"the last one was {ago(router.now - max(times))} ago" if times else "kvtui has not captured any"
    yield router.finding(
        "no-master",
        Severity.CRITICAL,
        f"VRID {router.instance.vrid} ({router.instance.name}) has no master: no node advertises its VIPs",
        f"no advert on {router.instance.interface} for {silence:.1f} s, none dropped; {last} (adverts)",
        f"a backup takes over within {TAKEOVER_INTERVALS * router.interval:.1f} s",
        f"this node is {router.view.state.value} ({router.view.evidence})",
        f"VIPs without an owner: {listed(router.vips)}"
        + (f"; but this node has {listed(sorted(held))} (addresses)" if held else ""),
        remedy="kvtui vrrp  # on every node: does keepalived run, and not in FAULT? With unicast: is each node a peer?",
    )


def flapping(router: InstanceRouter) -> Findings:
    """The master changes often, according to the adverts or to keepalived's counters (keepalived#2433)."""
    vrid, chosen = router.instance.vrid, router.snapshot.chosen_keepalived
    own = (t for t in router.snapshot.transitions if (t.vrid, t.family) == (vrid, family_of(router.instance)))
    changes = (t for t in own if " is master" in t.what)
    recent = [t for t in changes if router.now - t.at <= FLAPPING_SECONDS]
    times = router.counters.get("become_master", 0)
    up = router.now - chosen.started if chosen else 0.0
    if len(recent) >= FLAPPING_CHANGES and not silenced_rivals(router):
        severity = Severity.CRITICAL
        evidence = [f"{len(recent)} changes of master in the last {ago(router.now - recent[0].at)} (adverts)"]
        evidence += [f"{ago(router.now - t.at)} ago: {t.what}" for t in recent[-4:]]
    elif times >= MIN_TAKEOVERS and up / times <= MIN_MASTER_SECONDS:
        severity = Severity.WARNING
        evidence = [f"it became master {times} times in {ago(up)} (keepalived's counters)"]
    else:
        return
    yield router.finding(
        "flapping",
        severity,
        f"Mastership of VRID {router.instance.vrid} ({router.instance.name}) flaps",
        *evidence,
        remedy="kvtui vrrp --watch  # a flapping check? lost adverts? Then: kvtui priority "
        f"{shell_word(router.instance.name)} VALUE, or a longer advert_int",
    )


def priority_tie(router: InstanceRouter) -> Findings:
    """Two nodes have the same priority: the higher address wins, not a configured order (RFC 9568 6.4.3)."""
    own = router.view.effective_priority or router.view.priority
    same = [a for a in router.live_others if a.last.priority == own]
    if own is not None and same:
        other, value = same[0].last.source, own - 1 if own > 1 else own + 1
        yield router.finding(
            "priority-tie",
            Severity.WARNING,
            f"This node and {other} have the same priority {own} for {router.instance.name}",
            f"own effective priority {own} ({router.view.evidence})",
            *(describe(a, router.now) for a in same),
            remedy=f"kvtui priority {shell_word(router.instance.name)} {value}  # on one of the two",
        )


RULES = (
    Rule(each_router(two_masters), TRANSIENT_SECONDS),
    Rule(each_router(no_master)),
    Rule(each_router(flapping)),
    Rule(each_router(priority_tie), TRANSIENT_SECONDS),
)
