"""``kvtui triage``: observe for long enough to tell, print what was found, and say it in the exit code."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING

from kvtui.cli.output import Format, encode, fail, heading, info, write
from kvtui.cli.watching import watch as watch_observations
from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.presenters.documents import status
from kvtui.rules.triage.missing_sources import missing_sources

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

NONE, WARNING, CRITICAL, COULD_NOT_TELL = 0, 1, 2, 3
"""Exit codes of ``kvtui triage`` (design.md). Something that is only worth knowing ends with 0."""
EXIT_USAGE = 2

SLOWEST = 4.2
"""Advert intervals to observe, of a second at least: the slowest backup takes over within 3.996 (RFC 5798 6.1)."""
LONGEST = 30.0
"""Seconds that are observed unasked, at most."""


def triage(invocation: Invocation, form: Format, *, watch: bool, listen: float | None) -> int:
    """Print the findings once, or with ``watch`` whenever they change.

    Args:
        invocation: global options.
        form: text, JSON or YAML; watched JSON is one document a line.
        watch: go on until interrupted.
        listen: seconds to observe; None for as long as it takes to tell.

    Returns:
        0 nothing was found, 1 a warning, 2 something critical, 3 nothing, but a source that is needed says nothing.

    Raises:
        SystemExit: 2 when ``--pid`` names no keepalived.
    """
    observer = invocation.observer(triage=True)
    try:
        if watch:
            watch_observations(observer, Changes(form).text)
            return NONE
        seen = asyncio.run(_observed(observer, listen))
    except LookupError as missing:
        return int(fail(str(missing.args[0]), EXIT_USAGE))
    write(_text(seen, form, stream=False))
    _narrate(observer, seen)
    return exit_code(seen)


def exit_code(seen: Observation) -> int:
    """The worst finding's; where there is none, whether that can be believed."""
    severities = {f.severity for f in seen.findings or ()}
    if Severity.CRITICAL in severities:
        return CRITICAL
    if Severity.WARNING in severities:
        return WARNING
    return COULD_NOT_TELL if missing_sources(seen) else NONE


async def _observed(observer: Observer, listen: float | None) -> Observation:
    """The observation after which nothing is undecided that this time can decide."""
    try:
        if listen == 0:  # for the first lists of an API, a bounded time
            await observer.observe(timeout=0.0)
        async with aclosing(observer.observations(force=True)) as observations:
            began: float | None = None
            async for seen in observations:
                began = seen.snapshot.time if began is None else began
                passed = seen.snapshot.time - began
                if listen is not None:
                    done = passed >= listen
                else:
                    undecided = bool(observer.triage and observer.triage.undecided)
                    done = passed >= (2 if undecided else 1) * _long_enough(seen)
                if done:
                    return seen
        raise LookupError("the source ended")  # observations have no end
    finally:
        await observer.close()


def _long_enough(seen: Observation) -> float:
    """Until every master must have been heard."""
    slowest = max((i.advert_interval or 1.0 for i in seen.vrrp_instances or ()), default=1.0)
    return min(LONGEST, SLOWEST * max(1.0, slowest))


class Changes:
    """Renders the first observation, then those with other findings or other missing sources; ages do not count."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._shown: tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]] | None = None

    def text(self, seen: Observation) -> str | None:
        """A document, or None where it would say the same as the last."""
        shown = (tuple((f.id, f.severity.value, f.object) for f in seen.findings or ()), _missing(seen))
        if shown == self._shown:
            return None
        self._shown = shown
        return _text(seen, self._form, stream=True)


def _narrate(observer: Observer, seen: Observation) -> None:
    for source in missing_sources(seen):
        info(f"could not tell all: {source.name.value}: {plain(source.detail)}")
    for finding in observer.triage.undecided if observer.triage else ():
        info(f"may be passing, a longer --listen would tell: {plain(finding.title)}")


def _text(seen: Observation, form: Format, *, stream: bool) -> str:
    if form is Format.TEXT:
        return (heading(seen.snapshot.time) if stream else "") + findings_text(seen)
    return encode(status(seen, "triage"), form, stream=stream)


def _missing(seen: Observation) -> tuple[str, ...]:
    return tuple(source.name.value for source in missing_sources(seen))


def findings_text(seen: Observation) -> str:
    """Every finding with its evidence and remedy, worst first; then how many there are, and what is not known."""
    found = seen.findings or ()
    return "".join([*(f"{finding_text(f)}\n" for f in found), f"{summary(found, _missing(seen))}\n"])


def finding_text(finding: Finding) -> str:
    """One finding in lines: what, how it is known, what to type."""
    lines = [f"{finding.severity.value.upper():<8}  {finding.id}: {plain(finding.title)}"]
    lines += [f"          {plain(e)}" for e in finding.evidence]
    return "\n".join([*lines, f"        > {plain(finding.remedy)}"]) + "\n"


def summary(found: tuple[Finding, ...], missing: tuple[str, ...] = ()) -> str:
    """``1 critical, 2 warnings``; with the sources that are missing: who pipes this does not see stderr."""
    numbers = Counter(f.severity for f in found)
    critical, warnings, infos = (numbers[s] for s in Severity)
    words = [f"{critical} critical"] * bool(critical)
    words += [f"{warnings} warning{'s' if warnings > 1 else ''}"] * bool(warnings)
    words += [f"{infos} worth knowing"] * bool(infos)
    if not missing:
        return ", ".join(words) if words else "Nothing was found."
    return f"{', '.join(words) or 'Nothing was found in what can be read'}; not known: {', '.join(missing)}"
