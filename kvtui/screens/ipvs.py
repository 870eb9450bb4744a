"""Screen 3: virtual servers with their real servers as a tree, the kernel beside the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on

from kvtui.actions.equivalent_commands import of_server
from kvtui.model.ipvs import endpoint
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import count, per_second
from kvtui.presenters.keys import IPVS
from kvtui.rules.chain import Port
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.trace_panel import Target
from kvtui.widgets.bindings import bindings
from kvtui.widgets.columns import Cell, Column, Tone
from kvtui.widgets.glyphs import Glyphs, sparkline
from kvtui.widgets.history import server_key
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.binding import BindingType

    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation, PodView, RealServerView, StatsView, VirtualServerView

    ServerKey = tuple[str, str]

COLUMNS = (
    Column("name", "VIRTUAL / REAL SERVER", 23, 0, most=48),
    Column("weight", "WEIGHT", 6, 1, right=True),
    Column("active", "ACTIVE", 6, 1, right=True),
    Column("inactive", "INACT", 5, 2, right=True),
    Column("persistent", "PERS", 5, 6, right=True),
    Column("cps", "CONN/S", 6, 1, right=True),
    Column("bps", "B/S", 4, 2, right=True),
    Column("state", "STATE", 9, 0, most=24),
    Column("method", "METHOD", 6, 3),
    Column("spark", "TREND", 5, 4, most=60, fill=True),
    Column("pod", "POD, NODE", 20, 5, most=80),
    Column("conns", "CONNS", 6, 8, right=True),
    Column("in", "IN", 5, 9, right=True),
    Column("out", "OUT", 5, 9, right=True),
    Column("managed", "MANAGED BY", 10, 10),
    Column("service", "SERVICE / CHECK", 15, 10, most=40),
)
STATES = {
    RealServerState.UP: Tone.GOOD,
    RealServerState.DRAINED: Tone.WARN,
    RealServerState.FAILED: Tone.BAD,
    RealServerState.REMOVED: Tone.BAD,
}


SAID = frozenset({"persistent", "hashed"})
"""Flags that say nothing more: the timeout stands beside, and every service in the kernel's table is hashed."""


class IpvsScreen(NodeScreen):
    """IPVS."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(IPVS)
    sorts: ClassVar = (
        ("", "kernel"),
        ("name", "name"),
        ("cps", "CONN/S"),
        ("active", "active"),
        ("state", "trouble"),
    )
    highest_first: ClassVar = frozenset({"cps", "active", "state"})

    def __init__(self) -> None:
        super().__init__()
        self._folded: set[Hashable] = set()
        self._names: dict[Hashable, tuple[tuple[RealServerView, ...], list[Hashable]]] = {}
        self._texts: dict[Hashable, tuple[tuple[RealServerView, ...], list[str]]] = {}

    def make_table(self) -> LineTable:
        """Virtual servers, real servers below each."""
        return LineTable(COLUMNS, "Reading the IPVS table …", id="ipvs")

    def draw(self, seen: Observation) -> None:
        """The servers that pass the filter."""
        self.table.empty = why_empty(seen) if not self.filter else f"No server matches «{self.filter}». Esc shows all."
        servers = {server_key(v.protocol.value, v.name): v for v in seen.virtual_servers or ()}
        names, self._names = self._names, {}  # of servers that went away none are kept
        self._texts = {k: t for k, t in self._texts.items() if k in servers} if self.filter else {}
        keys: list[Hashable] = []
        order = {
            "name": lambda k: natural(servers[k].name),
            "cps": lambda k: rate(servers[k].stats),
            "active": lambda k: sum(r.active or 0 for r in servers[k].real_servers),
            "state": lambda k: len(servers[k].real_servers) - servers[k].up,
        }
        for key in self.ordered(list(servers), order):
            self._add(servers[key], key, keys, names.get(key))  # type: ignore[index]  # keys are those of servers
        history, drawing = self.host.history, self.glyphs
        reals: dict[Hashable, dict[tuple[str, int], RealServerView]] = {}

        def render(key: Any) -> tuple[Cell, ...]:
            spark = sparkline(history.of(key), self.table.width_of("spark"), drawing.bars)
            if not isinstance(key[0], tuple):
                return virtual_cells(servers[key], spark, drawing, folded=key in self._folded)
            if key[0] not in reals:  # laid out for the few that are on the screen
                reals[key[0]] = {r.key: r for r in servers[key[0]].real_servers}
            return real_cells(reals[key[0]][key[1]], spark, drawing)

        self.table.show_rows(keys, render, changes=not self.host.paused, at=seen.snapshot.time)

    def _add(
        self,
        virtual: VirtualServerView,
        key: Hashable,
        keys: list[Hashable],
        before: tuple[tuple[RealServerView, ...], list[Hashable]] | None,
    ) -> None:
        """Append the rows of a virtual server; ``before``: what it had when it was last drawn."""
        if before is None or before[0] is not virtual.real_servers:
            names: list[Hashable] = [(key, r.key) for r in virtual.real_servers]
            # the same objects as before, so that long lists of them are compared at once
            before = (virtual.real_servers, before[1] if before is not None and before[1] == names else names)
        self._names[key] = before
        whole = self.matches(virtual.name, virtual.service, virtual.protocol.value, virtual.managed_by.value)
        wanted = before[1]
        if not whole:
            looked_for = self.filter.casefold()
            texts = self._searched(key, virtual.real_servers)
            if looked_for not in texts[0]:
                return
            wanted = [n for n, text in zip(wanted, texts[1:], strict=True) if looked_for in text]
            if not wanted:  # it stood across two of them
                return
        keys.append(key)
        if key not in self._folded or self.filter:
            keys.extend(wanted)

    def _searched(self, key: Hashable, reals: tuple[RealServerView, ...]) -> list[str]:
        """What a filter looks through: all of a virtual server's real servers first, then each of them."""
        known = self._texts.get(key)
        if known is None or known[0] is not reals:
            each = [_text(real) for real in reals]
            known = self._texts[key] = (reals, ["\n".join(each), *each])
        return known[1]

    def looked_at(self, seen: Observation) -> frozenset[ServiceKey]:
        """The virtual servers of which something is on the screen."""
        shown: list[Any] = self.table.shown
        names = {key[0] if isinstance(key[0], tuple) else key for key in shown}
        return frozenset(v.key for v in seen.virtual_servers or () if server_key(v.protocol.value, v.name) in names)

    def action_fold(self, closed: bool) -> None:
        """Hide or show the real servers of the virtual server under the cursor."""
        key: Any = self.table.selected
        if key is None:
            return
        virtual = key[0] if isinstance(key[0], tuple) else key
        (self._folded.add if closed else self._folded.discard)(virtual)
        if closed and virtual in self.table.keys:
            self.table.move_to(self.table.keys.index(virtual))
        self.again()

    def action_fold_all(self, closed: bool) -> None:
        """Hide or show all real servers."""
        seen = self.host.latest
        every = [server_key(v.protocol.value, v.name) for v in seen.virtual_servers or ()] if seen else []
        self._folded = set(every) if closed else set()
        self.again()

    def traced(self) -> tuple[Target, ...]:
        """The virtual server under the cursor, or that of the real server."""
        key: Any = self.table.selected
        name = key[0] if key is not None and isinstance(key[0], tuple) else key
        every = self.host.latest.virtual_servers or () if self.host.latest else ()
        found = next((v for v in every if server_key(v.protocol.value, v.name) == name), None)
        if found is None or found.address is None or found.port is None:
            return ()
        return (Target(found.address, Port(found.port, found.protocol)),)

    def by_hand(self, seen: Observation) -> str | None:
        """What sets this real server as it is, or shows the virtual server."""
        key: Any = self.table.selected
        virtual, real = (key[0], key[1]) if key and isinstance(key[0], tuple) else (key, None)
        servers = seen.virtual_servers or ()
        view = next((v for v in servers if server_key(v.protocol.value, v.name) == virtual), None)
        return of_server(seen, view, real) if view else None

    @on(LineTable.Chosen, "#ipvs")
    def _detail(self, event: LineTable.Chosen) -> None:
        from kvtui.screens.connections import ServerDetail  # noqa: PLC0415 - only on Enter

        key: Any = event.key
        if isinstance(key[0], tuple):
            self.app.push_screen(ServerDetail(key[0], key[1]))
        else:
            self.app.push_screen(ServerDetail(key, None))


def _text(real: RealServerView) -> str:
    """What can be found of a real server, each in a line of its own."""
    pod = (real.pod.namespace, real.pod.name, real.pod.node or "") if real.pod else ()
    return "\n".join((endpoint(real.address, real.port), real.state.value, *pod)).casefold()


def why_empty(seen: Observation) -> str:
    """Why there is no virtual server to show."""
    if seen.virtual_servers is None:
        return f"The IPVS table cannot be read: {seen.snapshot.source(SourceName.IPVS).detail or 'not read yet'}"
    return (
        "The IPVS table is empty. keepalived fills it from its virtual_server blocks: does the config have any (1, i), "
        "and do its health checks pass? In keepalived-vip a Service without ready endpoints has none."
    )


def rate(stats: StatsView | None) -> float:
    """Connections per second; none without counters."""
    return stats.cps if stats else 0.0


def traffic_cells(stats: StatsView | None, dash: str) -> tuple[Cell, Cell]:
    """Connections and bytes per second."""
    if stats is None:
        return (Cell(dash), Cell(dash))
    return (Cell(per_second(stats.cps)), Cell(per_second(stats.in_bps + stats.out_bps)))


def total_cells(stats: StatsView | None, dash: str) -> tuple[Cell, Cell, Cell]:
    """Connections, bytes in, bytes out since the server was added."""
    if stats is None:
        return (Cell(dash), Cell(dash), Cell(dash))
    return (Cell(count(stats.connections)), Cell(count(stats.in_bytes)), Cell(count(stats.out_bytes)))


def _sum(virtual: VirtualServerView, name: str, dash: str) -> Cell:
    values = [getattr(r, name) for r in virtual.real_servers]
    known = [v for v in values if v is not None]
    return Cell(count(sum(known)) if known else dash)


def virtual_cells(v: VirtualServerView, spark: str, drawing: Glyphs, *, folded: bool) -> tuple[Cell, ...]:
    """A virtual server's row."""
    total = len(v.real_servers)
    tone = Tone.BAD if not v.up else Tone.WARN if v.up < total else Tone.GOOD
    state = Cell(f"{v.up}/{total} up", tone) if v.in_kernel else Cell("not in kernel", Tone.BAD)
    label = f"{v.protocol.value} {plain(v.name)}" if v.fwmark is None else plain(v.name)
    persistence = drawing.dash if v.persistence_timeout is None else f"{v.persistence_timeout}s"
    managed = Tone.NORMAL if v.managed_by is ManagedBy.KEEPALIVED else Tone.WARN
    return (
        Cell(f"{drawing.closed if folded else drawing.open} {label}", Tone.STRONG),
        Cell(plain(v.scheduler or "?")),
        _sum(v, "active", drawing.dash),
        _sum(v, "inactive", drawing.dash),
        Cell(persistence),
        *traffic_cells(v.stats, drawing.dash),
        state,
        Cell(" ".join(f for f in v.flags if f not in SAID)),
        Cell(spark, Tone.GOOD, volatile=True),
        Cell(""),
        *total_cells(v.stats, drawing.dash),
        Cell(v.managed_by.value, managed),
        Cell(plain(v.service or "")),
    )


def pod_cell(pod: PodView | None) -> Cell:
    """The pod behind a real server, its node, and whether it is ready."""
    if pod is None:
        return Cell("")
    where = f" on {plain(pod.node, 60)}" if pod.node else ""
    unready = "" if pod.ready else " NOT READY"
    return Cell(f"{plain(pod.name, 60)}{where}{unready}", Tone.NORMAL if pod.ready else Tone.WARN)


def real_cells(r: RealServerView, spark: str, drawing: Glyphs) -> tuple[Cell, ...]:
    """A real server's row; a weight that differs from the config shows both."""
    weight, tone = drawing.dash if r.weight is None else str(r.weight), Tone.NORMAL
    if r.weight is not None and r.configured_weight is not None and r.weight != r.configured_weight:
        weight, tone = f"{r.weight}{drawing.differs}{r.configured_weight}", Tone.WARN
    counts = (Cell(drawing.dash if n is None else count(n)) for n in (r.active, r.inactive, r.persistent))
    return (
        Cell(f"  {drawing.branch} {plain(endpoint(r.address, r.port))}"),
        Cell(weight, tone),
        *counts,
        *traffic_cells(r.stats, drawing.dash),
        Cell(r.state.value, STATES[r.state]),
        Cell(r.method.value if r.method else "?"),
        Cell(spark, Tone.GOOD, volatile=True),
        pod_cell(r.pod),
        *total_cells(r.stats, drawing.dash),
        Cell(""),
        Cell(plain(r.check or "")),
    )
