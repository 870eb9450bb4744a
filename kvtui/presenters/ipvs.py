from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import count, per_second
from kvtui.presenters.cells import Cell, Tone, share_cell

if TYPE_CHECKING:
    from kvtui.model.ipvs import Connection, Stats
    from kvtui.model.observation import Observation, PodView, RealServerView, VirtualServerView
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs

STATE_TONES = {
    RealServerState.UP: Tone.GOOD,
    RealServerState.DRAINED: Tone.WARN,
    RealServerState.FAILED: Tone.BAD,
    RealServerState.REMOVED: Tone.BAD,
}
REDUNDANT_FLAGS = frozenset({"persistent", "hashed"})
"""Flags that add nothing: the row has the persistence timeout, and every service of the kernel's table is hashed."""


def empty_text(observation: Observation) -> str:
    if observation.virtual_servers is None:
        return f"The IPVS table cannot be read: {observation.snapshot.source(SourceName.IPVS).detail or 'not read yet'}"
    return (
        "The IPVS table is empty. keepalived fills it from virtual_server blocks: check that the config has some, "
        "and that their health checks pass. keepalived-vip writes none for a Service without ready endpoints."
    )


def search_text(real: RealServerView) -> str:
    pod = (real.pod.namespace, real.pod.name, real.pod.node or "") if real.pod else ()
    return "\n".join((endpoint(*real.key), real.state.value, *pod)).casefold()


def rate(stats: Stats | None) -> float:
    return stats.cps if stats else 0.0


def virtual_cells(v: VirtualServerView, spark: str, glyphs: Glyphs, *, folded: bool) -> tuple[Cell, ...]:
    return (
        Cell(f"{glyphs.closed if folded else glyphs.open} {_label(v)}", Tone.STRONG),
        Cell(plain(v.scheduler or "?")),
        _sum_cell([r.active for r in v.real_servers], glyphs.dash),
        _sum_cell([r.inactive for r in v.real_servers], glyphs.dash),
        Cell(glyphs.dash if v.persistence_timeout is None else f"{v.persistence_timeout}s"),
        *_rate_cells(v.stats, glyphs.dash),
        _up_cell(v),
        Cell(" ".join(flag for flag in v.flags if flag not in REDUNDANT_FLAGS)),
        Cell(spark, Tone.FOCUS, volatile=True),
        Cell(""),
        *_total_cells(v.stats, glyphs.dash),
        Cell(v.managed_by.value, Tone.NORMAL if v.managed_by is ManagedBy.KEEPALIVED else Tone.WARN),
        Cell(plain(v.service or "")),
    )


def real_cells(r: RealServerView, spark: str, glyphs: Glyphs) -> tuple[Cell, ...]:
    weight = Cell(glyphs.dash if r.weight is None else str(r.weight))
    if r.weight is not None and r.configured_weight not in {None, r.weight}:
        weight = Cell(f"{r.weight}{glyphs.differs}{r.configured_weight}", Tone.WARN)
    return (
        Cell(f"  {glyphs.branch} {plain(endpoint(*r.key))}"),
        weight,
        *(Cell(_count(n, glyphs.dash)) for n in (r.active, r.inactive, r.persistent)),
        *_rate_cells(r.stats, glyphs.dash),
        Cell(r.state.value, STATE_TONES[r.state]),
        Cell(r.method.value if r.method else "?"),
        Cell(spark, Tone.FOCUS, volatile=True),
        _pod_cell(r.pod),
        *_total_cells(r.stats, glyphs.dash),
        Cell(""),
        Cell(plain(r.check or "")),
    )


def _count(value: int | None, dash: str) -> str:
    return dash if value is None else count(value)


def _up_cell(v: VirtualServerView) -> Cell:
    if not v.in_kernel:
        return Cell("not in kernel", Tone.BAD)
    share = share_cell(v.up, len(v.real_servers))
    return Cell(f"{share.text} up", Tone.GOOD if share.tone is Tone.NORMAL else share.tone)


def _sum_cell(values: list[int | None], dash: str) -> Cell:
    known = [value for value in values if value is not None]
    return Cell(count(sum(known)) if known else dash)


def _rate_cells(stats: Stats | None, dash: str) -> tuple[Cell, ...]:
    if stats is None:
        return (Cell(dash),) * 2
    return (Cell(per_second(stats.cps)), Cell(per_second(stats.in_bps + stats.out_bps)))


def _total_cells(stats: Stats | None, dash: str) -> tuple[Cell, ...]:
    if stats is None:
        return (Cell(dash),) * 3
    return (Cell(count(stats.connections)), Cell(count(stats.in_bytes)), Cell(count(stats.out_bytes)))


def _pod_cell(pod: PodView | None) -> Cell:
    if pod is None:
        return Cell("")
    node = f" on {plain(pod.node, 60)}" if pod.node else ""
    unready = "" if pod.ready else " NOT READY"
    return Cell(f"{plain(pod.name, 60)}{node}{unready}", Tone.NORMAL if pod.ready else Tone.WARN)


def server_lines(server: VirtualServerView, glyphs: Glyphs) -> list[Line]:
    facts = (
        plain(server.scheduler or "?"),
        f"persistent {server.persistence_timeout} s" if server.persistence_timeout else "",
        plain(server.service or ""),
    )
    lines: list[Line] = [(Cell(_label(server), Tone.STRONG), Cell("".join(f"  {fact}" for fact in facts if fact)))]
    columns = [(plain(endpoint(*r.key)), r.state.value, _count(r.active, glyphs.dash)) for r in server.real_servers]
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    for r, (name, state, active) in zip(server.real_servers, columns, strict=True):
        weight = glyphs.dash if r.weight is None else str(r.weight)
        rates = f"{per_second(r.stats.cps)}/s" if r.stats else glyphs.dash
        check = f"check {plain(r.check)}  " if r.check and r.state is not RealServerState.UP else ""
        numbers = f"  weight {weight}  active {active:>{widths[2]}}  {rates}  {check}"
        states = Cell(f"{state:<{widths[1]}}", STATE_TONES[r.state])
        lines.append((Cell(f"  {name:<{widths[0]}}  "), states, Cell(numbers), _pod_cell(r.pod)))
    return lines


def _label(server: VirtualServerView) -> str:
    return plain(server.name) if server.fwmark is not None else f"{server.protocol.value} {plain(server.name)}"


def connections_text(connections: tuple[Connection, ...], total: int) -> str:
    """Returns a table of connections; ``total`` counts those that were not read too."""
    if not total:
        return "No connections."
    rows: list[tuple[str, ...]] = [("PROTO", "CLIENT", "REAL SERVER", "STATE", "EXPIRES", "")]
    for c in connections:
        texts = (c.protocol, endpoint(*c.client), endpoint(*c.real), c.state, f"{c.expires} s", c.persistence)
        rows.append(tuple(map(plain, texts)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    shown = len(connections)
    more = [f"… and {total - shown} more (kvtui shows the first {shown})"] if total > shown else []
    return "\n".join([f"{total} connections:", *lines, *more])
