"""How to change a priority: by a track file of the instance, or by its line of the config and a reload.

A track file changes no config, needs no reload and outlives one. It is used where it reaches the priority exactly and
changes nothing else. Elsewhere the config's line is changed, and the plan says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.plan import NoteSeverity, PlannedChange, PlanPart
from kvtui.actions.priority.config_line import change_config_line, find_instance
from kvtui.actions.priority.track_files import FAULT, track_file_controls
from kvtui.actions.steps.track_value import write_number
from kvtui.model.vrrp import VrrpState
from kvtui.rules.vrrp.consequences import Change

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.priority.track_files import TrackFileControl

LOWEST, MAX_TRACKED, OWNER = 1, 254, 255
"""Priorities: keepalived keeps an effective one within 1 and 254; 255 is the owner of the address."""


class PriorityMethod(Struct, frozen=True):
    """A way to change a priority; ``change`` is what it does to the node."""

    name: str
    now: int | None
    part: PlanPart
    change: Change


class MethodChooser(Struct, frozen=True):
    preflight: Preflight
    election: ElectionContext
    backend: ActionBackend

    @property
    def name(self) -> str:
        return self.election.view.name

    def choose(self, value: int, *, use_track_file: bool | None = None) -> PriorityMethod:
        if use_track_file is False:
            return self._by_config(value)
        reasons = []
        for control in track_file_controls(self.preflight, self.name, self.backend):
            number = self._number_for(control, value)
            others = _others(control)
            if isinstance(number, str):
                reasons.append(number)
            elif others and not use_track_file:
                reasons.append(f"{control.path} changes more than this priority: {others}")
            else:
                method = self.by_track_file(control, number, value)
                return method if use_track_file or not method.part.steps else _recommended(method, control)
        if not use_track_file:
            return self._by_config(value, tuple(reasons))
        why = "; ".join(reasons) or f"{self.name} tracks no file whose path is known: change its config instead"
        part = PlanPart().with_note(NoteSeverity.IMPOSSIBLE, why)
        return PriorityMethod("a track file", self._effective, part, self._as_now)

    def by_track_file(self, control: TrackFileControl, number: int, value: int) -> PriorityMethod:
        name = f"track file {control.path} (weight {control.weight})"
        if number == control.value:
            return PriorityMethod(name, self._effective, self._unchanged(PlanPart(), value), self._as_now)
        part = PlanPart(
            steps=self.backend.steps((control.step(Daemon.of(self.preflight.keepalived), number),)),
            changes=(PlannedChange(f"track file {control.name}", str(control.value), str(number)),),
            equivalent_commands=(write_number(number, self.preflight.keepalived.outside(control.path)),),
        )
        if others := _others(control):
            part = part.with_note(NoteSeverity.WARNING, f"{control.path}: {others}")
        return PriorityMethod(name, self._effective, part, by_track_value(self.preflight, control.name, number))

    def _by_config(self, value: int, reasons: tuple[str, ...] = ()) -> PriorityMethod:
        view = self.election.view
        part = change_config_line(self.preflight, self.name, value, self.backend)
        for why in reasons:
            part = part.with_note(NoteSeverity.NOTE, f"not by its track file: {why}")
        if value == OWNER:
            text = "255 means the owner of the address: weighted tracks do not count then"
            part = part.with_note(NoteSeverity.WARNING, text)
        if not part.steps and all(n.severity < NoteSeverity.UNSAFE for n in part.notes):
            part = self._unchanged(part, value)
        instance = find_instance(self.preflight.conf, self.name)
        now = view.priority if view.priority is not None else instance.priority if instance else None
        change = Change(self.preflight.running, self.preflight.conf).with_priority(self.name, value)
        by = f"its config {self.preflight.keepalived.conf} and a reload"
        return PriorityMethod(by, now, part, change if part.steps else self._as_now)

    def _unchanged(self, part: PlanPart, value: int) -> PlanPart:
        return part.with_note(NoteSeverity.NOTE, f"{self.name} already has priority {value}: nothing to write")

    def _number_for(self, control: TrackFileControl, value: int) -> int | str:
        """Returns the number in the file that makes the effective priority this value; or why there is none."""
        if obstacle := self.backend.obstacle(self.preflight.keepalived, control.path):
            return obstacle
        if value > MAX_TRACKED or self.election.view.priority == OWNER:
            return f"weighted tracks do not count with 255, so {control.name} reaches {LOWEST} to {MAX_TRACKED} only"
        rest = self._without(control)
        if rest is None:
            return f"the priority of {self.name} without {control.name} is unknown, so the number for it is too"
        difference = value - rest
        if control.weight and difference % control.weight == 0 and difference > FAULT:
            return difference // control.weight
        return (
            f"priority {value} cannot be reached exactly from {self._effective} with track file {control.name} "
            f"(weight {control.weight})"
        )

    @property
    def _as_now(self) -> Change:
        conf = self.preflight.running or self.preflight.conf
        return Change(conf, conf)

    @property
    def _effective(self) -> int | None:
        view = self.election.view
        return view.effective_priority if view.effective_priority is not None else view.priority

    def _without(self, control: TrackFileControl) -> int | None:
        """Returns the priority without this file's part; None when unknown.

        Where no other track has a weight, that is the configured priority. Else it is the effective priority less the
        file's part, unless that was clamped to 1 or 254, or the file holds the instance in FAULT.
        """
        view = self.election.view
        instance = find_instance(self.preflight.running or self.preflight.conf, self.name)
        others = [t for t in (instance.tracks if instance else ()) if (t.kind, t.name) != ("file", control.name)]
        if view.priority is not None and not any(t.kind != "interface" or t.weight for t in others):
            return view.priority
        now = view.effective_priority
        if now is None or now in {LOWEST, MAX_TRACKED} or view.state is VrrpState.FAULT:
            return None
        return now - control.value * control.weight


def by_track_value(preflight: Preflight, name: str, number: int) -> Change:
    """Returns what another number in a track file changes: no config."""
    conf = preflight.running or preflight.conf
    return Change(conf, conf, {("file", name): number})


def _others(control: TrackFileControl) -> str:
    """Returns what else would change with it; empty when nothing does."""
    others = [f"{', '.join(control.shared)} also track it: their priority changes too"] if control.shared else []
    if control.checked:
        others.append(f"it is the FILE_CHECK of {', '.join(control.checked)}: their weights change too")
    return "; ".join(others)


def _recommended(method: PriorityMethod, control: TrackFileControl) -> PriorityMethod:
    text = (
        f"method automatic: its track file, which changes no config, needs no reload and outlives one. Anything else "
        f"that writes {control.path}, such as a health check, changes it again. --config-line (key t) changes the "
        "config instead"
    )
    return replace(method, part=method.part.with_note(NoteSeverity.NOTE, text))
