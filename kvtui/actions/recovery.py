"""After a kill -9, and for undo: what state an action of the journal left things in, and the ways on from there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.actions.plan import Grade, Plan, Remark, Verb
from kvtui.actions.runner import Action, Verified
from kvtui.actions.site import MACHINE, Site
from kvtui.actions.step import Side, StepFailed
from kvtui.actions.steps import UnknownStep, make
from kvtui.actions.steps.check_value import SetCheckValue
from kvtui.actions.steps.draft import drafts
from kvtui.actions.steps.reversed import Reversed
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kvtui.actions.journal import Entry
    from kvtui.actions.step import Json, Step

VALUES = ("before", "after", "existed")
VALUED = frozenset({SetWeight.kind, SetTrackValue.kind, SetCheckValue.kind})
"""Kinds of steps that are told by a value alone, and not by a digest of everything around it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One step of an action and the world now.

    Attributes:
        text: what the step does.
        side: where the world is; None when that cannot be told.
        step: to do or undo; None when this kvtui does not know it.
        trouble: why it cannot be told or taken back; empty.
    """

    text: str
    side: Side | None
    step: Step | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What state an action left things in.

    Attributes:
        entry: the action.
        steps: each with where the world is.
        sentence: for an operator.
        can_finish: every step is done, or can be.
        can_put_back: every step is not done, or can be undone.
        drafts: steps that remove what a write in the middle of which kvtui was killed left beside its file.
    """

    entry: Entry
    steps: tuple[Found, ...]
    sentence: str
    can_finish: bool
    can_put_back: bool
    drafts: tuple[Step, ...] = ()


def inspect(entry: Entry, site: Site = MACHINE) -> Recovery:
    """Look at the world, step by step. Blocking; changes nothing.

    Args:
        entry: of the journal.
        site: where it was done.
    """
    looked = [_look(data, site, done=n in entry.done) for n, data in enumerate(entry.steps)]
    found = _settled(entry.steps, looked)
    left = tuple(drafts(entry.steps)) if site is MACHINE else ()
    unclear = [f for f in found if f.side not in {Side.BEFORE, Side.AFTER}]
    done = sum(f.side is Side.AFTER for f in found)
    count = len(found)
    if unclear:
        first = unclear[0]
        reason = first.trouble or "it is neither as before nor as after: somebody changed it since"
        sentence = f"{first.text}: {reason}"
    elif done == count:
        sentence = "everything was done" if count else "it changed nothing"
    elif done == 0:
        sentence = "nothing was done, or all of it was put back"
    else:
        sentence = f"{done} of {count} steps are done; next would come: {_next(found)}"
    if left:
        sentence += f"; and {', '.join(d.path for d in left)} has a draft beside it, of a write that was cut short"
    one_way = [f for f in found if f.side is Side.AFTER and f.trouble]
    return Recovery(entry, tuple(found), sentence, not unclear, not unclear and not one_way, left)


def _next(found: Sequence[Found]) -> str:
    """Behind the last one that is done: a step that the world does not show may seem open before it."""
    last = max(i for i, f in enumerate(found) if f.side is Side.AFTER)
    coming = [*found[last:], *found]
    return next(f.text for f in coming if f.side is Side.BEFORE)


def _look(data: Json, site: Site, *, done: bool) -> Found:
    try:
        made = make(data)
        if recall := getattr(made, "recall", None):
            recall(done=done)
        (step,) = site.steps((made,))
    except UnknownStep as why:
        return Found(str(data.get("kind")), None, None, str(why))
    one_way = "a reload cannot be taken back: restore the old file and reload again"
    trouble = one_way if getattr(step, "alone", False) else ""  # a HangUp without a file to restore
    try:
        return Found(step.describe(), step.look(), step, trouble)
    except StepFailed as why:
        return Found(step.describe(), None, step, str(why))


def _settled(steps: Sequence[Json], found: list[Found]) -> list[Found]:
    """Judge steps of one thing together: a slow drain lowers one weight ten times.

    While the third of them is the last one done, the first finds neither its before nor its after. When one step of
    the thing knows where the world is, those ahead of it are done, and those behind it are not.
    """
    groups: dict[str, list[int]] = {}
    for index, data in enumerate(steps):
        groups.setdefault(_thing(data), []).append(index)
    settled = list(found)
    for indexes in groups.values():
        known = [i for i in indexes if found[i].side in {Side.BEFORE, Side.AFTER}]
        if len(indexes) < 2 or not known:
            continue
        # the newest place that fits: a value that comes twice is taken for the later one
        last_done = max((i for i in indexes if found[i].side is Side.AFTER), default=-1)
        for i in indexes:
            side = Side.AFTER if i <= last_done else Side.BEFORE
            settled[i] = Found(found[i].text, side, found[i].step, found[i].trouble)
    return settled


def _thing(data: Json) -> str:
    """What a step is about, whatever the values are."""
    kept = {k: _thing(v) if isinstance(v, dict) else v for k, v in data.items() if k not in VALUES}
    return repr(sorted(kept.items()))


def put_back(entry: Entry, site: Site = MACHINE) -> Action:
    """Everything as it was before an action that was cut short. Blocking: looks at the world."""
    return _back(inspect(entry, site), "put back")


def undo(entry: Entry, site: Site = MACHINE, later: Sequence[Entry] = ()) -> Action:
    """Take back an action, complete or cut short. Blocking: looks at the world.

    Refused, by a remark that is IMPOSSIBLE, when somebody changed the same things since, or when there is no way back.

    Args:
        entry: of the journal.
        site: where it was done.
        later: what was done after it. A weight of 0 may be that of a later drain by now.
    """
    if entry.result is None:
        return put_back(entry, site)
    if entry.other:
        return _refused(entry, f"{entry.id} took care of {entry.other}; do that again instead of taking this back")
    if entry.in_force and (newer := _newest_of_the_same(entry, later)):
        why = f"{newer.id} «{newer.summary}» changed the same since: take that back first (kvtui undo {newer.id})"
        return _refused(entry, why)
    return _back(inspect(entry, site), "undone")


def _newest_of_the_same(entry: Entry, later: Sequence[Entry]) -> Entry | None:
    mine = _valued(entry)
    return next((e for e in reversed(later) if e.in_force and not e.other and mine & _valued(e)), None)


def _valued(entry: Entry) -> set[str]:
    return {_thing(data) for data in entry.steps if data.get("kind") in VALUED}


def _refused(entry: Entry, why: str) -> Action:
    plan = Plan(Verb.UNDO, entry.target, f"take back {entry.id}", remarks=(Remark(Grade.IMPOSSIBLE, why),))
    return Action(plan, (), _verifier(()), undoes=entry.id)


def _back(recovery: Recovery, closing: str) -> Action:
    entry = recovery.entry
    back = (Reversed(f.step) for f in reversed(recovery.steps) if f.step and f.side is Side.AFTER)
    steps: tuple[Step, ...] = (*back, *recovery.drafts)
    remarks = _refusals(recovery, can=recovery.can_put_back, way="taken back")
    if entry.result in {"undone", "put back", "left"}:
        said = {"undone": "was taken back", "put back": "was put back", "left": "was left as it is"}[entry.result]
        remarks.append(Remark(Grade.IMPOSSIBLE, f"{entry.id} {said} already ({entry.detail})"))
    plan = _plan(entry, f"take back {entry.id}: {entry.summary}", recovery, steps, remarks)
    return Action(plan, steps, _verifier(steps), undoes=entry.id, closing=closing)


def finish(entry: Entry, site: Site = MACHINE) -> Action:
    """The rest of an action that was cut short. Blocking: looks at the world."""
    recovery = inspect(entry, site)
    steps = (*recovery.drafts, *(f.step for f in recovery.steps if f.step and f.side is Side.BEFORE))
    remarks = _refusals(recovery, can=recovery.can_finish, way="finished")
    if entry.result is not None:
        remarks.append(Remark(Grade.IMPOSSIBLE, f"{entry.id} has ended: {entry.result}"))
    plan = _plan(entry, f"finish {entry.id}: {entry.summary}", recovery, steps, remarks)
    return Action(plan, steps, _verifier(steps), finishes=entry.id)


def leave(entry: Entry, site: Site = MACHINE) -> Action:
    """Nothing: things stay as they are, and the journal says so. The way out where the other two are refused."""
    recovery = inspect(entry, site)
    remarks = []
    if entry.result is not None:
        remarks.append(Remark(Grade.IMPOSSIBLE, f"{entry.id} has ended: {entry.result}"))
    steps = recovery.drafts
    plan = _plan(entry, f"leave things as {entry.id} left them: {entry.summary}", recovery, steps, remarks)
    return Action(plan, steps, _verifier(steps), finishes=entry.id, closing="left")


def _refusals(recovery: Recovery, *, can: bool, way: str) -> list[Remark]:
    if can:
        return []
    reasons = [
        f"{f.text}: {f.trouble or 'somebody changed it since'}"
        for f in recovery.steps
        if f.trouble or f.side not in {Side.BEFORE, Side.AFTER}
    ]
    return [Remark(Grade.IMPOSSIBLE, f"{recovery.entry.id} cannot be {way}: {'; '.join(reasons)}")]


def _plan(entry: Entry, summary: str, recovery: Recovery, steps: Sequence[Step], remarks: list[Remark]) -> Plan:
    # no effect, as it has happened; and a plan that is refused says it, too
    now = Remark(Grade.NOTE, f"{entry.id}: {recovery.sentence}")
    texts = tuple(s.describe() for s in steps) or ("write nothing but the journal",)
    return Plan(Verb.UNDO, entry.target, summary, steps=texts, remarks=(*remarks, now))


def _verifier(steps: Sequence[Step]) -> Callable[[Callable[[str], None]], Awaitable[Verified]]:
    """Every thing is where its last step leaves it."""

    async def verify(_say: Callable[[str], None]) -> Verified:
        data = [{"kind": s.kind, **s.to_json()} for s in steps]
        found = [Found(s.describe(), await asyncio.to_thread(s.look), s) for s in steps]
        wrong = [f.text for f in _settled(data, found) if f.side is not Side.AFTER]
        if wrong:
            return Verified(ok=False, detail=f"not as it should be: {'; '.join(wrong)}")
        return Verified(ok=True, detail="seen to be so" if steps else "nothing had to be changed")

    return verify
