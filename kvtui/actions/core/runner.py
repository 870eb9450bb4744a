"""Runs a plan that was agreed to: journals and verifies it, puts it back when it fails or is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.actions.core.journal import Entry, Journal, JournalError, JournalLockedError, new_id, operator
from kvtui.actions.core.step import Step, StepError, StepState, StepStatus, settled, step_json
from kvtui.backend.diagnostics import crash_report
from kvtui.backend.linux.procfs import start_ticks

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine, Sequence

    from kvtui.actions.core.held_vips import HeldVips
    from kvtui.actions.core.plan import Plan
    from kvtui.backend.remote.hold import Hold
    from kvtui.model.prediction import Prediction

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
MAX_CLOSED = 10  # a chain of interrupted repairs is shorter; a damaged journal may have a loop
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends kvtui politely: Ctrl+C, kill, a terminal or ``kubectl exec`` that went away."""


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNVERIFIED = 4
    INTERRUPTED = 130


class Verification(Struct, frozen=True):
    """The evidence after the last step.

    Attributes:
        ok: True: as planned. False: it failed, so it is put back. None: not seen in time.
        facts: for the journal: states before and after, predictions and what happened.
        as_predicted: whether it came as the plan predicts; None if that predicts nothing.
        observed: what came, with the fields of the prediction.
        resolution: overrides that of the action.
        seconds: from the change until what was predicted had come; 0 where that was not watched.
    """

    ok: bool | None
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    as_predicted: bool | None = None
    observed: tuple[Prediction, ...] = ()
    resolution: str = ""
    seconds: float = 0.0


Verify = Callable[[Callable[[str], None]], Awaitable[Verification]]


class Action(Struct, frozen=True):
    """A plan, its steps and its verification.

    Attributes:
        pauses: seconds to wait after each step, for an action that goes slowly on purpose (``drain --over``).
        resolution: the result that the other action gets in the journal after this one: ``undone``, ``put back``,
            ``left``, ``done``; empty chooses by ``undoes`` and ``finishes``.
        asks: the operator must agree although there are no steps: the verification runs something.
        vips: the VIPs on this node, which must be the same again when the action was put back.
    """

    plan: Plan
    steps: tuple[Step, ...]
    verify: Verify
    pauses: tuple[float, ...] = ()
    undoes: str | None = None
    finishes: str | None = None
    resolution: str = ""
    asks: bool = False
    vips: HeldVips | None = None


class Outcome(Struct, frozen=True):
    """How it ended: exit code, a sentence, the journal's id (empty when nothing was begun) and the evidence."""

    code: ExitCode
    detail: str
    id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    as_predicted: bool | None = None
    observed: tuple[Prediction, ...] = ()


class Runner(Struct):
    """Runs actions, one at a time on a node. ``hold`` is there where another kvtui coordinates several nodes."""

    journal: Journal
    read_only: bool = False
    progress: Callable[[str], None] | None = None
    hold: Hold | None = None

    async def run(self, action: Action, *, force: bool = False, reason: str = "") -> Outcome:
        """Runs an action. One without steps changes nothing: it is verified and journaled like any other.

        An interrupted action (the task was cancelled) is put back, and the outcome says so.
        """
        if self.read_only:
            return Outcome(ExitCode.REFUSED, "refused: --read-only forbids every write")
        if refusal := action.plan.refusal(force=force):
            return Outcome(ExitCode.REFUSED, f"refused: {refusal}")
        try:
            with self.journal.locked(action.plan.summary):
                if blocker := self._blocker(action):
                    return Outcome(ExitCode.REFUSED, blocker)
                entry = _entry(action, reason, taken={e.id for e in self.journal.entries()})
                self.journal.begin(entry)
                return await self._run_begun(action, entry)
        except (JournalLockedError, JournalError) as why:
            return Outcome(ExitCode.REFUSED, str(why))

    def _blocker(self, action: Action) -> str | None:
        """Returns a refusal while another action is interrupted: the plan may rest on what that left."""
        mine = action.undoes or action.finishes
        about = {mine}
        if mine and (repair := self.journal.entry(mine)):
            about.add(repair.other)  # an interrupted repair comes before what it was to repair
        left = [e for e in self.journal.unfinished() if e.id not in about]
        if not left:
            return None
        first = left[-1]  # newest first: it may be a repair of an older one
        return (
            f'an earlier action was interrupted: {first.id} "{first.summary}". First put it back '
            f"(kvtui undo {first.id}), finish it (kvtui undo {first.id} --finish), or leave things as they are "
            f"(kvtui undo {first.id} --leave)"
        )

    async def _run_begun(self, action: Action, entry: Entry) -> Outcome:
        done: list[Step] = []
        put_back = partial(self._put_back, action, entry, done)
        crash_report.action_begins()
        _LOG.info("action %s begins: %s, %d steps", entry.id, action.plan.summary, len(action.steps))
        try:
            verified = await self._done_and_held(action, entry, done)
        except (StepError, JournalError) as why:
            return await put_back(ExitCode.FAILED, f"failed: {why}")
        except (asyncio.CancelledError, KeyboardInterrupt):
            interrupted = (self.hold.lost if self.hold else "") or "interrupted"
            return await put_back(ExitCode.INTERRUPTED, interrupted)
        except BaseException as fault:  # a bug in kvtui: nothing stays half-done, and the bug is not hidden
            await put_back(ExitCode.FAILED, f"kvtui crashed ({type(fault).__name__}); this is a bug")
            raise
        if verified.ok is False:
            return await put_back(ExitCode.FAILED, f"failed: {verified.detail}", verified.facts)
        code, result = (ExitCode.DONE, "done") if verified.ok else (ExitCode.UNVERIFIED, "unverified")
        closes = self._closes(replace(entry, resolution=verified.resolution or entry.resolution))
        outcome = Outcome(code, verified.detail, entry.id, verified.facts, verified.as_predicted, verified.observed)
        return self._end(outcome, result, closes)

    async def _done_and_held(self, action: Action, entry: Entry, done: list[Step]) -> Verification:
        """Does it and verifies it; where several nodes do it, what is not verified on one is done on none."""
        task, hold = asyncio.current_task(), self.hold
        if hold is not None and task is not None:
            hold.begin(task.cancel)
        await self._do(action, entry, done)
        verified = await action.verify(self._say)
        if hold is None:
            return verified
        if hold.lost:  # a verification that only watches ends at the interruption, and does not raise
            raise asyncio.CancelledError
        if verified.ok is None:
            return replace(verified, ok=False)
        if verified.ok:
            await hold.committed()
        return verified

    async def _do(self, action: Action, entry: Entry, done: list[Step]) -> None:
        for index, step in enumerate(action.steps):
            state = await asyncio.to_thread(step.state)
            if state is StepState.CONFLICT:
                raise StepError(f"the node changed since the plan was made: {step.describe()}: check it and try again")
            if text := step.describe():
                self._say(text)
            _LOG.debug("step %d of %s: %s (now: %s)", index, entry.id, text, state.name)
            if state is StepState.PENDING:
                done.append(step)  # first: a step that was interrupted is checked when putting back
                await run_shielded(asyncio.to_thread(step.do))
            self.journal.step_done(entry.id, index)
            if index < len(action.pauses) and action.pauses[index] > 0:
                await asyncio.sleep(action.pauses[index])

    async def _put_back(
        self,
        action: Action,
        entry: Entry,
        done: list[Step],
        code: ExitCode,
        why: str,
        facts: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Undoes what was done, to the end, however often the task is cancelled; verifies that all is as before."""
        error, vips = await run_uncancellable(self._undo(done, action.vips))
        if not done:
            detail = f"{why}; nothing had been changed"
        elif error:
            detail = f"{why}; NOT put back: {'; '.join([*error, vips] if vips else error)}"
        elif vips:
            detail = f"{why}; kvtui restored its changes, but {vips}"
        else:
            detail = f"{why}; everything was put back"
        return self._end(Outcome(code, detail, entry.id, facts or {}), "failed" if error or vips else "put back")

    async def _undo(self, done: list[Step], vips: HeldVips | None) -> tuple[list[str], str]:
        """Returns which steps are not undone, and which VIPs are not as before."""
        error: list[str] = []
        undone: list[Step] = []
        for step in reversed(done):
            try:
                state = await asyncio.to_thread(step.state)
                if state is StepState.CONFLICT:
                    error.append(f"{step.describe()}: something else changed it since; kvtui did not restore it")
                elif state is StepState.APPLIED:
                    if text := step.describe_undo():
                        self._say(f"putting back: {text}")
                    await asyncio.to_thread(step.undo)
                    undone.insert(0, step)
            except StepError as failed:
                error.append(str(failed))
        error += await self._not_undone(undone)
        return error, await vips.difference(self._say) if vips is not None and done else ""

    async def _not_undone(self, undone: Sequence[Step]) -> list[str]:
        """Looks again at what was undone."""
        found = [await asyncio.to_thread(StepStatus.of, step) for step in undone]
        wrong = [s for s in settled(list(map(step_json, undone)), found) if s.state is not StepState.PENDING]
        return [s.error or f"{s.text or 'what keepalived runs'}: it is not as before" for s in wrong]

    def _closes(self, entry: Entry) -> list[tuple[str, str]]:
        """Returns the other actions that end with this one: finishing an undo also ends what that undid."""
        closes: list[tuple[str, str]] = []
        current: Entry | None = entry
        while current is not None and current.other and len(closes) < MAX_CLOSED:
            closes.append((current.other, current.resolution))
            current = self.journal.entry(current.other) if current.finishes and current.resolution == "done" else None
        return closes

    def _end(self, outcome: Outcome, result: str, closes: Sequence[tuple[str, str]] = ()) -> Outcome:
        """Journals the end. Where that fails, the outcome says so, and the next start asks what to do."""
        _LOG.info("action %s ends: %s, %s", outcome.id, result, outcome.detail)
        try:
            self.journal.end(outcome.id, result, outcome.detail, outcome.facts, closes)
        except JournalError as why:
            return replace(outcome, detail=f"{outcome.detail} (this result is not in the journal: {why})")
        return outcome

    def _say(self, text: str) -> None:
        if self.progress is not None:
            try:
                self.progress(text)
            except OSError:
                self.progress = None


async def guarded(
    runner: Runner,
    action: Action,
    *,
    force: bool = False,
    reason: str = "",
    on_signal: Callable[[], None] | None = None,
) -> Outcome:
    """Runs an action from the command line.

    Ctrl+C, SIGTERM and the SIGHUP of a terminal that went away cancel it: it is put back, and the code is 130.
    ``on_signal`` is called for each signal, also for one that comes too late to interrupt anything.
    """
    loop = asyncio.get_running_loop()

    def interrupt(_number: int, _frame: object) -> None:
        if on_signal is not None:
            on_signal()
        loop.call_soon_threadsafe(task.cancel)

    task = asyncio.ensure_future(runner.run(action, force=force, reason=reason))
    # not by the loop, which drops a signal that comes while it still has a handler and is read when that is removed
    before = {n: signal.signal(n, interrupt) for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN}  # by nohup
    try:
        return await task
    except asyncio.CancelledError:  # before anything had begun
        return Outcome(ExitCode.INTERRUPTED, "interrupted; nothing had been changed")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _entry(action: Action, reason: str, taken: Container[str]) -> Entry:
    now, pid = time.time(), os.getpid()
    return Entry(
        id=new_id(now, taken),
        at=now,
        verb=action.plan.kind.value,
        target=action.plan.target,
        who=operator(),
        reason=reason,
        summary=action.plan.summary,
        steps=tuple(map(step_json, action.steps)),
        process=(pid, start_ticks(pid)),
        undoes=action.undoes,
        finishes=action.finishes,
        resolution=action.resolution or ("undone" if action.undoes else "done" if action.finishes else ""),
        vips=action.vips.to_json() if action.vips is not None and action.steps else None,
    )


async def run_shielded(work: Awaitable[None]) -> None:
    """Completes a step that was begun, even when the task is cancelled; then the cancellation goes on."""
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


async def run_uncancellable(work: Coroutine[Any, Any, T]) -> T:
    """Returns its result, however often the task is cancelled: Ctrl+C twice must not leave a mess."""
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
