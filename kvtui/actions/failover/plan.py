"""``kvtui failover``: makes the VIPs of one instance leave this node.

How, least disruptive first (measured, keepalived.md section 5):

1. A track file of the instance: FAULT. Nothing is reloaded; works against nopreempt; 0.65 s.
2. Peers may preempt: the lowest priority. The VIP stays here until a peer has it (3 adverts and the skew).
3. nopreempt: the lowest priority, then the VIP is removed, so that keepalived itself steps down. Nobody owns the VIP
   for the successor's skew, less than one advert interval.

A backup is silent, so kvtui may never have heard one. Where peers may preempt, lowering the priority loses nothing: the
VIP stays until another node takes it. Stepping down needs a node that is known from some source, or --force: when no
node takes over in time, everything is put back, and the worst case is that time without an owner.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.election_context import ElectionContext, election_context
from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, PlannedChange, PlanPart
from kvtui.actions.core.runner import Action
from kvtui.actions.failover.verifier import FailoverVerifier
from kvtui.actions.priority.config_line import change_config_line
from kvtui.actions.priority.methods import LOWEST, by_track_value
from kvtui.actions.priority.track_files import TrackFileControl, track_file_controls
from kvtui.actions.steps.address import RemoveAddress
from kvtui.actions.steps.track_value import write_number
from kvtui.rules.phrases import plural
from kvtui.rules.vrrp.consequences import Change, consequences
from kvtui.rules.vrrp.others import PeerSource
from kvtui.rules.vrrp.prediction_text import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation


class MethodKind(StrEnum):
    TRACK_FILE = "track file FAULT"
    PREEMPTED = "lowest priority, peers preempt"
    STEP_DOWN = "lowest priority, then the VIP is removed so that keepalived steps down"


class FailoverMethod(Struct, frozen=True):
    """``change`` is what it does to the node."""

    kind: MethodKind
    why: str
    part: PlanPart
    change: Change


def plan_failover(
    observation: Observation, preflight: Preflight, instance: str, watch: Watch, backend: ActionBackend
) -> Action:
    """Raises UnknownInstanceError."""
    election = election_context(observation, instance)
    method = _choose_method(observation, preflight, election, backend)
    expected = consequences(observation, method.change)
    predictions = tuple(c.prediction for c in expected)
    undo_text = _undo_text(election, method)
    notes = (*_refusals(election, method), *_peer_notes(election, method), *method.part.notes)
    summary = f"make {', '.join(election.view.vips) or instance} leave this node: {method.kind.value}"
    effects = (*sentences(predictions), f"method: {method.kind.value}, because {method.why}", undo_text)
    plan = replace(method.part, notes=notes).plan(ActionKind.FAILOVER, instance, summary, effects, predictions)
    verifier = FailoverVerifier(observation, election, method.kind.value, method.part.steps, expected, watch, undo_text)
    return Action(plan, method.part.steps, verifier, vips=HeldVips.of(observation, backend))


def _choose_method(
    observation: Observation, preflight: Preflight, election: ElectionContext, backend: ActionBackend
) -> FailoverMethod:
    name = election.view.name
    controls = track_file_controls(preflight, name, backend)
    usable = [c for c in controls if not backend.obstacle(preflight.keepalived, c.path)]
    if usable and (election.view.nopreempt or election.view.sync_group or election.others.exist):
        return _by_track_file(preflight, min(usable, key=lambda c: (len(c.checked), len(c.shared))), backend)
    part = change_config_line(preflight, name, LOWEST, backend)
    if not part.steps and not part.is_impossible:
        part = part.with_note(NoteSeverity.NOTE, f"{name} already has priority {LOWEST}, and no other node took over")
    change = Change(preflight.running, preflight.conf).with_priority(name, LOWEST)
    if election.view.nopreempt or election.view.sync_group:
        part = _stepping_down(observation, preflight, name, part, backend)
        group = f"in sync group {election.view.sync_group} a lower priority of one member does not cause a failover"
        why = "with nopreempt a lower priority alone does not cause a failover" if election.view.nopreempt else group
        return FailoverMethod(MethodKind.STEP_DOWN, why, part, replace(change, steps_down=name))
    why = "peers may preempt, and the VIP stays here until one of them has it"
    return FailoverMethod(MethodKind.PREEMPTED, why, part, change)


def _by_track_file(preflight: Preflight, control: TrackFileControl, backend: ActionBackend) -> FailoverMethod:
    value = control.fault_value()
    part = PlanPart(
        steps=backend.steps((control.step(Daemon.of(preflight.keepalived), value),)),
        changes=(PlannedChange(f"track file {control.name}", str(control.value), str(value)),),
        equivalent_commands=(write_number(value, preflight.keepalived.outside(control.path)),),
    )
    if control.shared:
        part = part.with_note(NoteSeverity.WARNING, f"{', '.join(control.shared)} also track this file and leave too")
    if control.checked:
        text = f"it is also the FILE_CHECK of {', '.join(control.checked)}: their weights on this node change too"
        part = part.with_note(NoteSeverity.WARNING, text)
    why = f"the instance tracks {control.path}: no reload, and it works against nopreempt"
    return FailoverMethod(MethodKind.TRACK_FILE, why, part, by_track_value(preflight, control.name, value))


def _stepping_down(
    observation: Observation, preflight: Preflight, name: str, part: PlanPart, backend: ActionBackend
) -> PlanPart:
    keepalived = preflight.keepalived
    vip = next((v for v in observation.vips or () if v.instance == name and v.present and v.interface), None)
    if vip is None or vip.interface is None:
        return _impossible(part, f"no VIP of {name} is on an interface here")
    if not _steps_down(keepalived.version):
        text = f"keepalived {keepalived.version} does not step down when its VIP is removed (2.0.0 and later do)"
        return _impossible(part, text)
    if not part.steps and part.is_impossible:
        return part
    daemon = Daemon.of(keepalived)
    remove = RemoveAddress(daemon, name, LOWEST, vip.address, vip.prefixlen, vip.interface)
    command = f"nsenter -t {daemon.pid} -n ip addr del {vip.address}/{vip.prefixlen} dev {vip.interface}"
    return replace(
        part,
        steps=(*part.steps, *backend.steps((remove,))),
        changes=(*part.changes, PlannedChange(f"{vip.address} on {vip.interface}", "present", "gone")),
        equivalent_commands=(*part.equivalent_commands, command),
    )


def _impossible(part: PlanPart, text: str) -> PlanPart:
    return replace(part, steps=()).with_note(NoteSeverity.IMPOSSIBLE, text)


def _steps_down(version: str | None) -> bool:
    match = re.match(r"(\d+)\.", version or "")
    return match is None or int(match[1]) >= 2


def _refusals(election: ElectionContext, method: FailoverMethod) -> Iterator[Note]:
    if not election.is_master:
        text = f"{election.view.name} is {election.view.state.value} here, not MASTER: there is nothing to fail over"
        yield Note(NoteSeverity.IMPOSSIBLE, text)
    if not election.others.listening:
        text = "adverts cannot be captured, so kvtui would not see which node takes over"
        yield Note(NoteSeverity.WARNING if method.kind is MethodKind.PREEMPTED else NoteSeverity.UNSAFE, text)


def _peer_notes(election: ElectionContext, method: FailoverMethod) -> Iterator[Note]:
    """Where peers may preempt, lowering the priority loses nothing; stepping down needs a node that takes over."""
    name, vrid, others = election.view.name, election.view.vrid, election.others
    is_heard = any(o.source in {PeerSource.WIRE, PeerSource.REPORTED} for o in others.known)
    if is_heard or not election.is_master:
        return
    severity = NoteSeverity.NOTE
    if others.known:
        severity = NoteSeverity.WARNING
        sources = ", ".join(f"{o.address} ({o.source.value})" for o in others.known)
        text = f"no other node of VRID {vrid} was heard, but known: {sources}"
    elif others.received:
        text = (
            "kvtui has heard no other node (backups are silent), but keepalived has received "
            f"{plural(others.received, 'advert')} from other nodes for {name} since it started"
        )
    elif method.kind is MethodKind.PREEMPTED:
        text = (
            f"no other node of VRID {vrid} is known (a backup is silent, so there may be one). Nothing is lost: the "
            "VIP stays here until another node takes it"
        )
    else:
        severity = NoteSeverity.UNSAFE
        text = (
            f"no peer has been seen on the wire: neither kvtui nor keepalived ever heard another node of VRID {vrid} "
            "(a backup is silent, so there may be one), and the VIP leaves at once"
        )
    yield Note(severity, f"{text}. If no node takes over in time, everything is put back")


def _undo_text(election: ElectionContext, method: FailoverMethod) -> str:
    restores = f"priority {election.view.priority}" if method.kind is not MethodKind.TRACK_FILE else "the track file"
    if election.view.nopreempt:
        return f"Undo restores {restores}; the VIP stays where it is then (nopreempt)"
    return f"Undo restores {restores}; the VIP returns if this node then wins the election"
