"""Undo, and recovery after a kill -9: in what state an action of the journal left the system, and what can be done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan, described
from kvtui.actions.core.runner import Action, Verification, Verify
from kvtui.actions.core.step import Json, Step, StepState, StepStatus, object_of, settled, step_json
from kvtui.actions.core.step_kinds import VALUE_KINDS, Reversed, UnknownStepError, make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.journal import Entry

MAX_NAMED = 3
"""Steps that the outcome names; more are counted."""


class Recovery(Struct, frozen=True):
    """In what state an action left the system."""

    entry: Entry
    steps: tuple[StepStatus, ...]
    sentence: str
    temp_files: tuple[Step, ...] = ()

    @property
    def can_finish(self) -> bool:
        return not any(s.problem for s in self.steps)

    @property
    def can_put_back(self) -> bool:
        return self.can_finish and not any(s.state is StepState.APPLIED and s.error for s in self.steps)


def inspect(entry: Entry, backend: ActionBackend) -> Recovery:
    """Blocking; changes nothing."""
    looked = [_status(data, backend, done=n in entry.done) for n, data in enumerate(entry.steps)]
    found = settled(entry.steps, looked)
    left = backend.temp_file_steps(entry.steps)
    shown = [f for f in found if f.text]  # the others only prepare the undo
    done, count = sum(f.state is StepState.APPLIED for f in shown), len(shown)
    if unclear := next((f for f in found if f.problem), None):
        sentence = f"{unclear.text}: {unclear.problem}"
    elif done == count:
        sentence = "everything was done" if count else "it changed nothing"
    elif done == 0:
        sentence = "nothing was done, or all of it was put back"
    else:
        sentence = f"{done} of {count} steps are done; next: {_next(shown)}"
    if left:
        sentence += f"; still to do: {', '.join(s.describe() for s in left)}"
    return Recovery(entry, tuple(found), sentence, left)


def _next(found: Sequence[StepStatus]) -> str:
    """Returns the step after the last one that is done: one before it may only seem pending."""
    last = max(i for i, f in enumerate(found) if f.state is StepState.APPLIED)
    return next(f.text for f in [*found[last:], *found] if f.state is StepState.PENDING)


def _status(data: Json, backend: ActionBackend, *, done: bool) -> StepStatus:
    try:
        made = make(data)
        if recall := getattr(made, "recall", None):
            recall(done=done)
        (step,) = backend.steps((made,))
        if why := why_not_ours(step):
            return StepStatus(step.describe(), None, None, why)
    except UnknownStepError as why:
        return StepStatus(str(data.get("kind")), None, None, str(why))
    one_way = "a reload cannot be undone: restore the old file and reload again"
    return StepStatus.of(step, one_way if getattr(step, "alone", False) else "")  # a ReloadStep without a file


def why_not_ours(step: Step) -> str:
    """Returns why the journal may not lead to what the step changes; empty when it may."""
    inner = step
    while hasattr(inner, "step"):
        inner = inner.step
    return str(inner.why_not_ours()) if hasattr(inner, "why_not_ours") else ""


def put_back(entry: Entry, backend: ActionBackend) -> Action:
    """Plans to undo what an interrupted action did. Blocking."""
    action = _back(inspect(entry, backend), "put back")
    if entry.vips is None or not action.steps:
        return action
    vips = HeldVips.from_json(entry.vips, backend)

    async def verify(say: Callable[[str], None]) -> Verification:
        """Says which VIPs are not as before the action, although its steps were put back."""
        found = await action.verify(say)
        if found.ok is not True or not (different := await vips.difference(say)):
            return found
        return replace(found, detail=f"{found.detail}; but {different}", resolution="failed")

    return replace(action, verify=verify)


def undo(entry: Entry, backend: ActionBackend, later: Sequence[Entry] = ()) -> Action:
    """Plans to undo an action, complete or interrupted. Blocking.

    Refused, by a note that is IMPOSSIBLE, when something else changed the same since, or when there is no way back:
    ``later`` has what was done after it, and a weight of 0 may be that of a later drain by now.
    """
    if entry.result is None:
        return put_back(entry, backend)
    if entry.other:
        return _refused(
            entry,
            f"{entry.id} undid, finished or closed {entry.other} and cannot be undone: repeat {entry.other} instead",
        )
    mine = _value_objects(entry) if entry.in_force else set()
    if newer := next((e for e in reversed(later) if e.in_force and not e.other and mine & _value_objects(e)), None):
        why = f'{newer.id} "{newer.summary}" changed the same object since: undo that first (kvtui undo {newer.id})'
        return _refused(entry, why)
    return _back(inspect(entry, backend), "undone")


def _value_objects(entry: Entry) -> set[str]:
    return {object_of(data) for data in entry.steps if data.get("kind") in VALUE_KINDS}


def _refused(entry: Entry, why: str) -> Action:
    plan = Plan(ActionKind.UNDO, entry.target, f"undo {entry.id}", notes=(Note(NoteSeverity.IMPOSSIBLE, why),))
    return Action(plan, (), _verifier(()), undoes=entry.id)


def _back(recovery: Recovery, resolution: str) -> Action:
    entry = recovery.entry
    back = (Reversed(s.step) for s in reversed(recovery.steps) if s.step and s.state is StepState.APPLIED)
    notes = _refusals(recovery, can=recovery.can_put_back, way="undone")
    if entry.result in {"undone", "put back", "left"}:
        what = "left as it is" if entry.result == "left" else entry.result
        notes.append(Note(NoteSeverity.IMPOSSIBLE, f"{entry.id} was already {what} ({entry.detail})"))
    steps = (*back, *recovery.temp_files)
    action = _action(recovery, f"undo {entry.id}: {entry.summary}", steps, notes)
    return replace(action, undoes=entry.id, resolution=resolution)


def finish(entry: Entry, backend: ActionBackend) -> Action:
    """Plans the rest of an interrupted action. Blocking."""
    recovery = inspect(entry, backend)
    pending = (s.step for s in recovery.steps if s.step and s.state is StepState.PENDING)
    notes = [*_refusals(recovery, can=recovery.can_finish, way="finished"), *_ended(entry)]
    summary = f"finish {entry.id}: {entry.summary}"
    return replace(_action(recovery, summary, (*recovery.temp_files, *pending), notes), finishes=entry.id)


def leave(entry: Entry, backend: ActionBackend) -> Action:
    """Plans to leave things as they are and close the entry: possible where put_back and finish are refused.

    An action that is done is closed too: then nobody misses its effect when something else undid it.
    """
    recovery = inspect(entry, backend)
    summary = f"leave things as {entry.id} left them: {entry.summary}"
    action = _action(recovery, summary, recovery.temp_files, [] if entry.in_force else _ended(entry))
    return replace(action, finishes=entry.id, resolution="left")


def _ended(entry: Entry) -> list[Note]:
    return [Note(NoteSeverity.IMPOSSIBLE, f"{entry.id} has ended: {entry.result}")] if entry.result is not None else []


def _refusals(recovery: Recovery, *, can: bool, way: str) -> list[Note]:
    if can:
        return []
    reasons = [f"{s.text}: {s.error or s.problem}" for s in recovery.steps if s.error or s.problem]
    return [Note(NoteSeverity.IMPOSSIBLE, f"{recovery.entry.id} cannot be {way}: {'; '.join(reasons)}")]


def _action(recovery: Recovery, summary: str, steps: tuple[Step, ...], notes: list[Note]) -> Action:
    entry = recovery.entry
    now = Note(NoteSeverity.NOTE, f"{entry.id}: {recovery.sentence}")
    texts = described(steps) or ("write nothing but the journal",)
    plan = Plan(ActionKind.UNDO, entry.target, summary, steps=texts, notes=(*notes, now))
    return Action(plan, steps, _verifier(steps))


def _verifier(steps: Sequence[Step]) -> Verify:
    async def verify(_say: Callable[[str], None]) -> Verification:
        found = [StepStatus(s.describe(), await asyncio.to_thread(s.state), s) for s in steps]
        wrong = [s.text for s in settled(list(map(step_json, steps)), found) if s.state is not StepState.APPLIED]
        if wrong:
            return Verification(ok=False, detail=f"not as planned: {'; '.join(wrong)}")
        texts = described(tuple(steps))
        what = ", ".join(texts) if len(texts) <= MAX_NAMED else f"{len(texts)} steps"
        return Verification(ok=True, detail=f"{what} · Verified" if steps else "nothing had to be changed")

    return verify
