"""Runs a plan that was agreed to: journaled before, verified after, put back when it fails or is interrupted."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from kvtui.actions.journal import Entry, Journal, JournalLocked, JournalUnavailable, new_id, operator, start_time
from kvtui.actions.step import Side, Step, StepFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from kvtui.actions.plan import Plan


class Code(IntEnum):
    """Exit codes of actions (design.md)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNVERIFIED = 4
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Verified:
    """What was seen after the last step.

    Attributes:
        ok: True: it is as planned. False: it went wrong, so it is put back. None: not seen in time.
        detail: the evidence, in a sentence.
        facts: for the journal: states before and after, predictions and what came.
    """

    ok: bool | None
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """A plan with what carries it out.

    Attributes:
        plan: what was shown.
        steps: in order; each reversible.
        verify: looks for evidence after the last step; is given a function that takes progress sentences.
        pauses: seconds to wait after each step, for an action that goes slowly on purpose (``drain --over``).
        undoes: id of the action that this one takes back.
    """

    plan: Plan
    steps: tuple[Step, ...]
    verify: Callable[[Callable[[str], None]], Awaitable[Verified]]
    pauses: tuple[float, ...] = ()
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: exit code, a sentence, the journal's id (empty when nothing was begun) and what was seen."""

    code: Code
    detail: str
    id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Runner:
    """Carries actions out, one at a time on a node.

    Args:
        journal: where they are written down.
        read_only: refuse everything, before anything is opened for writing.
        progress: takes a sentence for the person whenever something happened.
    """

    def __init__(
        self, journal: Journal, *, read_only: bool = False, progress: Callable[[str], None] | None = None
    ) -> None:
        self._journal = journal
        self._read_only = read_only
        self._say = progress or (lambda _text: None)

    async def run(self, action: Action, *, force: bool = False, reason: str = "") -> Outcome:
        """Do it.

        Args:
            action: planned, shown and agreed to.
            force: the operator accepts what is unsafe.
            reason: for the journal.

        Returns:
            The outcome; an interrupted action (the task was cancelled) is put back and says so.
        """
        if self._read_only:
            return Outcome(Code.REFUSED, "refused: --read-only forbids every write")
        if refusal := action.plan.refusal(force=force):
            return Outcome(Code.REFUSED, f"refused: {refusal}")
        try:
            with self._journal.locked(action.plan.summary):
                if blocker := self._unfinished(action):
                    return Outcome(Code.REFUSED, blocker)
                return await self._run_locked(action, reason)
        except (JournalLocked, JournalUnavailable) as why:
            return Outcome(Code.REFUSED, str(why))

    def _unfinished(self, action: Action) -> str | None:
        left = [e for e in self._journal.unfinished() if e.id != action.undoes]
        if not left:
            return None
        first = left[0]
        return (
            f"an earlier action was cut short: {first.id} «{first.summary}». "
            f"First put it back (kvtui undo {first.id}) or finish it (kvtui undo --finish {first.id})"
        )

    async def _run_locked(self, action: Action, reason: str) -> Outcome:
        now = time.time()
        pid = os.getpid()
        entry = Entry(
            id=new_id(now),
            at=now,
            verb=action.plan.verb.value,
            target=action.plan.target,
            who=operator(),
            reason=reason,
            summary=action.plan.summary,
            steps=tuple({"kind": s.kind, **s.to_json()} for s in action.steps),
            process=(pid, start_time(pid)),
            undoes=action.undoes,
        )
        self._journal.begin(entry)
        done: list[Step] = []
        try:
            await self._do(action, entry, done)
            verified = await action.verify(self._say)
        except StepFailed as why:
            return await self._put_back(entry, done, Code.FAILED, f"failed: {why}")
        except (asyncio.CancelledError, KeyboardInterrupt):
            # The person pressed Ctrl+C or the terminal went away; the task must still put things back.
            current = asyncio.current_task()
            if current is not None:
                current.uncancel()
            return await self._put_back(entry, done, Code.INTERRUPTED, "interrupted")
        if verified.ok is False:
            return await self._put_back(entry, done, Code.FAILED, f"failed: {verified.detail}", verified.facts)
        code, result = (Code.DONE, "done") if verified.ok else (Code.UNVERIFIED, "unverified")
        self._journal.end(entry.id, result, verified.detail, verified.facts)
        if action.undoes:
            self._journal.end(action.undoes, "undone", f"taken back by {entry.id}")
        return Outcome(code, verified.detail, entry.id, verified.facts)

    async def _do(self, action: Action, entry: Entry, done: list[Step]) -> None:
        for index, step in enumerate(action.steps):
            side = await asyncio.to_thread(step.look)
            if side is Side.NEITHER:
                raise StepFailed(f"the world changed since the plan was made: {step.describe()}: look again")
            self._say(step.describe())
            if side is Side.BEFORE:
                done.append(step)  # first: a step that was cut short half-way is looked at when putting back
                await _uncut(asyncio.to_thread(step.do))
            self._journal.step_done(entry.id, index)
            if index < len(action.pauses) and action.pauses[index] > 0:
                await asyncio.sleep(action.pauses[index])

    async def _put_back(
        self, entry: Entry, done: list[Step], code: Code, why: str, facts: Mapping[str, Any] | None = None
    ) -> Outcome:
        trouble = []
        for step in reversed(done):
            try:
                if await asyncio.to_thread(step.look) is not Side.BEFORE:
                    self._say(f"putting back: {step.describe()}")
                    await _uncut(asyncio.to_thread(step.undo))
            except StepFailed as failed:
                trouble.append(str(failed))
        detail = f"{why}; everything was put back" if not trouble else f"{why}; NOT put back: {'; '.join(trouble)}"
        if not done:
            detail = f"{why}; nothing had been changed"
        self._journal.end(entry.id, "put back" if not trouble else "failed", detail, facts)
        return Outcome(code, detail, entry.id, facts or {})


async def _uncut(work: Awaitable[None]) -> None:
    """Let a step that was begun come to its end, even when the task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (failed := task.exception()):
            raise failed from None
        raise
