"""The views as plain text: for a pipe, a file, or a terminal that cannot show the terminal UI.

The cells are those of the screens (``presenters``), drawn in ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.cli.tables import table
from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.units import ago, per_second
from kvtui.presenters import ipvs, vips, vrrp
from kvtui.presenters.cells import state_cell
from kvtui.presenters.glyphs import ASCII
from kvtui.presenters.host import host_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.cli.tables import Row
    from kvtui.model.ipvs import Stats
    from kvtui.model.observation import Observation, VipView
    from kvtui.presenters.cells import Cell

_NODE = frozenset({SourceName.KEEPALIVED, SourceName.CONF})
_WIRE = _NODE | {SourceName.VRRP, SourceName.ADDRESSES, SourceName.ADVERTS}
VIEW_SOURCES = {"vrrp": _WIRE, "vips": _WIRE | {SourceName.IPVS}, "ipvs": _NODE | {SourceName.IPVS}}
"""The sources of a view; those that are not ok are listed below it. A view that is not here has all sources."""


def render(seen: Observation, view: str, width: int | None = None) -> str:
    """Returns a view, by its command's name; ``width``: columns of the terminal, None for every column of a table."""
    if view == "status":
        parts = [_header(seen), _vips(seen, width), _vrrp(seen, width), _ipvs(seen, width), _sources(seen)]
        return "\n".join(parts).rstrip("\n") + "\n"
    body = {"vrrp": _vrrp, "vips": _vips, "ipvs": _ipvs, "mappings": _mappings}[view](seen, width)
    errors = _sources(seen, VIEW_SOURCES.get(view))
    return body + ("\n" + errors if errors else "")


def _header(seen: Observation) -> str:
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
    return f"{plain(snapshot.node.name)}  {what}  {vips_held}{read_only}\n{why}{host}"


def _sources(seen: Observation, names: frozenset[SourceName] | None = None) -> str:
    """Returns a table of those sources (None: of all) that are not ok; empty when all are."""
    now = seen.snapshot.time
    rows: list[Row] = []
    for s in seen.snapshot.sources:
        if s.state is not SourceState.OK and (names is None or s.name in names):
            age = s.age(now)
            rows.append((s.name.value, s.state.value, "" if age is None else ago(age), s.detail))
    return table(("SOURCE", "STATE", "AGE", "WHY"), rows) if rows else ""


def _sentence(text: str) -> str:
    return "".join(f"{plain(line)}\n" for line in text.splitlines())


def _texts(cells: Iterable[Cell]) -> Row:
    return tuple(cell.text for cell in cells)


def _vips(seen: Observation, width: int | None) -> str:
    if not seen.vips:
        return _sentence(vips.empty_text(seen))
    head = ("VIP", "OWNER", "HERE", "STATE", "INSTANCE", "INTERFACE", "REAL UP/ALL")
    return table(head, [_vip_row(seen, v) for v in seen.vips], max_width=width, optional=(5, 4))


def _vip_row(seen: Observation, v: VipView) -> Row:
    here = {True: "yes", False: "no", None: "?"}[v.present]
    up = "?" if seen.virtual_servers is None else vips.up_cell(seen, v, ASCII.dash).text
    owner, state = vips.owner_cell(v, ASCII).text, state_cell(v.state).text
    return (f"{v.address}/{v.prefixlen}", owner, here, state, v.instance, v.interface or "?", up)


VRRP_HEAD = (
    "INSTANCE / PEER", "STATE", "VRID", "PRIO", "MASTER", "HEARD",
    "PREEMPT", "ADVERT", "SINCE", "VER", "INTERFACE", "ERRORS",
)  # fmt: skip


def _vrrp(seen: Observation, width: int | None) -> str:
    if not seen.vrrp_instances:
        return _sentence(vrrp.empty_text(seen))
    rows: list[Row] = []
    for instance in seen.vrrp_instances:
        rows.append(_texts(vrrp.instance_cells(seen, instance, ASCII.self_mark)))
        rows += [_texts(vrrp.peer_cells(peer, instance, f"  {ASCII.branch}")) for peer in instance.peers]
    return table(VRRP_HEAD, rows, max_width=width, optional=(9, 10, 7, 6, 2, 11))


IPVS_HEAD = (
    "SERVER", "WEIGHT", "ACTIVE", "INACT", "PERSIST", "CONN/S", "IN B/S", "OUT B/S", "STATE", "METHOD", "POD, NODE",
    "CONNS", "IN", "OUT", "MANAGED BY", "SERVICE / CHECK",
)  # fmt: skip
IPVS_RIGHT = frozenset({*range(1, 8), 11, 12, 13})
IPVS_OPTIONAL = (14, 15, 10, 13, 12, 11, 7, 6, 4, 3)


def _ipvs(seen: Observation, width: int | None) -> str:
    if not seen.virtual_servers:
        return _sentence(ipvs.empty_text(seen))
    rows: list[Row] = []
    for virtual in seen.virtual_servers:
        cells = ipvs.virtual_cells(virtual, "", ASCII, folded=False)
        rows.append(_ipvs_row(_texts(cells), virtual.stats))
        rows += [_ipvs_row(_texts(ipvs.real_cells(r, "", ASCII)), r.stats) for r in virtual.real_servers]
    return table(IPVS_HEAD, rows, IPVS_RIGHT, max_width=width, optional=IPVS_OPTIONAL)


def _ipvs_row(cells: Row, stats: Stats | None) -> Row:
    """Returns the screen's row without its trend, with bytes in and out apart."""
    rates = (per_second(stats.in_bps), per_second(stats.out_bps)) if stats else (ASCII.dash, ASCII.dash)
    name = cells[0].removeprefix(f"{ASCII.open} ")
    return (name, *cells[1:6], *rates, *cells[7:9], *cells[10:])


def _mappings(seen: Observation, width: int | None) -> str:
    from kvtui.presenters import mappings  # noqa: PLC0415 - imports the rules of the chain, as the next
    from kvtui.rules.chain import ChainIndex  # noqa: PLC0415

    del width  # the notes are as long as they are
    if not seen.mappings:
        return _sentence(mappings.empty_text(seen))
    if name := mappings.configmap_name(seen):
        origin = f"ConfigMap {name}"
    else:
        why = plain(seen.snapshot.source(SourceName.KUBERNETES).detail) or "kvtui has not asked the API"
        origin = f"From the comments and blocks of keepalived.conf, because the ConfigMap is unknown ({why})"
    index = ChainIndex(seen)
    rows = [_texts(mappings.mapping_cells(index, m, ASCII)) for m in seen.mappings]
    head = ("VIP", "SERVICE", "METHOD", "STATE", "READY", "UP", "CHAIN", "FIRST BREAK, NOTES")
    return f"{origin}\n{table(head, rows)}"
