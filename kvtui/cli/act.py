"""The commands that act: show the plan, ask, apply, verify, journal."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from kvtui.actions.backends import backend_for
from kvtui.actions.core.election_context import still_to_hear
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.plan_text import plan_text
from kvtui.actions.core.runner import ExitCode, Outcome, Runner, guarded
from kvtui.actions.priority.overwritten import found_overwrites
from kvtui.actions.registry import plan
from kvtui.cli.journal_text import journal_document, journal_text, plan_document
from kvtui.cli.output import Format, encode, fail, narrate, write
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.runner import Action
    from kvtui.cli.invocation import Invocation
    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

LISTEN = 1.2
"""Seconds to listen for adverts before a plan is made: peers are known from the wire."""


def act(invocation: Invocation, intent: Intent, *, force: bool = False) -> int:
    """Plans, shows, asks and applies.

    Args:
        invocation: global options: ``--dry-run``, ``--yes``, ``--reason``, ``--read-only``.
        intent: what is wanted.
        force: accept what is unsafe.

    Returns:
        The exit code (design.md: 0 done, 1 failed, 2 usage, 3 refused, 4 not verified, 130 interrupted).
    """
    try:
        outcome = asyncio.run(_act(invocation, intent, force=force))
    except (LookupError, ValueError) as wrong:
        return int(fail(str(wrong.args[0] if wrong.args else wrong), ExitCode.USAGE))
    except OSError as error:
        return int(fail(str(error), ExitCode.REFUSED))
    narrate(f"{outcome.detail}{f'  (journal: {outcome.id})' if outcome.id else ''}")
    return outcome.code


async def _act(invocation: Invocation, intent: Intent, *, force: bool) -> Outcome:
    observer = invocation.observer()
    backend = backend_for(observer.source)
    try:
        observation = await _listened(observer, intent)
        action = await plan(intent, observation, observer.observe, backend)
        _show(invocation, action)
        return await _decide(invocation, backend, action, force=force)
    finally:
        await observer.close()


async def _listened(observer: Observer, intent: Intent) -> Observation:
    """Observes the node; where the plan predicts an election, long enough to hear the master."""
    observation = await observer.observe(patience=LISTEN)
    if intent.kind not in {ActionKind.PRIORITY, ActionKind.FAILOVER}:
        return observation
    if not (longer := still_to_hear(observation, intent.target)):
        return observation
    narrate(f"no advert of {plain(intent.target)} was heard yet: listening for up to {longer:g} s")
    return await observer.observe(patience=longer)


def _show(invocation: Invocation, action: Action) -> None:
    if invocation.form is Format.TEXT:
        write(plan_text(action.plan))
    else:
        write(encode(plan_document(action.plan), invocation.form))


async def _decide(invocation: Invocation, backend: ActionBackend, action: Action, *, force: bool) -> Outcome:
    """Asks and applies. The caller keeps the observer open: the verification uses it."""
    refusal = action.plan.refusal(force=force)
    if refusal or invocation.read_only:
        return Outcome(ExitCode.REFUSED, f"refused: {refusal or '--read-only forbids every write'}")
    if invocation.dry_run:
        return Outcome(
            ExitCode.DONE,
            "dry run: nothing was written; keepalived was not asked for its state, so that it may be missing",
        )
    # what changes nothing is not asked about, yet carried out: a drain may be waited for, or its entry closed
    changes = action.steps or action.undoes or action.finishes
    if changes and not invocation.yes and not await asyncio.to_thread(agreed):
        return Outcome(ExitCode.REFUSED, "not confirmed: nothing was written")
    runner = Runner(backend.journal, read_only=invocation.read_only, progress=narrate)
    return await guarded(runner, action, force=force, reason=invocation.reason)


def agreed() -> bool:
    """Asks on the terminal; without one the answer is no (use --yes in scripts)."""
    if not sys.stdin.isatty():
        narrate("no terminal to ask on: use --yes")
        return False
    sys.stderr.write("Apply? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


def show_journal(invocation: Invocation, form: Format) -> int:
    """Prints the journal, then what was interrupted or overwritten, with what can be done."""
    if invocation.demo:
        narrate("the demo's journal ends with the kvtui that wrote it; in the terminal UI see screen 7")
    try:
        backend = backend_for(invocation.source())
        journal = backend.journal
        entries = journal.entries()
        unfinished = journal.unfinished()
    except OSError as error:
        return int(fail(f"the journal cannot be read: {error}", ExitCode.FAILED))
    lost = () if invocation.demo else found_overwrites(entries, time.time(), backend)
    if form is Format.TEXT:
        nowhere = not invocation.demo and not journal.file.exists()
        write(journal_text(entries, journal.folder if nowhere else None))
        for overwrite in lost:
            narrate(plain(overwrite.sentence))
        for entry in unfinished:
            narrate(
                f'{entry.id} "{entry.summary}" was interrupted: kvtui undo {entry.id} puts it back; with --finish it '
                f"is finished, with --leave things stay as they are and the entry is closed"
            )
    else:
        write(encode({"journal": journal_document(entries, lost)}, form))
    return ExitCode.DONE
