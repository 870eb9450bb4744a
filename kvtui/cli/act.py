"""The commands that act: show the plan, ask, apply, verify, journal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.backends import backend_for
from kvtui.actions.core.election_context import still_to_hear
from kvtui.actions.core.intent import CannotPlanError
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.plan_text import plan_text
from kvtui.actions.core.runner import ExitCode, Outcome, Runner, guarded
from kvtui.actions.registry import plan
from kvtui.backend.output_writer import OutputError
from kvtui.backend.remote.hold import Hold
from kvtui.cli.output import EXIT_TIMEOUT, encode, info, is_read, wait_for_readers, write_soon
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.settings import names
from kvtui.model.text import plain
from kvtui.presenters.action_document import action_document

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.plan import Plan
    from kvtui.actions.core.runner import Action
    from kvtui.cli.invocation import Invocation
    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

LISTEN = 1.2
"""Seconds to wait for adverts, which tell the peers, before kvtui makes a plan."""
READ_INTERVAL = 0.05
"""Seconds between checks whether the plan has been read."""
MAX_ANSWER_BYTES = 1000


class _Run:
    """What is known of an action when it ends, however it ends."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.outcome: Outcome | None = None
        self.is_signalled = False
        """A signal came, even one that came too late to interrupt the action."""
        self.is_printed = False
        self._handled: list[signal.Signals] = []

    def take_signal(self) -> None:
        self.is_signalled = True

    def end_by_signals(self) -> None:
        """Lets SIGTERM and SIGHUP end planning and asking as Ctrl+C does; the runner has handlers of its own."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - a coroutine runs in one

        def end(*_: object) -> None:
            self.take_signal()
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                self._handled.append(number)

    def leave_signals(self) -> None:
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)


def act(invocation: Invocation, intent: Intent) -> ExitCode:
    """As text the plan goes to stdout. With JSON and YAML stdout gets one document at the end, and stderr the plan."""
    run = _Run()
    try:
        outcome = asyncio.run(_act(invocation, intent, run))
    except (KeyboardInterrupt, asyncio.CancelledError):
        outcome = run.outcome or Outcome(ExitCode.INTERRUPTED, "interrupted; nothing had been changed")
        run.is_signalled = True
    except (CannotPlanError, ValueError, KeepalivedNotFoundError) as error:
        outcome = Outcome(ExitCode.USAGE, str(error.args[0] if error.args else error))
    except OutputError as error:  # of the plan: without an outcome, nothing had begun
        outcome = run.outcome or Outcome(ExitCode.REFUSED, f"{error}; nothing was changed")
    except OSError as error:
        outcome = Outcome(ExitCode.REFUSED, str(error))
    run.leave_signals()
    with suppress(OSError):  # the action has ended, and its exit code counts
        _print_outcome(invocation, run, outcome)
    with suppress(KeyboardInterrupt, OSError):
        wait_for_readers(EXIT_TIMEOUT if run.is_signalled else None)
    return outcome.code


def _print_outcome(invocation: Invocation, run: _Run, outcome: Outcome) -> None:
    if run.is_printed:
        return
    run.is_printed = True
    try:
        _report(outcome)
        if not invocation.form.is_text:
            write_soon(encode(action_document(run.plan, outcome, dry_run=invocation.dry_run), invocation.form))
    except KeyboardInterrupt:
        run.is_signalled = True


def _report(outcome: Outcome) -> None:
    info(f"{outcome.detail}{f'  (journal: {outcome.id})' if outcome.id else ''}")


async def _act(invocation: Invocation, intent: Intent, run: _Run) -> Outcome:
    observer = invocation.observer()
    backend = backend_for(observer.source)
    try:
        run.end_by_signals()
        observation = _with_peers(await _observe(observer, intent), intent.target, invocation.peers)
        action = await plan(intent, observation, observer.observe, backend)
        run.plan = action.plan
        if invocation.form.is_text:
            write_soon(plan_text(action.plan))
        else:
            with suppress(OSError):
                sys.stderr.write(plan_text(action.plan))
        outcome = await _decide(invocation, backend, action, run, force=intent.force)
        if intent.keep and outcome.id and outcome.code in {ExitCode.DONE, ExitCode.UNVERIFIED}:
            _print_outcome(invocation, run, outcome)
            await _keep(invocation, backend, observer, intent)
        return outcome
    finally:
        await observer.close()


async def _keep(invocation: Invocation, backend: ActionBackend, observer: Observer, intent: Intent) -> None:
    """Drains again what something else undoes, until Ctrl+C or until the drain is closed."""
    from kvtui.actions.drain.active_drains import Keeper, ids_to_keep  # noqa: PLC0415 - only with --keep

    info("keeping it drained until Ctrl+C; it stays drained after that")

    async def again(lost: Intent, reason: str) -> Outcome:
        action = await plan(lost, await observer.observe(), observer.observe, backend)
        runner = Runner(backend.journal, read_only=invocation.read_only, progress=info)
        ended = await guarded(runner, action, force=intent.force, reason=reason)
        _report(ended)
        return ended

    await Keeper(backend.journal, again, ids_to_keep(backend.journal, intent)).run(observer.observe)
    info("the drain was closed: nothing is left to keep")


def _with_peers(observation: Observation, instance: str, peers: str) -> Observation:
    if not peers:
        return observation
    priorities = dict(peer.rsplit("=", 1) for peer in names(peers))
    known = {instance: {address: int(priority) for address, priority in priorities.items()}}
    return replace(observation, snapshot=replace(observation.snapshot, reported_peers=known))


async def _observe(observer: Observer, intent: Intent) -> Observation:
    """Observes the node; for a plan that predicts an election, long enough to receive the master's advert."""
    observation = await observer.observe(timeout=LISTEN)
    predicts = intent.kind in {ActionKind.PRIORITY, ActionKind.FAILOVER}
    if predicts and (timeout := still_to_hear(observation, intent.target)):
        info(f"no advert of {plain(intent.target)} received yet: waiting for up to {timeout:g} s")
        return await observer.observe(timeout=timeout)
    return observation


async def _decide(invocation: Invocation, backend: ActionBackend, action: Action, run: _Run, *, force: bool) -> Outcome:
    refusal = action.plan.refusal(force=force)
    if refusal or invocation.read_only:
        return Outcome(ExitCode.REFUSED, f"refused: {refusal or '--read-only forbids every write'}")
    if invocation.dry_run:
        ran = "; ".join(dict.fromkeys(map(plain, backend.ran)))
        programs = f" Run for this plan, with keepalived's rights: {ran}." if ran else ""
        unseen = "kvtui sent keepalived no signal to dump its state, so the plan may be incomplete."
        return Outcome(ExitCode.DONE, f"dry run: nothing was written. {unseen}{programs}")
    # an action without changes needs no question: it can wait for a drain, or close an entry
    changes = action.steps or action.undoes or action.finishes or action.asks
    if changes and not invocation.yes and not await agreed():
        return Outcome(ExitCode.REFUSED, "not confirmed: nothing was written")
    hold = Hold(write_soon) if invocation.hold else None
    planned = action_document(action.plan, Outcome(ExitCode.DONE, "planned"))
    if hold is not None and not await hold.started(encode(planned, invocation.form, stream=True)):
        return Outcome(ExitCode.INTERRUPTED, f"{hold.lost}; nothing had been changed")
    runner = Runner(backend.journal, read_only=invocation.read_only, progress=info, hold=hold)
    run.outcome = await guarded(runner, action, force=force, reason=invocation.reason, on_signal=run.take_signal)
    return run.outcome


async def agreed() -> bool:
    """Asks on the terminal, after the plan has been read. Ctrl+C ends it: no thread waits for the answer."""
    if not sys.stdin.isatty():
        info("there is no terminal to ask on; use --yes")
        return False
    while not is_read():  # noqa: ASYNC110 - a thread that waits for it would delay the exit
        await asyncio.sleep(READ_INTERVAL)
    sys.stderr.write("Apply? [y/N] ")
    sys.stderr.flush()
    return (await _answer(sys.stdin.fileno())).strip().casefold() in {"y", "yes"}


async def _answer(fd: int) -> str:
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        loop.remove_reader(fd)
        try:
            typed.set_result(os.read(fd, MAX_ANSWER_BYTES))
        except OSError:  # EIO: the terminal is gone
            typed.set_result(b"")

    loop.add_reader(fd, read)
    try:
        return (await typed).decode(errors="replace")
    finally:
        loop.remove_reader(fd)
