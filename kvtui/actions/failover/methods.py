"""How to make the VIPs of an instance leave this node.

Measured (keepalived.md section 5), least disruptive first:

1. A track file of the instance: FAULT. Nothing is reloaded; works against nopreempt; 0.65 s.
2. Peers may preempt: the lowest priority. The VIP stays here until a peer has it (3 adverts and the skew).
3. nopreempt: the lowest priority, then the VIP is removed, so that keepalived itself steps down. Nobody owns the VIP
   for the successor's skew, less than one advert interval.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.plan import Change as PlanChange
from kvtui.actions.core.plan import NoteSeverity, PlanPart
from kvtui.actions.priority.config_line import change_config_line
from kvtui.actions.priority.methods import LOWEST, by_track_value
from kvtui.actions.priority.track_files import track_file_controls
from kvtui.actions.steps.address import RemoveAddress
from kvtui.actions.steps.track_value import write_number
from kvtui.rules.vrrp.consequences import Change

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.priority.track_files import TrackFileControl
    from kvtui.model.observation import Observation


class MethodKind(StrEnum):
    TRACK_FILE = "track file FAULT"
    PREEMPTED = "lowest priority, peers preempt"
    STEP_DOWN = "lowest priority, then the VIP is removed so that keepalived steps down"


class FailoverMethod(Struct, frozen=True):
    """One way; ``change`` is what it does to the node."""

    kind: MethodKind
    why: str
    part: PlanPart
    change: Change


def choose_method(
    observation: Observation, preflight: Preflight, election: ElectionContext, backend: ActionBackend
) -> FailoverMethod:
    """Returns the least disruptive method that works here."""
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
        part = _stepping_down(observation, preflight, election, part, backend)
        group = f"in sync group {election.view.sync_group} a lower priority of one member moves nothing"
        why = "with nopreempt a lower priority alone moves nothing" if election.view.nopreempt else group
        return FailoverMethod(MethodKind.STEP_DOWN, why, part, replace(change, steps_down=name))
    why = "peers may preempt, and the VIP stays here until one of them has it"
    return FailoverMethod(MethodKind.PREEMPTED, why, part, change)


def _by_track_file(preflight: Preflight, control: TrackFileControl, backend: ActionBackend) -> FailoverMethod:
    value = control.fault_value()
    part = PlanPart(
        steps=backend.steps((control.step(Daemon.of(preflight.keepalived), value),)),
        changes=(PlanChange(f"track file {control.name}", str(control.value), str(value)),),
        equivalent_commands=(write_number(value, preflight.keepalived.outside(control.path)),),
    )
    if control.shared:
        part = part.with_note(NoteSeverity.WARNING, f"{', '.join(control.shared)} also track this file and leave too")
    if control.checked:
        reals = ", ".join(control.checked)
        text = f"it is also the FILE_CHECK of {reals}: their weights on this node change too"
        part = part.with_note(NoteSeverity.WARNING, text)
    why = f"the instance tracks {control.path}: no reload, and it works against nopreempt"
    return FailoverMethod(MethodKind.TRACK_FILE, why, part, by_track_value(preflight, control.name, value))


def _stepping_down(
    observation: Observation,
    preflight: Preflight,
    election: ElectionContext,
    part: PlanPart,
    backend: ActionBackend,
) -> PlanPart:
    name, keepalived = election.view.name, preflight.keepalived
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
        changes=(*part.changes, PlanChange(f"{vip.address} on {vip.interface}", "present", "gone")),
        equivalent_commands=(*part.equivalent_commands, command),
    )


def _impossible(part: PlanPart, text: str) -> PlanPart:
    return replace(part, steps=()).with_note(NoteSeverity.IMPOSSIBLE, text)


def _steps_down(version: str | None) -> bool:
    match = re.match(r"(\d+)\.", version or "")
    return match is None or int(match[1]) >= 2
