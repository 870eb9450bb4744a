"""The commands that show: one observation, or one after another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.cli.output import Format, encode, fail, heading, info, room, write
from kvtui.cli.text import render
from kvtui.cli.watching import watch as watch_observations
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

EXIT_USAGE = 2


def show(invocation: Invocation, view: str, form: Format, *, watch: bool, listen: float | None) -> None:
    """Print a view once, or with ``watch`` until interrupted.

    Args:
        invocation: global options.
        view: ``status``, ``vrrp``, ``vips`` or ``ipvs``.
        form: text, JSON or YAML. Watched JSON is one document a line.
        watch: print again at every change.
        listen: seconds to wait for adverts before a single print; None waits for nothing, the API included.

    Raises:
        SystemExit: 2 when ``--pid`` names no keepalived.
    """
    observer = invocation.observer(triage=watch and view == "status")
    try:
        if watch:
            watch_observations(observer, lambda seen: _text(seen, view, form, stream=True))
        else:
            seen = asyncio.run(_once(observer, listen))
            told = _of_the_journal(invocation, seen) if view == "status" else ()
            write(_text(replace(seen, findings=told) if told else seen, view, form, stream=False))
            for finding in told:
                info(plain(finding.evidence[0]))
    except LookupError as missing:
        fail(str(missing.args[0]), EXIT_USAGE)


async def _once(observer: Observer, listen: float | None) -> Observation:
    try:
        return await observer.observe(timeout=listen)
    finally:
        await observer.close()


def _of_the_journal(invocation: Invocation, seen: Observation) -> tuple[Finding, ...]:
    """What kvtui wrote into a config that a controller has written again since: the file alone looks right.

    All findings of a single status: most others take seconds of observing (``kvtui triage``).
    """
    look = invocation.journal_findings()
    ignored = invocation.config.triage.ignore
    return tuple(f for f in look(seen.snapshot) if f.id not in ignored) if look else ()


def _text(seen: Observation, view: str, form: Format, *, stream: bool) -> str:
    if form is Format.TEXT:
        return (heading(seen.snapshot.time) if stream else "") + render(seen, view, room())
    from kvtui.presenters.documents import status  # noqa: PLC0415 - text does without the chain of every VIP

    return encode(status(seen, view), form, stream=stream)
