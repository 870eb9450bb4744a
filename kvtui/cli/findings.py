"""``kvtui triage``: observes for long enough, prints the findings, and exits with a code for the worst."""

from __future__ import annotations

from contextlib import aclosing
from enum import IntEnum
from typing import TYPE_CHECKING

from kvtui.cli import event_loop
from kvtui.cli.look import PLAIN, look_for
from kvtui.cli.output import encode, info, timed, write
from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.presenters.cells import SEVERITY_TONES
from kvtui.presenters.documents import status
from kvtui.presenters.findings import missing_names, summary
from kvtui.rules.triage.sources import missing_sources

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.cli.look import Look
    from kvtui.cli.output import Format
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

TAKEOVER_INTERVALS = 4.2
"""Advert intervals to observe: the slowest backup takes over within 3.996 (RFC 5798 6.1)."""
MAX_LISTEN_SECONDS = 30.0


class TriageExit(IntEnum):
    """Exit codes; findings of severity info count as none."""

    NONE = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3
    """No warning, but a required source cannot be read."""


def triage(invocation: Invocation, *, watch: bool, listen: float | None) -> TriageExit:
    """Prints the findings; ``listen``: seconds to observe, None for as long as an election takes."""
    observer = invocation.observer(triage=True)
    if watch:
        event_loop.watch(observer, FindingChanges(invocation.form, look_for(invocation)).text)
        return TriageExit.NONE
    seen = event_loop.run(observe(observer, listen))
    write(_text(seen, invocation.form, look_for(invocation), stream=False))
    for source in missing_sources(seen):
        info(f"triage is incomplete: {source.name.value}: {plain(source.detail)}")
    for finding in observer.triage.undecided if observer.triage else ():
        info(f"possibly transient (use a longer --listen to find out): {plain(finding.title)}")
    return exit_code(seen)


def exit_code(seen: Observation) -> TriageExit:
    severities = {f.severity for f in seen.findings or ()}
    if Severity.CRITICAL in severities:
        return TriageExit.CRITICAL
    if Severity.WARNING in severities:
        return TriageExit.WARNING
    return TriageExit.UNKNOWN if missing_sources(seen) else TriageExit.NONE


async def observe(observer: Observer, listen: float | None) -> Observation:
    """Returns the first observation after ``listen`` seconds, or after which no finding is undecided."""
    try:
        if listen == 0:  # for the first lists of an API, a bounded time
            await observer.observe(timeout=0.0)
        async with aclosing(observer.observations(force=True)) as observations:
            start: float | None = None
            async for seen in observations:
                start = seen.snapshot.time if start is None else start
                undecided = bool(observer.triage and observer.triage.undecided)
                wanted = (2 if undecided else 1) * _takeover_seconds(seen) if listen is None else listen
                if seen.snapshot.time - start >= wanted:
                    return seen
        raise AssertionError("the source ended")  # unreachable: observations do not end
    finally:
        await observer.close()


def _takeover_seconds(seen: Observation) -> float:
    slowest = max((i.advert_interval or 1.0 for i in seen.vrrp_instances or ()), default=1.0)
    return min(MAX_LISTEN_SECONDS, TAKEOVER_INTERVALS * max(1.0, slowest))


class FindingChanges:
    """Renders observations whose findings or missing sources differ from the last one's; ages do not count."""

    def __init__(self, form: Format, look: Look = PLAIN) -> None:
        self._form = form
        self._look = look
        self._last: tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]] | None = None

    def text(self, seen: Observation) -> str | None:
        now = (tuple((f.id, f.severity.value, f.object) for f in seen.findings or ()), missing_names(seen))
        if now == self._last:
            return None
        self._last = now
        return _text(seen, self._form, self._look, stream=True)


def _text(seen: Observation, form: Format, look: Look, *, stream: bool) -> str:
    if form.is_text:
        text = findings_text(seen, look)
        return timed(seen.snapshot.time, text) if stream else text
    return encode(status(seen, "triage"), form, stream=stream)


def findings_text(seen: Observation, look: Look = PLAIN) -> str:
    findings = seen.findings or ()
    return "".join([*(f"{finding_text(f, look)}\n" for f in findings), f"{summary(findings, missing_names(seen))}\n"])


def finding_text(finding: Finding, look: Look = PLAIN) -> str:
    """Returns a finding; its remedy is one line, however long, so that it can be copied."""
    severity = f"{finding.severity.value.upper():<8}"
    title = look.wrap(f"{severity}  {finding.id}: {plain(finding.title)}")
    lines = [look.paint(severity, SEVERITY_TONES[finding.severity]) + title.removeprefix(severity)]
    lines += [look.wrap(f"          {plain(e)}") for e in finding.evidence]
    return "\n".join([*lines, f"        > {plain(finding.remedy)}"]) + "\n"
