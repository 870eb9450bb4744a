"""Runs a plan that was agreed to: journaled before, verified after, put back when it fails or is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from kvtui.actions.core.journal import Entry, Journal, JournalLocked, JournalUnavailable, new_id, operator, start_time
from kvtui.actions.core.step import Side, Step, StepFailed
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Coroutine, Mapping, Sequence

    from kvtui.actions.core.plan import Plan

T = TypeVar("T")
MOST_CLOSED = 10  # a chain of cut-short repairs is never that long; a damaged journal may be a circle
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends kvtui politely: Ctrl+C, kill, a terminal or ``kubectl exec`` that went away."""


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
        finishes: id of the action, cut short, that this one brings to its end.
        closing: the result that the other action gets in the journal when this one is done: ``undone``, ``put back``,
            ``left``, ``done``; empty chooses by ``undoes`` and ``finishes``.
    """

    plan: Plan
    steps: tuple[Step, ...]
    verify: Callable[[Callable[[str], None]], Awaitable[Verified]]
    pauses: tuple[float, ...] = ()
    undoes: str | None = None
    finishes: str | None = None
    closing: str = ""


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
        self._progress = progress

    async def run(self, action: Action, *, force: bool = False, reason: str = "") -> Outcome:
        """Do it. An action without steps changes nothing: it only looks, and is journaled like any other.

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
                if blocker := self._blocker(action):
                    return Outcome(Code.REFUSED, blocker)
                taken = {e.id for e in self._journal.entries()}
                entry = _entry(action, reason, taken)
                self._journal.begin(entry)
                return await self._run_begun(action, entry)
        except (JournalLocked, JournalUnavailable) as why:
            return Outcome(Code.REFUSED, str(why))

    def _blocker(self, action: Action) -> str | None:
        """An action that was cut short comes first: what it left may be what the plan was made from."""
        mine = action.undoes or action.finishes
        about = {mine}
        if mine and (repair := self._journal.entry(mine)):
            about.add(repair.other)  # a repair that was cut short comes before what it was to repair
        left = [e for e in self._journal.unfinished() if e.id not in about]
        if not left:
            return None
        first = left[-1]  # newest first: it may be a repair of an older one
        return (
            f"an earlier action was cut short: {first.id} «{first.summary}». First put it back "
            f"(kvtui undo {first.id}), finish it (--finish {first.id}), or leave things as they are "
            f"(--leave {first.id})"
        )

    async def _run_begun(self, action: Action, entry: Entry) -> Outcome:
        done: list[Step] = []
        try:
            await self._do(action, entry, done)
            verified = await action.verify(self._say)
        except (StepFailed, JournalUnavailable) as why:
            return await self._put_back(entry, done, Code.FAILED, f"failed: {why}")
        except (asyncio.CancelledError, KeyboardInterrupt):
            return await self._put_back(entry, done, Code.INTERRUPTED, "interrupted")
        except BaseException as fault:  # a fault of kvtui itself: nothing stays half-done, and the fault is not hidden
            await self._put_back(entry, done, Code.FAILED, f"kvtui failed ({type(fault).__name__})")
            raise
        if verified.ok is False:
            return await self._put_back(entry, done, Code.FAILED, f"failed: {verified.detail}", verified.facts)
        code, result = (Code.DONE, "done") if verified.ok else (Code.UNVERIFIED, "unverified")
        closes = self._closes(entry)
        detail = verified.detail + self._end(entry.id, result, verified.detail, verified.facts, closes)
        return Outcome(code, detail, entry.id, verified.facts)

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
        """Undo what was done, to the end, however often the task is cancelled meanwhile."""
        trouble = await _insist(self._undo(done))
        detail = f"{why}; everything was put back" if not trouble else f"{why}; NOT put back: {'; '.join(trouble)}"
        if not done:
            detail = f"{why}; nothing had been changed"
        detail += self._end(entry.id, "put back" if not trouble else "failed", detail, facts)
        return Outcome(code, detail, entry.id, facts or {})

    async def _undo(self, done: list[Step]) -> list[str]:
        trouble = []
        for step in reversed(done):
            try:
                side = await asyncio.to_thread(step.look)
                if side is Side.NEITHER:
                    trouble.append(f"{step.describe()}: somebody changed it since, so it was left alone")
                elif side is Side.AFTER:
                    self._say(f"putting back «{step.describe()}»")
                    await asyncio.to_thread(step.undo)
            except StepFailed as failed:
                trouble.append(str(failed))
        return trouble

    def _closes(self, entry: Entry) -> tuple[tuple[str, str], ...]:
        """Other actions that end with this one: finishing an undo that was cut short ends what that undid as well."""
        closes: list[tuple[str, str]] = []
        current: Entry | None = entry
        while current is not None and current.other and len(closes) < MOST_CLOSED:
            closes.append((current.other, current.closing))
            current = self._journal.entry(current.other) if current.finishes and current.closing == "done" else None
        return tuple(closes)

    def _end(
        self,
        identity: str,
        result: str,
        detail: str,
        facts: Mapping[str, Any] | None = None,
        closes: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Write the end down; what to add to the outcome when that fails. Then the next start asks what to do."""
        try:
            self._journal.end(identity, result, detail, facts, closes)
        except JournalUnavailable as why:
            return f" (and this end is not in the journal: {why})"
        return ""

    def _say(self, text: str) -> None:
        """Tell the person; a terminal that went away must not stop what was begun."""
        if self._progress is not None:
            try:
                self._progress(text)
            except OSError:
                self._progress = None


def run_to_end(runner: Runner, action: Action, *, force: bool = False, reason: str = "") -> Outcome:
    """``guarded`` in an event loop of its own."""
    return asyncio.run(guarded(runner, action, force=force, reason=reason))


async def guarded(runner: Runner, action: Action, *, force: bool = False, reason: str = "") -> Outcome:
    """Run an action from the command line.

    Ctrl+C, SIGTERM and the SIGHUP of a terminal that went away cancel it: it is put back, and the code is 130.

    Args:
        runner: carries it out.
        action: planned, shown and agreed to.
        force: the operator accepts what is unsafe.
        reason: for the journal.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(runner.run(action, force=force, reason=reason))
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:  # before anything had begun
        return Outcome(Code.INTERRUPTED, "interrupted; nothing had been changed")
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _entry(action: Action, reason: str, taken: Container[str]) -> Entry:
    now, pid = time.time(), os.getpid()
    return Entry(
        id=new_id(now, taken),
        at=now,
        verb=action.plan.verb.value,
        target=action.plan.target,
        who=operator(),
        reason=reason,
        summary=action.plan.summary,
        steps=tuple({"kind": s.kind, **s.to_json()} for s in action.steps),
        process=(pid, start_time(pid)),
        undoes=action.undoes,
        finishes=action.finishes,
        closing=action.closing or ("undone" if action.undoes else "done" if action.finishes else ""),
    )


async def _uncut(work: Awaitable[None]) -> None:
    """Let a step that was begun come to its end, even when the task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled() and (failed := task.exception()):
            raise failed from None
        raise


async def _insist(work: Coroutine[Any, Any, T]) -> T:
    """Its result, even when the task is cancelled again and again meanwhile: Ctrl+C twice must not leave a mess."""
    current = asyncio.current_task()
    task = asyncio.ensure_future(work)
    while True:
        while current is not None and current.cancelling():
            current.uncancel()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
