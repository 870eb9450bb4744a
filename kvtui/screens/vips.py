"""Screen 1, the landing page: every VIP, its owner, its traffic, and its chain as one mark for each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kvtui.actions.equivalent_commands import of_vip
from kvtui.presenters.cells import text_lines
from kvtui.presenters.chart import traffic_charts
from kvtui.presenters.events import master_lines, recent_lines
from kvtui.presenters.findings import Severities, findings_lines
from kvtui.presenters.glyphs import sparkline
from kvtui.presenters.keys import VIEWS
from kvtui.presenters.trace import CHAIN_TITLE, TraceTarget
from kvtui.presenters.vips import (
    detail_lines,
    detail_title,
    empty_text,
    search_texts,
    summary_lines,
    traffic,
    vip_cells,
)
from kvtui.presenters.vrrp import overview_lines
from kvtui.rules.chain import ChainIndex, chain_of
from kvtui.screens.detail_pane import FRAME_LINES, DetailPane
from kvtui.screens.key_panels import TracePanel
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.widgets.chart import PAIR_LINES, ChartPair
from kvtui.widgets.columns import MARK, Column
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual import events
    from textual.widget import Widget

    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import InstanceView, Observation, VipView
    from kvtui.presenters.cells import Cell
    from kvtui.screens.panel import Panel

COLUMNS: tuple[Column, ...] = (
    MARK,
    Column("vip", "VIP", 15, 0, max_width=39),
    Column("owner", "OWNER", 12, 1, max_width=39),
    Column("state", "STATE", 6, 0),
    Column("priority", "PRIO", 4, 2, right=True),
    Column("service", "SERVICE", 15, 5, max_width=48),
    Column("method", "METHOD", 6, 9),
    Column("up", "UP", 5, 1, right=True),
    Column("cps", "CONN/S", 6, 3, right=True),
    Column("bps", "B/S", 4, 4, right=True),
    Column("spark", "TREND", 5, 6, max_width=60, fill=True),
    Column("interface", "NIC", 6, 8, max_width=15),
    Column("instance", "INSTANCE", 8, 10, max_width=24),
    Column("chain", CHAIN_TITLE, 11, 1, max_width=24),
)

DASHBOARD = (180, 40)
"""Columns and lines from which on there are always summaries of the other screens."""
TALL = 48
"""Lines from which on the charts are higher."""
SUMMARY_LINES = 18
"""Room for the summaries below the table that makes their appearance worth it."""


class Summary(Lines):
    """A framed summary of another screen, for the dashboard. A click shows that screen."""

    DEFAULT_CSS = """
    Summary {
        display: none; height: auto; max-height: 30%; min-height: 3; padding: 0 1;
        border: solid $frame; border-title-color: $foreground; border-title-style: bold;
        border-subtitle-color: $text-muted;
    }
    """

    def __init__(self, title: str, view: str, key: str) -> None:
        super().__init__(keeps_height=True, id=f"summary-{view}")
        self._view = view
        self.border_title = title
        self.border_subtitle = key

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.app.run_action(f"view('{self._view}')")


class VipsScreen(NodeScreen):
    DEFAULT_CSS = """
    VipsScreen {
        &.-dashboard.-equal #main { width: 1fr; }
        &.-dashboard LineTable { height: auto; min-height: 7; max-height: 50%; }
        &.-dashboard Summary { display: block; }
        & #summary-events { height: 1fr; max-height: 100%; }
        &.-tall ChartPair { height: 18; }
    }
    """
    columns = COLUMNS
    details = "charts"
    row_noun = "VIP"
    sorts: ClassVar = (("", "config"), ("vip", "VIP"), ("owner", "owner"), ("state", "state"), ("cps", "CONN/S"))
    highest_first: ClassVar = frozenset({"cps"})

    def below_table(self) -> tuple[Widget, ...]:
        views = {view.name: view for view in VIEWS}
        shown = (views[name] for name in ("vrrp", "findings", "events"))
        return tuple(Summary(view.label, view.name, self.host.keymap.hint(view.key, "")) for view in shown)

    def draw(self, observation: Observation) -> None:
        self.explain_no_rows(self._empty_text(observation), has_rows=bool(observation.vips))
        views: dict[Hashable, VipView] = {(v.instance, v.address): v for v in observation.vips or ()}
        keys = [k for k, v in views.items() if self.matches(*search_texts(observation, v))]
        order = {
            "vip": lambda k: natural(views[k].address),
            "owner": lambda k: natural(views[k].owner or ""),
            "state": lambda k: views[k].state.value,
            "cps": lambda k: traffic(observation, views[k])[0],
        }
        index = ChainIndex(observation)
        severities = Severities(observation.findings)
        top = self.host.history.top([("vip", view.address) for view in views.values()])

        def render(key: Hashable) -> tuple[Cell, ...]:
            view, width = views[key], self.table.width_of("spark")
            spark = sparkline(self.host.history.of(("vip", view.address)), width, self.glyphs.bars, top)
            mark = severities.mark(self.glyphs, view.address)
            return (mark, *vip_cells(index, view, spark, self.glyphs, self.table.width_of("chain")))

        self.show_rows(observation, self.sorted_rows(keys, order), render)
        self.show_detail(observation)
        self._show_summaries(observation)

    def _show_summaries(self, observation: Observation) -> None:
        """Shows what other screens say, at the sizes of a wall screen and where the table leaves room for it."""
        width, height = self.size
        room = height - FRAME_LINES - len(self.table.keys)
        is_wall = width >= DASHBOARD[0] and height >= DASHBOARD[1]
        has_room = is_wall or (self.has_class("-wide") and room >= SUMMARY_LINES)
        self.set_class(has_room, "-dashboard")
        self.set_class(width >= DASHBOARD[0], "-equal")
        self.set_class(height >= TALL, "-tall")
        if has_room:
            self._show_vrrp(observation)
            self.query_one("#summary-findings", Summary).show(findings_lines(observation, self.glyphs))
            self._show_events(observation)

    def _show_events(self, observation: Observation) -> None:
        summary = self.query_one("#summary-events", Summary)
        width, height = summary.content_size
        lines = recent_lines(self.host.timeline.events, observation.snapshot.time, width or 80, height or 1)
        summary.show(lines or text_lines("Nothing happened since kvtui started."))

    def _show_vrrp(self, observation: Observation) -> None:
        summary, host = self.query_one("#summary-vrrp", Summary), self.host
        lines = overview_lines(observation, self.glyphs)
        names = [i.name for i in observation.vrrp_instances or ()]
        if width := summary.content_size.width:
            lines += master_lines(host.masters, names, host.span, observation.snapshot.time, width, self.glyphs)
        summary.show(lines)

    def _empty_text(self, observation: Observation) -> str:
        text = empty_text(observation)
        if observation.snapshot.chosen is None:
            return f"{text}\n\nIPVS (3) and sources (i) show what can be read. To try kvtui: kvtui --demo"
        return f"{text}\n\n{self.sources_hint}" if observation.vips is None else text

    def show_detail(self, observation: Observation) -> None:
        vip, rows = self._selected_vip(observation), len(self.table.keys)
        pane = self.query_one(DetailPane)
        if vip is None:
            pane.explain("", (), rows=rows, height=self.free_height)
            return
        index = ChainIndex(observation)
        links = chain_of(index, vip.address, view=vip)
        first = summary_lines(index, links, vip, self.glyphs)
        more = detail_lines(observation, links, vip, self.glyphs)
        pane.explain(detail_title(observation, vip), first, more, rows=rows, height=self.free_height)
        room = pane.room_below(rows, self.free_height) - len(first)
        has_room = self.has_class("-wide") or room >= 2 * PAIR_LINES  # half of the lines are left for its layers
        charts = traffic_charts(self.host.history, ("vip", vip.address), self.host.span)
        self.query_one(ChartPair).show(charts, has_room=has_room)

    def _selected_vip(self, observation: Observation) -> VipView | None:
        selected = self.table.selected
        return next((v for v in observation.vips or () if (v.instance, v.address) == selected), None)

    def selected_instance(self, observation: Observation) -> InstanceView | None:
        selected = self.table.selected
        if not isinstance(selected, tuple):
            return super().selected_instance(observation)
        return next((i for i in observation.vrrp_instances or () if i.name == selected[0]), None)

    def viewed_servers(self, observation: Observation) -> frozenset[ServiceKey]:
        vip = self._selected_vip(observation)
        return frozenset(v.key for v in observation.servers_of(vip.address) if v.in_kernel) if vip else frozenset()

    def detail_panel(self, key: Any) -> Panel:
        return TracePanel(self.host, (_target(key),))

    def equivalent_command(self, observation: Observation) -> str | None:
        vip = self._selected_vip(observation)
        return of_vip(observation, vip) if vip else None

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        del observation
        selected = self.table.selected
        return (_target(selected),) if isinstance(selected, tuple) else ()


def _target(key: tuple[Hashable, ...]) -> TraceTarget:
    instance, address = key
    return TraceTarget(str(address), instance=str(instance))
