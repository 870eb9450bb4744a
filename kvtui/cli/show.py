"""The commands that show a view: once, or repeatedly with ``--watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.cli.event_loop import watch as watch_observations
from kvtui.cli.look import look_for
from kvtui.cli.output import EXIT_USAGE, Format, encode, fail, info, is_redrawn, terminal_height, write, write_document
from kvtui.cli.text import names, render, render_top, render_vips
from kvtui.cli.watched_text import WatchedText
from kvtui.model.ip import canonical_or_same
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation

DEFAULT_TOP = 20
FRAME_LINES = 6
"""Lines of ``kvtui top`` that are no real servers."""


def show(invocation: Invocation, view: str, *, watch: bool, listen: float | None, only: tuple[str, ...] = ()) -> None:
    """Prints a view; ``listen``: seconds to wait for adverts, None waits for nothing, the API included.

    ``only``: addresses of VIPs; empty for all.

    Raises:
        SystemExit: 2 when ``--pid`` is not a keepalived, or a VIP is not known.
    """
    form, look, wanted = invocation.form, look_for(invocation), tuple(map(canonical_or_same, only))
    if form is Format.NAME and view == "status":
        fail("-o name works with: vrrp, vips, ipvs, mappings", EXIT_USAGE)

    def text(seen: Observation) -> str:
        if form is Format.NAME:
            return names(seen, view)
        return render_vips(seen, look) if wanted else render(seen, view, look)

    if watch:
        observer = invocation.observer(triage=view == "status")
        if form.is_text:
            watch_observations(observer, WatchedText(lambda seen: text(only_vips(seen, wanted))).text)
            return
        from kvtui.presenters.documents import status  # noqa: PLC0415 - text does not need the chain of every VIP

        watch_observations(observer, lambda seen: encode(status(only_vips(seen, wanted), view), form, stream=True))
        return
    seen = only_vips(invocation.observe(listen), wanted)
    known = {v.address for v in seen.vips or ()}
    if unknown := [address for address in wanted if address not in known]:
        fail(f"no VIP {', '.join(plain(a, 60) for a in unknown)}; kvtui vips -o name lists the VIPs", EXIT_USAGE)
    if findings := _journal_findings(invocation, seen) if view == "status" else ():
        seen = replace(seen, findings=findings)
    if form.is_text:
        write(text(seen))
    else:
        from kvtui.presenters.documents import members  # noqa: PLC0415 - as above

        write_document(members(seen, view), form)
    for finding in findings:
        info(plain(finding.evidence[0]))


def show_top(invocation: Invocation, count: int | None) -> None:
    """Prints the busiest real servers: on a terminal until a signal, as many as fit; in a pipe once."""
    look = look_for(invocation)
    if not invocation.form.is_text:
        show(invocation, "ipvs", watch=False, listen=None)
    elif is_redrawn():
        watched = WatchedText(lambda seen: render_top(seen, look, count or max(1, terminal_height() - FRAME_LINES)))
        watch_observations(invocation.observer(), watched.text)
    else:
        write(render_top(invocation.observe(None), look, count or DEFAULT_TOP))


def only_vips(seen: Observation, wanted: tuple[str, ...]) -> Observation:
    """Returns the observation with these VIPs and their virtual servers only; whole if there are none."""
    if not wanted:
        return seen
    vips = tuple(v for v in seen.vips or () if v.address in wanted)
    servers = tuple(v for v in seen.virtual_servers or () if v.address in wanted)
    return replace(seen, vips=vips, virtual_servers=None if seen.virtual_servers is None else servers)


def _journal_findings(invocation: Invocation, seen: Observation) -> tuple[Finding, ...]:
    """Returns the findings about what kvtui wrote and a controller overwrote: the file alone looks right.

    A single status has no other findings: they need seconds of observation (``kvtui triage``).
    """
    find = invocation.journal_findings()
    ignored = invocation.config.triage.ignore
    return tuple(f for f in find(seen.snapshot) if f.id not in ignored) if find else ()
