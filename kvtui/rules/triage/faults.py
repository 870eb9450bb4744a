"""Why an instance is in FAULT, or has a lower priority than configured: each tracked thing that fails, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Finding, Severity
from kvtui.model.units import ago
from kvtui.model.vrrp import AddressFamily, VrrpState
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import describe, each_router, routers
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.instances import family_of, links_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.addresses import Interface
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Tracked, VrrpInstance
    from kvtui.rules.triage.routers import Router

MAX_PRIORITY = 254
"""Weights bring a priority to no more than this; 255 ignores them."""
FAULT_VALUE = -254
"""A track file whose value × weight is not higher makes the instance FAULT (keepalived 2.0; measured)."""


class Cause(Struct, frozen=True):
    """One thing that keeps an instance from being master, or lowers its priority.

    Attributes:
        what: in a few words, for the title.
        evidence: one sentence with the source.
        remedy: a command or an instruction.
        lowers: by how much it lowers the priority; 0 for a FAULT.
    """

    what: str
    evidence: str
    remedy: str
    lowers: int = 0


def causes(observation: Observation, instance: VrrpInstance) -> tuple[Cause, ...]:
    """Returns everything that fails now; those that make a FAULT first."""
    found = [*_of_interface(observation, instance), *_of_files(instance)]
    found += [c for t in instance.tracked if (c := _of_tracked(observation, t)) is not None]
    return tuple(sorted(found, key=lambda c: c.lowers != 0))


def _of_interface(observation: Observation, instance: VrrpInstance) -> Iterator[Cause]:
    name, table = instance.interface, observation.snapshot.addresses
    if name is None or table is None:
        return
    problem = _link_problem(name, links_of(observation.snapshot).get(name))
    if problem and (instance.tracks_interface or name not in links_of(observation.snapshot)):
        yield Cause(problem, f"{problem} (addresses)", f"ip link show {shell_word(name)}")
        return
    six = family_of(instance) is AddressFamily.V6
    own = [a for a in table.addresses if a.interface == name and (":" in a.address) is six]
    own = [a for a in own if not six or a.scope == "link"]
    vips = {v.address for v in instance.vips}
    if not problem and not [a for a in own if a.address not in vips] and instance.unicast_source is None:
        family = "IPv6 link-local" if six else "IPv4"
        link = links_of(observation.snapshot)[name]
        bridge = f"; it is a port of {link.master}, which has the node's addresses" if link.master else ""
        yield Cause(
            f"{name} has no {family} address",
            f"{name} has no {family} address of its own to send adverts from (addresses){bridge}",
            f"set interface {link.master} in the instance, then: kvtui reload"
            if link.master
            else f"ip addr show dev {shell_word(name)}  # which interface has the node's address?",
        )


def _link_problem(name: str, link: Interface | None) -> str:
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
            what = f"track file {file.name} has the value {file.status}"
            yield Cause(
                what,
                f"track file {file.name}: {file.status} × weight {file.weight} (dump)",
                f"echo 0 > {shell_word(file.path or 'FILE')}  # if its cause is over; see kvtui journal",
                0 if fault else -value,
            )


def _of_tracked(observation: Observation, tracked: Tracked) -> Cause | None:
    name, down = tracked.name, abs(tracked.weight)
    if tracked.kind == "interface":
        problem = (
            _link_problem(name, links_of(observation.snapshot).get(name)) if observation.snapshot.addresses else ""
        )
        bad = bool(problem) is not tracked.reverse
        return (
            Cause(f"tracked {problem}", f"{problem} (addresses)", f"ip link show {shell_word(name)}", down)
            if bad
            else None
        )
    if tracked.good is None or tracked.good is not tracked.reverse:
        return None
    last = last_result(observation, name)
    facts = f" ({tracked.detail})" if tracked.detail else ""
    return Cause(
        f"{tracked.kind} {name} fails",
        f"{tracked.kind} {name}{facts} fails{last} (dump{', log' if last else ''})",
        f"kvtui check {shell_word(name)}  # runs it once as keepalived does, and says what differs from a run by hand"
        if tracked.kind == "script"
        else f"{log_command(observation)}  # since when does {name} fail?",
        down,
    )


def last_result(observation: Observation, script: str) -> str:
    """Returns exit status and time of a script's last change, as keepalived logged it; empty if unknown."""
    for line in reversed(observation.snapshot.log.lines if observation.snapshot.log else ()):
        if f"VRRP_Script({script})" in line.text or f"Script `{script}` now returning" in line.text:
            when = f", {ago(max(0.0, observation.snapshot.time - line.at))} ago" if line.at is not None else ""
            return f'{when}: "{line.text.partition(": ")[2] or line.text}"'
    return ""


def in_fault(observation: Observation, router: Router) -> Iterator[Finding]:
    """An instance in FAULT takes part in no election; what keeps it there is named (keepalived's dump and log)."""
    if router.view.state is not VrrpState.FAULT:
        return
    instance = router.instance
    found = [c for c in causes(observation, instance) if not c.lowers] or list(_of_group(observation, instance))
    if not found:
        unknown = (
            f"nothing that fails is known (keepalived.data names scripts; it needs root): {log_command(observation)}"
        )
        found = [Cause("cause unknown", unknown, f"{log_command(observation)}  # why did it enter FAULT?")]
    masters = router.live_others
    yield Finding(
        "instance-fault",
        Severity.WARNING if masters else Severity.CRITICAL,
        f"Instance {instance.name} is in FAULT: {found[0].what}; this node cannot take its VIPs",
        (
            f"keepalived reports FAULT ({router.view.evidence})",
            *(c.evidence for c in found),
            *(describe(a, router.now) for a in masters),
        ),
        found[0].remedy,
        instance.name,
        router.vips,
    )


def _of_group(observation: Observation, instance: VrrpInstance) -> Iterator[Cause]:
    """A sync group is in FAULT if one of its members is."""
    for other in routers(observation):
        if other.instance.name == instance.name or not instance.sync_group:
            continue
        if other.instance.sync_group != instance.sync_group or other.view.state is not VrrpState.FAULT:
            continue
        for cause in causes(observation, other.instance):
            if not cause.lowers:
                yield Cause(
                    f"{other.instance.name} of its sync group: {cause.what}",
                    f"sync group {instance.sync_group}: {other.instance.name} is in FAULT: {cause.evidence}",
                    cause.remedy,
                )


def lowered(observation: Observation, router: Router) -> Iterator[Finding]:
    """Something tracked lowers the priority; with nopreempt on the other nodes nobody takes over (keepalived#2599)."""
    base, now = router.view.priority, router.view.effective_priority
    if not base or not now or router.view.state is VrrpState.FAULT:
        return
    bonus = sum(t.weight for t in router.instance.tracked if t.weight > 0 and not t.reverse)
    best = min(base + bonus, MAX_PRIORITY)
    if now >= best or base > MAX_PRIORITY:
        return
    found = [c for c in causes(observation, router.instance) if c.lowers]
    names = listed([c.what for c in found]) or "something tracked fails"
    stuck = router.is_master and bool(router.view.nopreempt)
    if not found and not stuck:
        return
    by_hand = bool(found) and all(c.what.startswith("track file") for c in found)
    yield Finding(
        "nopreempt-keeps-lowered-master" if stuck else "priority-lowered",
        Severity.INFO if by_hand and not stuck else Severity.WARNING,
        f"{names[0].upper()}{names[1:]}: {router.instance.name} has priority {now} instead of {best}"
        + (", but nopreempt keeps the VIPs on this node" if stuck else ""),
        (
            *(f"{c.evidence}: −{c.lowers}" for c in found),
            f"effective priority {now}; {base} configured"
            + (f" + {bonus} for what succeeds (dump)" if bonus else " (dump)"),
            *(("this node is MASTER with nopreempt (dump)",) if stuck else ()),
            *(describe(a, router.now) for a in router.live_others),
        ),
        f"kvtui failover {shell_word(router.instance.name)}  # with nopreempt, checks need weight 0 (FAULT)"
        if stuck
        else (found[0].remedy if found else f"{log_command(observation)}  # which script fails?"),
        router.instance.name,
        router.vips,
    )


RULES = (Rule(each_router(in_fault), PASSING), Rule(each_router(lowered), PASSING))
