"""Screen 5: findings, worst first; below them the selected one with its evidence and remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kvtui.actions.registry import intent_of
from kvtui.model.ipvs import endpoint
from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.findings import empty_text, finding_cells, finding_key, finding_lines
from kvtui.presenters.trace import TraceTarget
from kvtui.screens.detail_pane import DetailPane
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import PlanPanel
from kvtui.widgets.columns import MARK, Column

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from textual.screen import ModalScreen

    from kvtui.model.finding import Finding
    from kvtui.model.observation import InstanceView, Observation, RealServerView, VirtualServerView
    from kvtui.presenters.cells import Line

COLUMNS: tuple[Column, ...] = (
    MARK,
    Column("finding", "SEVERITY FINDING", 76, 0, max_width=120),
    Column("object", "OBJECT", 16, 2, max_width=40),
    Column("id", "RULE", 24, 3, max_width=32),
)
MIN_ROWS = 4
"""The detail pane is shown where this many rows fit above it; the other findings scroll."""


class FindingsScreen(NodeScreen):
    columns = COLUMNS
    details = "text"
    row_noun = "finding"
    sorts: ClassVar = (("", "worst first"), ("object", "object"), ("id", "rule"))

    def hints(self) -> tuple[tuple[str, str], ...]:
        return (("Enter", "remedy"), ("y", "copy"), *(hint for hint in super().hints() if hint[0] != "Enter"))

    def draw(self, observation: Observation) -> None:
        findings: dict[Hashable, Finding] = {finding_key(f): f for f in observation.findings or ()}
        self.explain_no_rows(f"{empty_text(observation)}\n\n{self.sources_hint}", has_rows=bool(findings))
        keys = [k for k, f in findings.items() if self.matches(f.id, f.title, f.object, f.severity.value, *f.vips)]
        order = {"object": lambda k: natural(findings[k].object), "id": lambda k: findings[k].id}
        self.show_rows(observation, self.sorted_rows(keys, order), lambda k: finding_cells(findings[k], self.glyphs))
        self.show_detail(observation)

    def show_detail(self, observation: Observation) -> None:
        finding, rows = self._selected_finding(observation), min(len(self.table.keys), MIN_ROWS)
        title, lines = (finding.object, finding_lines(finding)) if finding else ("", [])
        self.query_one(DetailPane).explain(title, lines, rows=rows, height=self.free_height)

    def _selected_finding(self, observation: Observation) -> Finding | None:
        return _find(observation, self.table.selected)

    def equivalent_command(self, observation: Observation) -> str | None:
        finding = self._selected_finding(observation)
        return finding.command if finding else None

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        finding = self._selected_finding(observation)
        return tuple(TraceTarget(vip) for vip in finding.vips) if finding else ()

    def selected_instance(self, observation: Observation) -> InstanceView | None:
        finding = self._selected_finding(observation)
        named = (i for i in observation.vrrp_instances or () if finding and i.name == finding.object)
        return next(named, None) or super().selected_instance(observation)

    def selected_reals(self, observation: Observation) -> list[tuple[VirtualServerView, RealServerView]]:
        finding, reals = self._selected_finding(observation), super().selected_reals(observation)
        names = finding.object.split(" -> ") if finding else []
        return [(v, r) for v, r in reals if endpoint(r.address, r.port) in names] or reals

    def detail_panel(self, key: Any) -> ModalScreen[None]:
        finding = _find(self.host.latest, key) if self.host.latest else None
        if finding and (intent := intent_of(finding.command)):
            return PlanPanel(self.host, intent)
        return Panel(self.host, f"Finding {key[0]}", lambda observation: _lines(observation, key))


def _find(observation: Observation, key: Hashable) -> Finding | None:
    return next((f for f in observation.findings or () if finding_key(f) == key), None)


def _lines(observation: Observation, key: Hashable) -> Sequence[Line]:
    finding = _find(observation, key)
    return finding_lines(finding) if finding else [(Cell("This finding is resolved.", Tone.GOOD),)]
