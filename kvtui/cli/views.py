"""The commands that show a view as text or JSON, once or repeatedly with ``--watch``.

The cells are those of the screens (``presenters``); a pipe gets them in ASCII and without colour.
"""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.cli.event_loop import watch as watch_observations
from kvtui.cli.look import PLAIN, look_for, table
from kvtui.cli.output import Format, WatchedText, encode, fail, info, is_redrawn, terminal_height, write, write_document
from kvtui.model.ip import canonical_or_same
from kvtui.model.ipvs import endpoint, service_name
from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.units import ago, per_second
from kvtui.presenters import ipvs, vips, vrrp
from kvtui.presenters.cells import Cell, Tone, state_cell
from kvtui.presenters.sources import host_lines

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.cli.look import Look, Row
    from kvtui.model.finding import Finding
    from kvtui.model.ipvs import Stats
    from kvtui.model.observation import Observation, RealServerView, VipView, VirtualServerView

DEFAULT_TOP = 20
FRAME_LINES = 6
"""Lines of ``kvtui top`` around its real servers."""

_NODE = frozenset({SourceName.KEEPALIVED, SourceName.CONF})
_WIRE = _NODE | {SourceName.VRRP, SourceName.ADDRESSES, SourceName.ADVERTS}
VIEW_SOURCES = {"vrrp": _WIRE, "vips": _WIRE | {SourceName.IPVS}, "ipvs": _NODE | {SourceName.IPVS}}
"""The sources of a view; those that are not ok are listed below it. A view that is not here has all sources."""


def show(invocation: Invocation, view: str, *, watch: bool, listen: float | None, only: tuple[str, ...] = ()) -> None:
    """Prints a view; ``listen``: seconds to wait for adverts, None waits for nothing, the API included.

    ``only``: addresses of VIPs; empty for all.
    """
    form, look, wanted = invocation.form, look_for(invocation), tuple(map(canonical_or_same, only))
    if form is Format.NAME and view == "status":
        fail("-o name works with: vrrp, vips, ipvs, mappings")

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
        fail(f"no VIP {', '.join(plain(a, 60) for a in unknown)}; kvtui vips -o name lists the VIPs")
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


def render(seen: Observation, view: str, look: Look = PLAIN) -> str:
    if view == "status":
        parts = [_header(seen, look), *(part(seen, look) for part in (_vips, _vrrp, _ipvs, _sources))]
        return "\n".join(parts).rstrip("\n") + "\n"
    body = {"vrrp": _vrrp, "vips": _vips, "ipvs": _ipvs, "mappings": _mappings}[view](seen, look)
    errors = _sources(seen, look, VIEW_SOURCES.get(view))
    return body + ("\n" + errors if errors else "")


def render_vips(seen: Observation, look: Look) -> str:
    return _vips(seen, look) + (f"\n{_ipvs(seen, look)}" if seen.virtual_servers else "")


TOP_HEAD = ("REAL SERVER", "OF", "CONN/S", "IN B/S", "OUT B/S", "ACTIVE", "WEIGHT", "STATE")


def render_top(seen: Observation, look: Look, count: int) -> str:
    if not seen.virtual_servers:
        return _sentence(ipvs.empty_text(seen), look)
    reals = [(r, v) for v in seen.virtual_servers for r in v.real_servers]
    busiest = nlargest(count, reals, key=lambda pair: _load(pair[0]))
    total = [v.stats for v in seen.virtual_servers if v.stats]
    sums = (sum(s.cps for s in total), sum(s.in_bps for s in total), sum(s.out_bps for s in total))
    cps, in_bps, out_bps = map(per_second, sums)
    active = sum(r.active or 0 for r, _v in reals)
    title = f"{plain(seen.snapshot.node.name)}  {cps} conn/s  in {in_bps} B/s  out {out_bps} B/s  {active} active"
    rows = [_top_row(r, v, look) for r, v in busiest]
    more = f"{len(reals) - count} more real servers\n" if len(reals) > count else ""
    return f"{look.wrap(title)}\n\n" + table(TOP_HEAD, rows, frozenset(range(2, 7)), look=look, optional=(6, 1)) + more


def _load(real: RealServerView) -> tuple[float, float, int]:
    rates = (real.stats.cps, real.stats.in_bps + real.stats.out_bps) if real.stats else (0.0, 0.0)
    return (*rates, real.active or 0)


def _top_row(real: RealServerView, virtual: VirtualServerView, look: Look) -> Row:
    row = _ipvs_row(look.cells(ipvs.real_cells(real, "", look.glyphs)), real.stats, look)
    return (endpoint(*real.key), service_name(virtual.key), row[5], row[6], row[7], row[2], row[1], row[8])


def names(seen: Observation, view: str) -> str:
    """Returns the names of a view's rows, one a line; they may hold text from outside."""
    found = {
        "vips": [v.address for v in seen.vips or ()],
        "vrrp": [i.name for i in seen.vrrp_instances or ()],
        "ipvs": [v.name for v in seen.virtual_servers or ()],
        "mappings": [m.vip for m in seen.mappings or ()],
    }[view]
    return "".join(f"{plain(name)}\n" for name in dict.fromkeys(found))


def _header(seen: Observation, look: Look) -> str:
    snapshot = seen.snapshot
    chosen = snapshot.chosen_keepalived
    if chosen is None:
        what = "no keepalived found"
    else:
        what = f"keepalived {chosen.version or '(version unknown)'}, PID {chosen.pid}"
        what += f", up {ago(snapshot.time - chosen.started)}"
        if len(snapshot.keepalived) > 1:
            others = ", ".join(str(k.pid) for k in snapshot.keepalived if k.pid != chosen.pid)
            what += f"  (also running: PID {others}; choose with --pid)"
    held, contradiction = sum(1 for v in seen.vips or () if v.present), vips.contradiction_text(seen)
    vips_held = (
        f"{held} of {len(seen.vips)} VIPs here" if seen.vips is not None and not contradiction else "VIPs unknown"
    )
    read_only = "  read-only" if snapshot.node.read_only else ""
    host = "".join(f"{line}\n" for line in host_lines(snapshot.host)) if snapshot.host else ""
    why = f"{contradiction}\n" if contradiction else ""
    return look.wrap(f"{plain(snapshot.node.name)}  {what}  {vips_held}{read_only}\n{why}{host}")


def _sources(seen: Observation, look: Look, names: frozenset[SourceName] | None = None) -> str:
    """Returns a table of those sources (None: of all) that are not ok; empty when all are."""
    now = seen.snapshot.time
    rows: list[Row] = []
    for s in seen.snapshot.sources:
        if s.state is not SourceState.OK and (names is None or s.name in names):
            age = s.age(now)
            state = Cell(s.state.value, Tone.WARN if s.state is SourceState.DEGRADED else Tone.BAD)
            rows.append((s.name.value, state, "" if age is None else ago(age), s.detail))
    return table(("SOURCE", "STATE", "AGE", "WHY"), rows, look=look) if rows else ""


def _sentence(text: str, look: Look) -> str:
    return "".join(f"{look.wrap(plain(line))}\n" for line in text.splitlines())


def _vips(seen: Observation, look: Look) -> str:
    if not seen.vips:
        return _sentence(vips.empty_text(seen), look)
    head = ("VIP", "OWNER", "HERE", "STATE", "INSTANCE", "INTERFACE", "REAL UP/ALL")
    return table(head, [_vip_row(seen, v, look) for v in seen.vips], look=look, optional=(5, 4))


def _vip_row(seen: Observation, v: VipView, look: Look) -> Row:
    here = {True: "yes", False: "no", None: "?"}[v.present]
    up_cell = Cell("?") if seen.virtual_servers is None else vips.up_cell(seen.servers_of(v.address), look.glyphs.dash)
    owner, state, up = look.cells((vips.owner_cell(v, look.glyphs), state_cell(v.state), up_cell))
    return (f"{v.address}/{v.prefixlen}", owner, here, state, v.instance, v.interface or "?", up)


VRRP_HEAD = (
    "INSTANCE / PEER", "STATE", "VRID", "PRIO", "MASTER", "HEARD",
    "PREEMPT", "ADVERT", "SINCE", "VER", "INTERFACE", "ERRORS",
)  # fmt: skip


def _vrrp(seen: Observation, look: Look) -> str:
    if not seen.vrrp_instances:
        return _sentence(vrrp.empty_text(seen), look)
    rows: list[Row] = []
    for instance in seen.vrrp_instances:
        rows.append(look.cells(vrrp.instance_cells(seen, instance, look.glyphs.self_mark)))
        rows += [look.cells(vrrp.peer_cells(peer, instance, f"  {look.glyphs.branch}")) for peer in instance.peers]
    return table(VRRP_HEAD, rows, look=look, optional=(9, 10, 7, 6, 2, 11))


IPVS_HEAD = (
    "SERVER", "WEIGHT", "ACTIVE", "INACT", "PERSIST", "CONN/S", "IN B/S", "OUT B/S", "STATE", "METHOD", "POD, NODE",
    "CONNS", "IN", "OUT", "MANAGED BY", "SERVICE / CHECK",
)  # fmt: skip
IPVS_RIGHT = frozenset({*range(1, 8), 11, 12, 13})
IPVS_OPTIONAL = (14, 15, 10, 13, 12, 11, 7, 6, 4, 3)


def _ipvs(seen: Observation, look: Look) -> str:
    if not seen.virtual_servers:
        return _sentence(ipvs.empty_text(seen), look)
    rows: list[Row] = []
    for virtual in seen.virtual_servers:
        cells = ipvs.virtual_cells(virtual, "", look.glyphs, folded=False)
        rows.append(_ipvs_row(look.cells(cells), virtual.stats, look))
        rows += [
            _ipvs_row(look.cells(ipvs.real_cells(r, "", look.glyphs)), r.stats, look) for r in virtual.real_servers
        ]
    return table(IPVS_HEAD, rows, IPVS_RIGHT, look=look, optional=IPVS_OPTIONAL)


def _ipvs_row(cells: Row, stats: Stats | None, look: Look) -> Row:
    """Returns the screen's row without its trend, with bytes in and out apart."""
    dash, opened = look.glyphs.dash, f"{look.glyphs.open} "
    rates = (per_second(stats.in_bps), per_second(stats.out_bps)) if stats else (dash, dash)
    name = cells[0]
    name = name.removeprefix(opened) if isinstance(name, str) else Cell(name.text.removeprefix(opened), name.tone)
    return (name, *cells[1:6], *rates, *cells[7:9], *cells[10:])


def _mappings(seen: Observation, look: Look) -> str:
    from kvtui.presenters import mappings  # noqa: PLC0415 - imports the rules of the chain, as the next
    from kvtui.rules.chain import ChainIndex  # noqa: PLC0415

    if not seen.mappings:
        return _sentence(mappings.empty_text(seen), look)
    if name := mappings.configmap_name(seen):
        origin = f"ConfigMap {name}"
    else:
        why = plain(seen.snapshot.source(SourceName.KUBERNETES).detail) or "kvtui has not asked the API"
        origin = f"From the comments and blocks of keepalived.conf, because the ConfigMap is unknown ({why})"
    index = ChainIndex(seen)
    rows = [look.cells(mappings.mapping_cells(index, m, look.glyphs)) for m in seen.mappings]
    head = ("VIP", "SERVICE", "METHOD", "STATE", "READY", "UP", "CHAIN", "FIRST BREAK, NOTES")
    return f"{look.wrap(origin)}\n{table(head, rows, look=look, optional=(2,))}"
