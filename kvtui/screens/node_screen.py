"""The parts that all screens share: header, table, filter, key line, sort, copy and trace."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.containers import Vertical
from textual.screen import Screen

from kvtui.presenters.cells import Cell
from kvtui.presenters.glyphs import Glyphs, glyphs
from kvtui.presenters.header import header_line
from kvtui.presenters.keys import NODE_SCREEN, VIEWS
from kvtui.screens.detail_pane import DetailPane
from kvtui.screens.key_panels import CopyPanel, TracePanel, one_line
from kvtui.screens.panel import is_drawable
from kvtui.widgets.bars import KeyLine, TabLine
from kvtui.widgets.bindings import bindings
from kvtui.widgets.chart import ChartPair
from kvtui.widgets.prompt import Prompt
from kvtui.widgets.table import LineTable
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.screen import ModalScreen
    from textual.widget import Widget

    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import InstanceView, Observation, RealServerView, VirtualServerView
    from kvtui.presenters.trace import TraceTarget
    from kvtui.screens.host import Host
    from kvtui.widgets.columns import Column

    SortKey = Callable[[Any], Any]

HINTS = (
    ("Enter", "detail"), ("t", "trace"), ("r", "reload"), ("d", "drain"), ("p", "priority"), ("f", "failover"),
    ("/", "filter"), ("s", "sort"), ("space", "pause"), ("i", "sources"), ("q", "quit"), ("?", "keys"),
)  # fmt: skip
WIDE = 120
"""Columns from which on the details are at the right of the table."""
CLEAR_HINT = ("Esc", "clear filter")


@lru_cache(maxsize=4096)
def natural(text: str) -> tuple[int | str, ...]:
    """Returns a sort key of a name or address: 10.4.0.9 comes before 10.4.0.50."""
    # every second part is a number; int() refuses very long ones, and names can come from outside
    return tuple(int(p) if i % 2 else p.casefold() for i, p in enumerate(re.split("([0-9]{1,18})", text)))


class NodeScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = bindings(NODE_SCREEN)
    DEFAULT_CSS = """
    NodeScreen {
        & #header { height: 1; background: $panel; color: $foreground; }
        & #body { height: 1fr; }
        & #main { width: 1fr; }
        & #side { width: 1fr; height: auto; }
        & Prompt { display: none; padding: 0 1; }
        & Prompt.open { display: block; }
        &.-wide #body { layout: horizontal; }
        &.-wide #main { width: 2fr; }
        &.-wide #side { height: 1fr; }
        &.-wide ChartPair { layout: vertical; height: 12; margin: 1 0; }
        &.-wide DetailPane { height: 1fr; border: solid $frame; border-title-align: left; scrollbar-gutter: stable; }
    }
    """
    columns: ClassVar[tuple[Column, ...]]
    reading: ClassVar = "Reading this node …"
    row_noun: ClassVar = "entry"
    details: ClassVar[Literal["", "text", "charts"]] = ""
    """What is at the right of the table on a wide terminal, else below it."""
    sorts: ClassVar[tuple[tuple[str, str], ...]] = (("", "unsorted"),)
    """(column, label); the first is the order in which the rows are read."""
    highest_first: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self.filter = ""
        self.sort = 0
        self.reversed = False

    @property
    def glyphs(self) -> Glyphs:
        return glyphs(ascii_only=self.host.settings.ascii)

    @property
    def view_name(self) -> str:
        return next(view.name for view in VIEWS if view.screen[1] == type(self).__name__)

    @property
    def table(self) -> LineTable:
        return self.query_one(LineTable)

    @property
    def sources_hint(self) -> str:
        return f"Press {self.host.keymap.hint('i', '')} for the sources."

    @property
    def free_height(self) -> int:
        return self.size.height - self.query_one(Prompt).has_class("open")

    # --- for subclasses

    def below_table(self) -> tuple[Widget, ...]:
        """Returns what is below the table at every width."""
        return ()

    def draw(self, observation: Observation) -> None:
        raise NotImplementedError

    def show_detail(self, observation: Observation) -> None:
        """Shows details of the selected row."""

    def detail_panel(self, key: Any) -> ModalScreen[None] | None:
        """Returns what Enter opens for a row."""
        raise NotImplementedError

    def equivalent_command(self, observation: Observation) -> str | None:
        """Returns the shell command that does or shows what the selected row says; None if there is none."""
        del observation
        return None

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        del observation
        return ()

    def selected_instance(self, observation: Observation) -> InstanceView | None:
        """Returns the VRRP instance that the selected row implies, or the only one of the node."""
        instances = observation.vrrp_instances or ()
        vips = {target.address for target in self.trace_targets(observation)}
        having = [i for i in instances if vips.intersection(i.vips)] or instances
        return having[0] if len(having) == 1 else None

    def selected_reals(self, observation: Observation) -> list[tuple[VirtualServerView, RealServerView]]:
        return [
            (virtual, real)
            for target in self.trace_targets(observation)
            for virtual in observation.servers_of(target.address)
            if target.port is None or (virtual.port, virtual.protocol) == (target.port.number, target.port.protocol)
            for real in virtual.real_servers
        ]

    def other_node(self) -> str | None:
        """Returns the node that the selected row is about; None for this one."""
        return None

    def viewed_servers(self, observation: Observation) -> frozenset[ServiceKey]:
        """Returns the virtual servers whose real servers are read at every tick; others can be some seconds old."""
        del observation
        return frozenset()

    def hints(self) -> tuple[tuple[str, str], ...]:
        return HINTS

    def keys_off(self, observation: Observation) -> frozenset[str]:
        """Returns the words of the key line whose keys the selected row has no target for."""
        is_here = self.other_node() is None
        has_instance = is_here and self.selected_instance(observation) is not None
        known = {
            "detail": self.table.selected is not None,
            "reload": is_here,
            "trace": bool(self.trace_targets(observation)),
            "drain": len(self.selected_reals(observation)) == 1,
            "priority": has_instance,
            "failover": has_instance,
        }
        return frozenset(word for word, is_known in known.items() if not is_known)

    # --- drawing

    def compose(self) -> ComposeResult:
        hint = self.host.keymap.hint
        yield Lines([(Cell("kvtui  reading …"),)], wraps=False, id="header")
        shown = [view for view in VIEWS if view.name != "cluster" or self.host.settings.cluster.hosts]
        yield TabLine([(view, hint(view.key, "")) for view in shown], self.view_name, self.glyphs)
        with Vertical(id="body"):
            with Vertical(id="main"):
                yield LineTable(self.columns, self.reading, id=self.view_name)
                yield from self.below_table()
            with Vertical(id="side"):
                if self.details:
                    charts = [ChartPair(ascii_only=self.host.settings.ascii)] if self.details == "charts" else []
                    yield DetailPane(*charts)
        yield Prompt(self._keep_filter, self.action_clear, "part of a name, address, state …", name="filter")
        scope, keymap = type(self).__name__, self.host.keymap
        yield KeyLine(tuple((keymap.hint(key, scope), word) for key, word in self.hints()))

    def show(self, observation: Observation) -> None:
        if not is_drawable(self):
            return
        self.set_class(self.size.width >= WIDE and bool(self.query(DetailPane)), "-wide")
        label, sources = self.host.settings.source_label, self.host.keymap.hint("i", "")
        header = header_line(observation, label, self.size.width, self.glyphs, paused=self.host.paused, sources=sources)
        self.query_one("#header", Lines).show([header])
        self.query_one(TabLine).update(observation)
        self.table.sorted_by(self.sorts[self.sort][0], self.glyphs.down if self._descending else self.glyphs.up)
        self.table.find(self.filter)
        self.draw(observation)
        self.query_one(KeyLine).dim(self.keys_off(observation))

    def explain_no_rows(self, text: str, *, has_rows: bool) -> None:
        """Sets what the table says without rows: that the filter hides them, or this text."""
        hidden = has_rows and self.filter
        self.table.empty = f'No {self.row_noun} matches "{self.filter}". Esc shows all.' if hidden else text

    def show_rows(
        self, observation: Observation, keys: Sequence[Hashable], render: Callable[[Hashable], tuple[Cell, ...]]
    ) -> None:
        self.table.show_rows(keys, render, changes=not self.host.paused, at=observation.snapshot.time)

    def redraw(self) -> None:
        if self.host.latest is not None:
            self.show(self.host.latest)

    @on(LineTable.Moved)
    def show_detail_when_chosen(self) -> None:
        if self.host.latest is not None and is_drawable(self):
            self.show_detail(self.host.latest)
            self.query_one(KeyLine).dim(self.keys_off(self.host.latest))

    @on(LineTable.HeadClicked)
    def _sort_by(self, event: LineTable.HeadClicked) -> None:
        number = next((n for n, (column, _label) in enumerate(self.sorts) if column == event.column), None)
        if number is None:
            names = ", ".join(label for column, label in self.sorts if column)
            self.notify(f"This column has no order; sorted can be: {names}.", markup=False)
        elif number == self.sort:
            self.action_reverse()
        else:
            self.action_sort(number - self.sort)

    @on(TabLine.Chosen)
    async def _show_view(self, event: TabLine.Chosen) -> None:
        await self.app.run_action(f"view('{event.name}')")

    @on(LineTable.Chosen)
    def open_panel(self, event: LineTable.Chosen) -> None:
        if is_drawable(self) and (panel := self.detail_panel(event.key)):
            self.app.push_screen(panel)

    def on_screen_resume(self) -> None:
        if is_drawable(self):  # the app may end before the screen's widgets are there
            self.table.focus()
            self.redraw()

    def on_resize(self) -> None:
        self.call_after_refresh(self.redraw)

    # --- copy and trace

    def action_copy(self) -> None:
        self._copy(self.equivalent_command(self.host.latest) if self.host.latest else None)

    def action_copy_row(self) -> None:
        self._copy(self.table.row_text)

    def _copy(self, text: str | None) -> None:
        if not text:
            self.app.notify("This row has nothing to copy.", markup=False)
            return
        line = one_line(text)
        self.app.copy_to_clipboard(line)
        self.app.push_screen(CopyPanel(self.host, line))

    def action_trace(self) -> None:
        if targets := self.trace_targets(self.host.latest) if self.host.latest else ():
            self.app.push_screen(TracePanel(self.host, targets))
        else:
            self.notify("No VIP is selected: select one on screen 1 or 4.", markup=False)

    # --- filter and sort

    def matches(self, *texts: str | None) -> bool:
        wanted = self.filter.casefold()
        return not wanted or any(wanted in t.casefold() for t in texts if t)

    def sorted_rows(self, rows: list[Hashable], keys: dict[str, SortKey]) -> list[Hashable]:
        name = self.sorts[self.sort][0]
        if name in keys:
            return sorted(rows, key=keys[name], reverse=self._descending)
        return rows[::-1] if self.reversed else rows

    @property
    def _descending(self) -> bool:
        return (self.sorts[self.sort][0] in self.highest_first) is not self.reversed

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the filter a slash is a character."""
        del parameters
        return not (action == "filter" and isinstance(self.focused, Prompt))

    def action_filter(self) -> None:
        entry = self.query_one(Prompt)
        entry.add_class("open")
        self.set_focus(entry)
        self.redraw()

    def action_clear(self) -> None:
        self.app.clear_notifications()
        self.query_one(Prompt).value = ""
        self._keep_filter("")

    @on(Prompt.Changed)
    def filter_changed(self, event: Prompt.Changed) -> None:
        self._filter_by(event.input.value)

    def _filter_by(self, text: str) -> None:
        if not is_drawable(self) or text == self.filter:
            return
        self.filter = text
        # rows hidden by a forgotten filter look like VIPs that are gone
        self.query_one(KeyLine).begin_with(*((CLEAR_HINT,) if text else ()))
        self.redraw()

    def _keep_filter(self, text: str) -> None:
        self._filter_by(text)
        self.query_one(Prompt).set_class(bool(text), "open")
        self.set_focus(self.table)
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        """Says where a key works that does nothing here."""
        if event.key not in self.active_bindings and (why := self.host.keymap.elsewhere(event.key)):
            self.notify(why, markup=False)

    def action_sort(self, step: int) -> None:
        self.sort = (self.sort + step) % len(self.sorts)
        self.reversed = False
        self.redraw()

    def action_reverse(self) -> None:
        self.reversed = not self.reversed
        self.redraw()
