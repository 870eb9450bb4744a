"""Why an instance is in FAULT, or has a lower priority than configured: each tracked thing that fails, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Severity
from kvtui.model.units import ago
from kvtui.model.vrrp import AddressFamily, Tracked, VrrpInstance, VrrpState
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import InstanceRouter, describe, each_router, routers
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.instances import family_of, links_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.snapshot import Snapshot

MAX_PRIORITY = 254
"""Weights bring a priority to no more than this; 255 ignores them."""
FAULT_VALUE = -254
"""A track file whose value × weight is not higher makes the instance FAULT (keepalived 2.0; measured)."""


class Cause(Struct, frozen=True):
    """One thing that keeps an instance from being master, or lowers its priority.

    ``what`` names it in a few words, for the title. ``lowers``: by how much it lowers the priority; 0 for a FAULT.
    """

    what: str
    evidence: str
    remedy: str
    lowers: int = 0


def causes(snapshot: Snapshot, instance: VrrpInstance) -> list[Cause]:
    """Returns everything that fails now; those that make a FAULT first."""
    found = [*_of_interface(snapshot, instance), *_of_files(instance)]
    for tracked in instance.tracked:
        found += _of_tracked(snapshot, tracked)
    return sorted(found, key=lambda c: c.lowers != 0)


def _of_interface(snapshot: Snapshot, instance: VrrpInstance) -> Iterator[Cause]:
    name, table, links = instance.interface, snapshot.addresses, links_of(snapshot)
    if name is None or table is None:
        return
    problem = _link_problem(snapshot, name)
    if problem and (instance.tracks_interface or name not in links):
        yield Cause(problem, f"{problem} (addresses)", f"ip link show {shell_word(name)}")
    if problem or instance.unicast_source is not None:
        return
    six = family_of(instance) is AddressFamily.V6
    own = [a for a in table.addresses if a.interface == name and (":" in a.address) is six]
    if {a.address for a in own if not six or a.scope == "link"} <= {v.address for v in instance.vips}:
        family, bridge = "IPv6 link-local" if six else "IPv4", links[name].master
        port = f"; it is a port of {bridge}, which has the node's addresses" if bridge else ""
        yield Cause(
            f"{name} has no {family} address",
            f"{name} has no {family} address of its own to send adverts from (addresses){port}",
            f"set interface {bridge} in the instance, then: kvtui reload"
            if bridge
            else f"ip addr show dev {shell_word(name)}  # which interface has the node's address?",
        )


def _link_problem(snapshot: Snapshot, name: str) -> str:
    link = links_of(snapshot).get(name)
    if link is None:
        return f"interface {name} does not exist"
    if link.up and link.running:
        return ""
    return f"interface {name} is {'up without carrier' if link.up else 'down'}"


def _of_files(instance: VrrpInstance) -> Iterator[Cause]:
    for file in instance.track_files:
        value = (file.status or 0) * (file.weight or 0)
        fault = (bool(file.status) and not file.weight) or value <= FAULT_VALUE
        if fault or value < 0:
            yield Cause(
                f"track file {file.name} has the value {file.status}",
                f"track file {file.name}: {file.status} × weight {file.weight} (dump)",
                f"echo 0 > {shell_word(file.path or 'FILE')}  # if its cause is over; see kvtui journal",
                0 if fault else -value,
            )


def _of_tracked(snapshot: Snapshot, tracked: Tracked) -> Iterator[Cause]:
    name, down = tracked.name, abs(tracked.weight)
    if tracked.kind == "interface":
        problem = _link_problem(snapshot, name) if snapshot.addresses else ""
        if bool(problem) is not tracked.reverse:
            fact = problem or f"interface {name} is up, and is tracked with reverse"
            yield Cause(f"tracked {fact}", f"{fact} (addresses)", f"ip link show {shell_word(name)}", down)
    elif tracked.good is tracked.reverse:
        last = last_result(snapshot, name)
        facts = f" ({tracked.detail})" if tracked.detail else ""
        yield Cause(
            f"{tracked.kind} {name} fails",
            f"{tracked.kind} {name}{facts} fails{last} (dump{', log' if last else ''})",
            f"kvtui check {shell_word(name)}  # runs it once as keepalived does, and says what differs from a run by "
            "hand"
            if tracked.kind == "script"
            else f"{log_command(snapshot)}  # since when does {name} fail?",
            down,
        )


def last_result(snapshot: Snapshot, script: str) -> str:
    """Returns exit status and time of a script's last change, as keepalived logged it; empty if unknown."""
    for line in reversed(snapshot.log.lines if snapshot.log else ()):
        if f"VRRP_Script({script})" in line.text or f"Script `{script}` now returning" in line.text:
            when = f", {ago(max(0.0, snapshot.time - line.at))} ago" if line.at is not None else ""
            return f'{when}: "{line.text.partition(": ")[2] or line.text}"'
    return ""


def in_fault(router: InstanceRouter) -> Findings:
    """An instance in FAULT takes part in no election; what keeps it there is named (keepalived's dump and log)."""
    if router.view.state is not VrrpState.FAULT:
        return
    instance = router.instance
    found = [c for c in causes(router.snapshot, instance) if not c.lowers] or list(_of_group(router))
    if not found:
        log = log_command(router.snapshot)
        unknown = f"nothing that fails is known (keepalived.data names scripts; it needs root): {log}"
        found = [Cause("cause unknown", unknown, f"{log}  # why did it enter FAULT?")]
    masters = router.live_others
    yield router.finding(
        "instance-fault",
        Severity.WARNING if masters else Severity.CRITICAL,
        f"Instance {instance.name} is in FAULT: {found[0].what}; this node cannot take its VIPs",
        f"keepalived reports FAULT ({router.view.evidence})",
        *(c.evidence for c in found),
        *(describe(a, router.now) for a in masters),
        remedy=found[0].remedy,
    )


def _of_group(router: InstanceRouter) -> Iterator[Cause]:
    """A sync group is in FAULT if one of its members is."""
    group = router.instance.sync_group
    members = [r.instance for r in routers(router.observation) if r.view.state is VrrpState.FAULT]
    for other in members:
        if group and other.sync_group == group and other.name != router.instance.name:
            for cause in causes(router.snapshot, other):
                if not cause.lowers:
                    yield Cause(
                        f"{other.name} of its sync group: {cause.what}",
                        f"sync group {group}: {other.name} is in FAULT: {cause.evidence}",
                        cause.remedy,
                    )


def lowered(router: InstanceRouter) -> Findings:
    """Something tracked lowers the priority; with nopreempt on the other nodes nobody takes over (keepalived#2599)."""
    base, now = router.view.priority, router.view.effective_priority
    if not base or not now or router.view.state is VrrpState.FAULT:
        return
    bonus = sum(t.weight for t in router.instance.tracked if t.weight > 0 and not t.reverse)
    best = min(base + bonus, MAX_PRIORITY)
    if now >= best or base > MAX_PRIORITY:
        return
    found = [c for c in causes(router.snapshot, router.instance) if c.lowers]
    names = listed([c.what for c in found]) or "something tracked fails"
    stuck = router.is_master and bool(router.view.nopreempt)
    if not found and not stuck:
        return
    by_track_file = bool(found) and all(c.what.startswith("track file") for c in found)
    yield router.finding(
        "nopreempt-keeps-lowered-master" if stuck else "priority-lowered",
        Severity.INFO if by_track_file and not stuck else Severity.WARNING,
        f"{names[0].upper()}{names[1:]}: {router.instance.name} has priority {now} instead of {best}"
        + (", but nopreempt keeps the VIPs on this node" if stuck else ""),
        *(f"{c.evidence}: −{c.lowers}" for c in found),
        f"effective priority {now}; {base} configured{f' + {bonus} for what succeeds' if bonus else ''} (dump)",
        *(("this node is MASTER with nopreempt (dump)",) if stuck else ()),
        *(describe(a, router.now) for a in router.live_others),
        remedy=(
            f"kvtui failover {shell_word(router.instance.name)}  # with nopreempt, checks need weight 0 (FAULT)"
            if stuck
            else found[0].remedy
        ),
    )


RULES = (Rule(each_router(in_fault), TRANSIENT_SECONDS), Rule(each_router(lowered), TRANSIENT_SECONDS))
