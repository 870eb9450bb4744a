"""Screen 2: VRRP instances, their peers, who was master when, and what happened last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kvtui.actions.equivalent_commands import of_instance
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, text_lines
from kvtui.presenters.events import master_lines, vrrp_lines
from kvtui.presenters.findings import Severities
from kvtui.presenters.trace import TraceTarget
from kvtui.presenters.vrrp import empty_text, instance_cells, instance_text, peer_cells, search_texts
from kvtui.screens.detail_pane import DetailPane
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.panel import Panel
from kvtui.widgets.columns import MARK, Column
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.observation import InstanceView, Observation
    from kvtui.screens.node_screen import SortKey

COLUMNS: tuple[Column, ...] = (
    MARK,
    Column("name", "INSTANCE / PEER", 17, 0, max_width=44),
    Column("state", "STATE", 6, 0),
    Column("vrid", "VRID", 4, 3, right=True),
    Column("priority", "PRIO", 7, 1, right=True),
    Column("master", "MASTER", 14, 1, max_width=44),
    Column("seen", "HEARD", 6, 2, right=True),
    Column("preempt", "PREEMPT", 7, 4),
    Column("advert", "ADVERT", 6, 6, right=True),
    Column("since", "SINCE", 6, 5, right=True),
    Column("version", "VER", 3, 8, right=True),
    Column("interface", "NIC", 6, 7, max_width=15),
    Column("counters", "ERRORS", 16, 3, max_width=80),
)
MAX_TIMELINE_LINES = 12


class VrrpScreen(NodeScreen):
    DEFAULT_CSS = """
    VrrpScreen {
        & #masters, & #timeline {
            max-height: 40%; padding: 0 1; border-top: solid $frame;
            border-title-color: $foreground; border-title-style: bold; border-title-align: right;
        }
    }
    """
    columns = COLUMNS
    details = "text"
    sorts: ClassVar = (("", "config"), ("name", "name"), ("state", "state"), ("vrid", "VRID"))

    def below_table(self) -> tuple[Widget, ...]:
        masters, timeline = Lines(wraps=False, id="masters"), Lines(wraps=False, keeps_height=True, id="timeline")
        masters.display = False
        timeline.border_title = " Events "
        return (masters, timeline)

    def draw(self, observation: Observation) -> None:
        text = empty_text(observation)
        self.table.empty = f"{text}\n\n{self.sources_hint}" if observation.vrrp_instances is None else text
        instances = {i.name: i for i in observation.vrrp_instances or ()}
        names: list[Hashable] = [n for n, i in instances.items() if self.matches(*search_texts(i))]
        order: dict[str, SortKey] = {
            "name": natural,
            "state": lambda n: instances[n].state.value,
            "vrid": lambda n: instances[n].vrid or 0,
        }
        rows: dict[Hashable, tuple[Cell, ...]] = {}
        severities = Severities(observation.findings)
        for name in self.sorted_rows(names, order):
            instance = instances[str(name)]
            mark = severities.mark(self.glyphs, instance.name)
            rows[name] = (mark, *instance_cells(observation, instance, self.glyphs.self_mark))
            for peer in instance.peers:
                rows[name, peer.address] = (Cell(""), *peer_cells(peer, instance, self.glyphs.branch))
        self.show_rows(observation, list(rows), rows.__getitem__)
        self._draw_timeline(observation)
        self.show_detail(observation)

    def show_detail(self, observation: Observation) -> None:
        """Only at the right of the table: below it is the timeline."""
        instance, height = self.selected_instance(observation), self.free_height
        text = instance_text(instance, observation.snapshot.time) if instance else ""
        title = instance.name if instance else ""
        self.query_one(DetailPane).explain(title, text_lines(text) if text else (), rows=height, height=height)

    def _draw_timeline(self, observation: Observation) -> None:
        names, now = [i.name for i in observation.vrrp_instances or ()], observation.snapshot.time
        masters, timeline = self.query_one("#masters", Lines), self.query_one("#timeline", Lines)
        width = timeline.content_size.width
        lines = master_lines(self.host.masters, names, self.host.span, now, width, self.glyphs)
        if masters.display is not bool(lines):  # setting the same value draws the whole screen too
            masters.display = bool(lines)
        masters.show(lines)
        count = max(1, min(MAX_TIMELINE_LINES, self.size.height * 2 // 5 - 1))
        timeline.show(vrrp_lines(self.host.timeline.events, observation, width or 80, count))

    def selected_instance(self, observation: Observation) -> InstanceView | None:
        selected = self.table.selected
        if selected is None:
            return None
        name = selected[0] if isinstance(selected, tuple) else selected
        return next((i for i in observation.vrrp_instances or () if i.name == name), None)

    def detail_panel(self, key: Any) -> Panel:
        name = str(key[0] if isinstance(key, tuple) else key)
        return Panel(self.host, f"VRRP instance {plain(name)}", lambda observation: _instance_text(observation, name))

    def equivalent_command(self, observation: Observation) -> str | None:
        instance = self.selected_instance(observation)
        return of_instance(observation, instance) if instance else None

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        instance = self.selected_instance(observation)
        return tuple(TraceTarget(vip, instance=instance.name) for vip in instance.vips) if instance else ()


def _instance_text(observation: Observation, name: str) -> str:
    instance = next((i for i in observation.vrrp_instances or () if i.name == name), None)
    if instance is None:
        return "keepalived and its config do not have this instance any more."
    return instance_text(instance, observation.snapshot.time)
