"""The commands that show a view: once, or repeatedly with ``--watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.cli.output import Format, encode, info, terminal_width, watch_heading, write, write_document
from kvtui.cli.text import render
from kvtui.cli.watching import watch as watch_observations
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation


def show(invocation: Invocation, view: str, form: Format, *, watch: bool, listen: float | None) -> None:
    """Prints a view; ``listen``: seconds to wait for adverts, None waits for nothing, the API included.

    Raises:
        SystemExit: 2 when ``--pid`` is not a keepalived.
    """
    if watch:
        observer = invocation.observer(triage=view == "status")
        watch_observations(observer, lambda seen: _stream_text(seen, view, form))
        return
    seen = invocation.observe(listen)
    findings = _journal_findings(invocation, seen) if view == "status" else ()
    _print(replace(seen, findings=findings) if findings else seen, view, form)
    for finding in findings:
        info(plain(finding.evidence[0]))


def _journal_findings(invocation: Invocation, seen: Observation) -> tuple[Finding, ...]:
    """Returns the findings about what kvtui wrote and a controller overwrote: the file alone looks right.

    A single status has no other findings: they need seconds of observation (``kvtui triage``).
    """
    find = invocation.journal_findings()
    ignored = invocation.config.triage.ignore
    return tuple(f for f in find(seen.snapshot) if f.id not in ignored) if find else ()


def _print(seen: Observation, view: str, form: Format) -> None:
    if form is Format.TEXT:
        write(render(seen, view, terminal_width()))
        return
    from kvtui.presenters.documents import members  # noqa: PLC0415 - text does not need the chain of every VIP

    write_document(members(seen, view), form)


def _stream_text(seen: Observation, view: str, form: Format) -> str:
    if form is Format.TEXT:
        return watch_heading(seen.snapshot.time) + render(seen, view, terminal_width())
    from kvtui.presenters.documents import status  # noqa: PLC0415 - as above

    return encode(status(seen, view), form, stream=True)
