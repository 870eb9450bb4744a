"""Screen 6: every node of the cluster, who owns and who is next, who hears whom, what differs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import VerticalScroll

from kvtui.model.cluster import NodeState
from kvtui.presenters.cells import Cell, Tone, text_lines
from kvtui.presenters.cluster import NODE_HEAD, NodeCells, detail_lines, has_kvtui, summary
from kvtui.presenters.cluster_document import own_node
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.panel import Panel
from kvtui.widgets.columns import Column
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.cluster import ClusterNode, ClusterView
    from kvtui.model.observation import Observation
    from kvtui.screens.node_screen import SortKey

_WIDTHS = (10, 6, 20, 4, 8, 6, 12, 12, 7, 10, 6, 5)
_RANKS = (0, 0, 0, 2, 1, 4, 3, 6, 5, 7, 8, 9)
COLUMNS = tuple(
    Column(title.casefold(), title, width, rank, right=title in {"VIPS", "CONN/S", "DRAINED"}, max_width=60)
    for title, width, rank in zip(NODE_HEAD, _WIDTHS, _RANKS, strict=True)
)


class ClusterScreen(NodeScreen):
    DEFAULT_CSS = """
    ClusterScreen #cluster-detail { height: auto; max-height: 60%; border-top: solid $frame; scrollbar-size: 1 1; }
    """
    columns = COLUMNS
    reading = "Connecting to the nodes …"
    sorts: ClassVar = (("", "as named"), ("node", "node"), ("state", "state"))
    _view: ClusterView | None = None

    def below_table(self) -> tuple[Widget, ...]:
        return (VerticalScroll(Lines(id="cluster-lines"), id="cluster-detail", can_focus=False),)

    def draw(self, observation: Observation) -> None:
        if self._view is None or not self.host.paused:
            self._view = self.host.cluster.view(own_node(observation))
        view = self._view
        nodes = {n.name: n for n in view.nodes}
        names: list[Hashable] = [n for n, node in nodes.items() if self.matches(n, node.state.value, node.detail)]
        order: dict[str, SortKey] = {"node": natural, "state": lambda n: list(NodeState).index(nodes[n].state)}
        cells = NodeCells(view, self.glyphs.dash, self.glyphs.self_mark)
        self.show_rows(observation, self.sorted_rows(names, order), lambda n: cells.cells(nodes[str(n)]))
        lines = [*detail_lines(view, self.glyphs), (Cell(summary(view), Tone.DIM),)]
        self.query_one("#cluster-lines", Lines).show(lines)

    def detail_panel(self, key: Any) -> Panel | None:
        """Opens kvtui on that node: all its screens, live, with its own actions and journal."""
        node = self._node(key)
        if node is None:
            return None
        if node.is_self:
            self.notify(f"{node.name} is the node of the other screens.", markup=False)
        elif not has_kvtui(node):
            return Panel(self.host, node.name, lambda _observation: text_lines(node.detail))
        else:
            self.host.open_node(node.name)
        return None

    def other_node(self) -> str | None:
        node = self._node(self.table.selected)
        return None if node is None or node.is_self else node.name

    def hints(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, "open node" if key == "Enter" else word) for key, word in super().hints())

    def equivalent_command(self, observation: Observation) -> str | None:
        del observation
        node = self._node(self.table.selected)
        return shlex.join(self.host.cluster.session(node.name)) if node and not node.is_self else "kvtui cluster"

    def _node(self, key: Hashable) -> ClusterNode | None:
        return next((n for n in (self._view.nodes if self._view else ()) if n.name == key), None)
