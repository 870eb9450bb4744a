"""Screen 3: virtual servers with their real servers as a tree; differences between kernel and config are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import on

from kvtui.actions.equivalent_commands import of_server
from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState
from kvtui.presenters.chart import traffic_charts
from kvtui.presenters.findings import Severities
from kvtui.presenters.glyphs import sparkline
from kvtui.presenters.ipvs import empty_text, rate, real_cells, search_text, server_lines, virtual_cells
from kvtui.presenters.keys import IPVS
from kvtui.presenters.trace import TraceTarget
from kvtui.rules.chain import Port
from kvtui.rules.timeline.history import server_key
from kvtui.screens.detail_pane import DetailPane
from kvtui.screens.key_panels import ServerDetail
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.widgets.bindings import bindings
from kvtui.widgets.chart import PAIR_LINES, ChartPair
from kvtui.widgets.columns import MARK, Column
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.binding import BindingType

    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.presenters.cells import Cell
    from kvtui.screens.host import Host
    from kvtui.screens.panel import Panel

COLUMNS: tuple[Column, ...] = (
    MARK,
    Column("name", "VIRTUAL / REAL SERVER", 23, 0, max_width=48),
    Column("weight", "WEIGHT", 6, 1, right=True),
    Column("active", "ACTIVE", 6, 1, right=True),
    Column("inactive", "INACT", 5, 2, right=True),
    Column("persistent", "PERS", 5, 6, right=True),
    Column("cps", "CONN/S", 6, 1, right=True),
    Column("bps", "B/S", 4, 2, right=True),
    Column("state", "STATE", 9, 0, max_width=24, min_width=len(RealServerState.REMOVED)),
    Column("method", "METHOD", 6, 3),
    Column("spark", "TREND", 5, 4, max_width=60, fill=True),
    Column("pod", "POD, NODE", 20, 5, max_width=80),
    Column("conns", "CONNS", 6, 8, right=True),
    Column("in", "IN", 5, 9, right=True),
    Column("out", "OUT", 5, 9, right=True),
    Column("managed", "MANAGED BY", 10, 10),
    Column("service", "SERVICE / CHECK", 15, 10, max_width=40),
)

MAX_DETAILS = 40
ARROW_COLUMN = 4
"""A click up to this column of a virtual server's row folds or unfolds it."""


class IpvsScreen(NodeScreen):
    BINDINGS: ClassVar[list[BindingType]] = bindings(IPVS)
    columns = COLUMNS
    details = "charts"
    reading = "Reading the IPVS table …"
    row_noun = "server"
    sorts: ClassVar = (("", "kernel"), ("name", "name"), ("cps", "CONN/S"), ("active", "active"), ("state", "down"))
    highest_first: ClassVar = frozenset({"cps", "active", "state"})

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._folded: set[Hashable] = set()
        self._rows: dict[Hashable, tuple[tuple[RealServerView, ...], list[Hashable]]] = {}
        """Keys of the rows of each virtual server's real servers."""
        self._texts: dict[Hashable, tuple[tuple[RealServerView, ...], list[str]]] = {}

    def draw(self, observation: Observation) -> None:
        self.explain_no_rows(empty_text(observation), has_rows=bool(observation.virtual_servers))
        servers: dict[Hashable, VirtualServerView] = {_key(v): v for v in observation.virtual_servers or ()}
        previous, self._rows = self._rows, {}  # forgets servers that are gone
        self._texts = {k: t for k, t in self._texts.items() if k in servers} if self.filter else {}
        keys: list[Hashable] = []
        order = {
            "name": lambda k: natural(servers[k].name),
            "cps": lambda k: rate(servers[k].stats),
            "active": lambda k: sum(r.active or 0 for r in servers[k].real_servers),
            "state": lambda k: len(servers[k].real_servers) - servers[k].up,
        }
        for key in self.sorted_rows(list(servers), order):
            keys.extend(self._keys_of(servers[key], key, previous.get(key)))
        reals: dict[Hashable, dict[tuple[str, int], RealServerView]] = {}
        severities, top = Severities(observation.findings), self.host.history.top(servers)

        def render(key: Any) -> tuple[Cell, ...]:
            spark = sparkline(self.host.history.of(key), self.table.width_of("spark"), self.glyphs.bars, top)
            if not isinstance(key[0], tuple):
                mark = severities.mark(self.glyphs, servers[key].name, servers[key].address or "")
                return (mark, *virtual_cells(servers[key], spark, self.glyphs, folded=key in self._folded))
            if key[0] not in reals:  # only for servers on the screen
                reals[key[0]] = {r.key: r for r in servers[key[0]].real_servers}
            mark = severities.mark(self.glyphs, endpoint(*key[1]))
            return (mark, *real_cells(reals[key[0]][key[1]], spark, self.glyphs))

        self.show_rows(observation, keys, render)
        self.show_detail(observation)

    def show_detail(self, observation: Observation) -> None:
        virtual, pane, rows = self._selected_server(observation), self.query_one(DetailPane), len(self.table.keys)
        wide = self.has_class("-wide")
        if virtual is None or not (wide or pane.room_below(rows, self.free_height) >= PAIR_LINES):
            pane.explain("", (), rows=rows, height=self.free_height)
            return
        reals = tuple(real for _virtual, real in self.selected_reals(observation)[:MAX_DETAILS])
        real = _split(self.table.selected)[1]
        name = virtual.name if real is None else f"{endpoint(*real)} of {virtual.name}"
        lines = server_lines(replace(virtual, real_servers=reals), self.glyphs) if wide else []
        pane.explain(name, lines[:1], lines[1:], rows=rows, height=self.free_height)
        self.query_one(ChartPair).show(traffic_charts(self.host.history, self.table.selected, self.host.span))

    def _keys_of(
        self,
        virtual: VirtualServerView,
        key: Hashable,
        previous: tuple[tuple[RealServerView, ...], list[Hashable]] | None,
    ) -> list[Hashable]:
        """Returns the keys of a virtual server and of its real servers that the filter shows.

        ``previous``: its ``_rows`` at the last draw. Comparing long lists is fast only if their items are identical.
        """
        rows = previous
        if rows is None or rows[0] is not virtual.real_servers:
            keys: list[Hashable] = [(key, r.key) for r in virtual.real_servers]
            rows = (virtual.real_servers, rows[1] if rows is not None and rows[1] == keys else keys)
        self._rows[key] = rows
        reals = rows[1]
        if not self.matches(virtual.name, virtual.service, virtual.protocol.value, virtual.managed_by.value):
            wanted = self.filter.casefold()
            together, *each = self._search_texts(key, virtual.real_servers)
            if wanted not in together:
                return []
            reals = [real for real, text in zip(reals, each, strict=True) if wanted in text]
            if not reals:  # the match spans two of them
                return []
        return [key, *(reals if key not in self._folded or self.filter else ())]

    def _search_texts(self, key: Hashable, reals: tuple[RealServerView, ...]) -> list[str]:
        """Returns what a filter searches: first all real servers in one text, then each."""
        texts = self._texts.get(key)
        if texts is None or texts[0] is not reals:
            each = [search_text(real) for real in reals]
            texts = self._texts[key] = (reals, ["\n".join(each), *each])
        return texts[1]

    def viewed_servers(self, observation: Observation) -> frozenset[ServiceKey]:
        keys = {_split(key)[0] for key in self.table.shown}
        return frozenset(v.key for v in observation.virtual_servers or () if _key(v) in keys)

    def _selected_server(self, observation: Observation) -> VirtualServerView | None:
        key, _real = _split(self.table.selected)
        return next((v for v in observation.virtual_servers or () if _key(v) == key), None)

    def selected_reals(self, observation: Observation) -> list[tuple[VirtualServerView, RealServerView]]:
        virtual, (_key, name) = self._selected_server(observation), _split(self.table.selected)
        return [(virtual, real) for real in virtual.real_servers if name in {None, real.key}] if virtual else []

    def action_fold(self, closed: bool) -> None:
        key, _real = _split(self.table.selected)
        if key is None:
            return
        (self._folded.add if closed else self._folded.discard)(key)
        if closed and key in self.table.keys:
            self.table.move_to(self.table.keys.index(key))
        self.redraw()

    @on(LineTable.RowClicked)
    def _click_arrow(self, event: LineTable.RowClicked) -> None:
        key, real = _split(event.key)
        if real is None and event.x <= ARROW_COLUMN:
            self.action_fold(key not in self._folded)

    def action_fold_all(self, closed: bool) -> None:
        servers = self.host.latest.virtual_servers or () if self.host.latest else ()
        self._folded = set(map(_key, servers)) if closed else set()
        self.redraw()

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        virtual = self._selected_server(observation)
        if virtual is None or virtual.address is None or virtual.port is None:
            return ()
        return (TraceTarget(virtual.address, Port(virtual.port, virtual.protocol)),)

    def equivalent_command(self, observation: Observation) -> str | None:
        virtual = self._selected_server(observation)
        return of_server(observation, virtual, _split(self.table.selected)[1]) if virtual else None

    def detail_panel(self, key: Any) -> Panel:
        return ServerDetail(self.host, *_split(key))


def _key(virtual: VirtualServerView) -> tuple[str, str]:
    return server_key(virtual.protocol.value, virtual.name)


def _split(key: Any) -> tuple[Any, tuple[str, int] | None]:
    return (key[0], key[1]) if key and isinstance(key[0], tuple) else (key, None)
