"""Screen 4: the ConfigMap's entries with their chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kvtui.actions.equivalent_commands import of_mapping
from kvtui.model.ip import canonical_or_same
from kvtui.presenters.findings import Severities
from kvtui.presenters.mappings import break_position, detail_lines, empty_text, mapping_cells, search_texts
from kvtui.presenters.trace import CHAIN_TITLE, TraceTarget
from kvtui.rules.chain import ChainIndex
from kvtui.screens.detail_pane import DetailPane
from kvtui.screens.key_panels import TracePanel
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.widgets.columns import MARK, Column

if TYPE_CHECKING:
    from collections.abc import Hashable

    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Cell
    from kvtui.screens.node_screen import SortKey
    from kvtui.screens.panel import Panel

COLUMNS: tuple[Column, ...] = (
    MARK,
    Column("vip", "VIP", 15, 0, max_width=39),
    Column("service", "SERVICE", 18, 0, max_width=60),
    Column("method", "METHOD", 6, 2, max_width=12),
    Column("state", "STATE", 8, 1),
    Column("ready", "READY", 5, 1, right=True),
    Column("up", "UP", 5, 1, right=True),
    Column("chain", CHAIN_TITLE, 11, 1, max_width=24),
    Column("why", "FIRST BREAK, NOTES", 24, 3, max_width=400, fill=True),
)


class MappingsScreen(NodeScreen):
    columns = COLUMNS
    details = "text"
    reading = "Reading the ConfigMap …"
    sorts: ClassVar = (("", "controller"), ("vip", "VIP"), ("service", "Service"), ("chain", "first break"))

    def draw(self, observation: Observation) -> None:
        text = empty_text(observation) + (f"\n\n{self.sources_hint}" if observation.mappings is None else "")
        self.explain_no_rows(text, has_rows=bool(observation.mappings))
        entries: dict[Hashable, Mapping] = {m.vip: m for m in observation.mappings or ()}
        index = ChainIndex(observation)
        keys = [vip for vip, m in entries.items() if self.matches(*search_texts(m))]
        order: dict[str, SortKey] = {
            "vip": natural,
            "service": lambda k: natural("/".join(entries[k].target or ())),
            "chain": lambda k: break_position(index, entries[k]),
        }
        severities = Severities(observation.findings)

        def render(key: Hashable) -> tuple[Cell, ...]:
            entry = entries[key]
            mark = severities.mark(self.glyphs, canonical_or_same(entry.vip), entry.vip)
            return (mark, *mapping_cells(index, entry, self.glyphs, self.table.width_of("chain")))

        self.show_rows(observation, self.sorted_rows(keys, order), render)
        self.show_detail(observation)

    def show_detail(self, observation: Observation) -> None:
        entry = self._selected_entry(observation)
        title, lines = "", []
        if entry is not None:
            title, lines = entry.vip, detail_lines(ChainIndex(observation), entry, self.glyphs)
        self.query_one(DetailPane).explain(title, lines, rows=len(self.table.keys), height=self.free_height)

    def _selected_entry(self, observation: Observation) -> Mapping | None:
        return next((m for m in observation.mappings or () if m.vip == self.table.selected), None)

    def detail_panel(self, key: Any) -> Panel:
        return TracePanel(self.host, (TraceTarget(canonical_or_same(str(key))),))

    def equivalent_command(self, observation: Observation) -> str | None:
        entry = self._selected_entry(observation)
        return of_mapping(observation, entry) if entry else None

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        entry = self._selected_entry(observation)
        return (TraceTarget(canonical_or_same(entry.vip)),) if entry else ()
