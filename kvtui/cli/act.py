"""The commands that act: the plan is shown, agreed to, carried out, verified and written down."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kvtui.actions.contenders import still_to_hear
from kvtui.actions.intent import Intent, plan
from kvtui.actions.overwritten import found_overwrites
from kvtui.actions.plan import Verb
from kvtui.actions.plan_text import plan_text
from kvtui.actions.runner import Code, Outcome, Runner, guarded
from kvtui.actions.site import site_of
from kvtui.cli.journal_text import journal_document, journal_text, plan_document
from kvtui.cli.output import (
    EXIT_TIMEOUT,
    Format,
    encode,
    fail,
    info,
    is_read,
    wait_for_readers,
    write,
    write_soon,
)
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.actions.runner import Action
    from kvtui.actions.site import Site
    from kvtui.cli.invocation import Invocation
    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

LISTEN = 1.2
"""Seconds to listen for adverts before a plan is made: peers are known from the wire."""
READ_INTERVAL = 0.05
"""Seconds between looks whether the plan was read."""
MAX_ANSWER_BYTES = 1000


class _Ending:
    """How an action ended, and whether a signal came: also one that came too late to interrupt it."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.is_signalled = False

    def take_signal(self) -> None:
        """Remember it: what is left to read is not waited for."""
        self.is_signalled = True


def act(invocation: Invocation, intent: Intent, *, force: bool = False) -> int:
    """Plan, show, ask, do.

    Args:
        invocation: global options: ``--dry-run``, ``--yes``, ``--reason``, ``--read-only``.
        intent: what is wanted.
        force: accept what is unsafe.

    Returns:
        The exit code (design.md: 0 done, 1 failed, 2 usage, 3 refused, 4 not verified, 130 interrupted).
    """
    ending = _Ending()
    try:
        outcome = asyncio.run(_act(invocation, intent, ending, force=force))
    except KeyboardInterrupt:
        if ending.outcome is None:
            raise
        outcome = ending.outcome
        ending.is_signalled = True
    except (LookupError, ValueError) as wrong:
        return int(fail(str(wrong.args[0] if wrong.args else wrong), Code.USAGE))
    except OSError as error:
        return int(fail(str(error), Code.REFUSED))
    info(f"{outcome.detail}{f'  (journal: {outcome.id})' if outcome.id else ''}")
    with suppress(KeyboardInterrupt, OSError):  # what was done is done: the exit code tells it, whoever reads
        wait_for_readers(EXIT_TIMEOUT if ending.is_signalled else None)
    return outcome.code


async def _act(invocation: Invocation, intent: Intent, ending: _Ending, *, force: bool) -> Outcome:
    observer = invocation.observer()
    site = site_of(observer.source)
    try:
        observation = await _listened(observer, intent)
        action = await plan(intent, observation, observer.observe, site)
        _show(invocation, action)
        return await _decide(invocation, site, action, ending, force=force)
    finally:
        await observer.close()


async def _listened(observer: Observer, intent: Intent) -> Observation:
    """The node, after its master had time to be heard where the plan foretells an election."""
    observation = await observer.observe(timeout=LISTEN)
    if intent.verb not in {Verb.PRIORITY, Verb.FAILOVER}:
        return observation
    if not (longer := still_to_hear(observation, intent.target)):
        return observation
    info(f"no advert of {plain(intent.target)} was heard yet: listening for up to {longer:g} s")
    return await observer.observe(timeout=longer)


def _show(invocation: Invocation, action: Action) -> None:
    if invocation.form is Format.TEXT:
        write_soon(plan_text(action.plan))
    else:
        write_soon(encode(plan_document(action.plan), invocation.form))


async def _decide(invocation: Invocation, site: Site, action: Action, ending: _Ending, *, force: bool) -> Outcome:
    """The observer is held open by the caller meanwhile: the verification looks through it."""
    refusal = action.plan.refusal(force=force)
    if refusal or invocation.read_only:
        return Outcome(Code.REFUSED, f"refused: {refusal or '--read-only forbids every write'}")
    if invocation.dry_run:
        return Outcome(
            Code.DONE, "dry run: nothing was written, and keepalived was not asked, so its own view may be missing"
        )
    # what changes nothing is not asked about, yet carried out: a drain may be waited for, or its entry closed
    changes = action.steps or action.undoes or action.finishes
    if changes and not invocation.yes and not await agreed():
        return Outcome(Code.REFUSED, "not agreed to: nothing was written")
    runner = Runner(site.journal, read_only=invocation.read_only, progress=info)
    ending.outcome = await guarded(runner, action, force=force, reason=invocation.reason, on_signal=ending.take_signal)
    return ending.outcome


async def agreed() -> bool:
    """Ask on the terminal, once the plan was read; without a terminal the answer is no (use --yes in scripts).

    Ctrl+C ends it: no thread waits for the answer.
    """
    if not sys.stdin.isatty():
        info("no terminal to ask on: --yes agrees beforehand")
        return False
    while not is_read():  # noqa: ASYNC110 - a thread tells it, and one that waits would hold up the exit
        await asyncio.sleep(READ_INTERVAL)
    sys.stderr.write("Do it? [y/N] ")
    sys.stderr.flush()
    return (await _answer(sys.stdin.fileno())).strip().casefold() in {"y", "yes"}


async def _answer(fd: int) -> str:
    """A line that is typed on a terminal; empty at the end of file."""
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


def show_journal(invocation: Invocation, form: Format) -> int:
    """Print the journal; what was cut short, or overwritten since, is named after it, with what can be done."""
    if invocation.demo:
        info("the demo's journal ends with the kvtui that wrote it; in the terminal UI it is on screen 7")
    try:
        journal = site_of(invocation.source()).journal
        entries = journal.entries()
        unfinished = journal.unfinished()
    except OSError as error:
        return int(fail(f"the journal cannot be read: {error}", Code.FAILED))
    lost = () if invocation.demo else found_overwrites(entries, time.time())
    if form is Format.TEXT:
        nowhere = not invocation.demo and not journal.file.exists()
        write(journal_text(entries, journal.folder if nowhere else None))
        for overwrite in lost:
            info(plain(overwrite.sentence))
        for entry in unfinished:
            info(
                f"{entry.id} «{entry.summary}» was cut short: kvtui undo {entry.id} puts it back, "
                f"--finish finishes it, --leave leaves things as they are and closes the entry"
            )
    else:
        write(encode({"journal": journal_document(entries, lost)}, form))
    return Code.DONE
