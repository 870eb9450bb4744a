"""Screen 7: what happened on this node, on one time line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.widgets import Static

from kvtui.model.event import Event, EventKind
from kvtui.model.log import LogTail
from kvtui.model.text import plain
from kvtui.presenters.events import action_events, details, empty_text, event_cells, merged, search_texts, title_text
from kvtui.presenters.keys import EVENTS
from kvtui.presenters.trace import TraceTarget
from kvtui.rules.timeline.log_lines import DUMP, log_events
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import Panel
from kvtui.widgets.bindings import bindings
from kvtui.widgets.columns import Column

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.binding import BindingType
    from textual.widget import Widget

    from kvtui.model.observation import InstanceView, Observation
    from kvtui.screens.host import Host

COLUMNS: tuple[Column, ...] = (
    Column("at", "TIME", 8, 1, max_width=11),
    Column("kind", "KIND", 7, 3),
    Column("object", "OBJECT", 15, 4, max_width=44),
    Column("text", "EVENT", 20, 0, max_width=400),
)
READ_SECONDS = 1.0
KINDS = (None, *EventKind)


class EventsScreen(NodeScreen):
    BINDINGS: ClassVar[list[BindingType]] = bindings(EVENTS)
    DEFAULT_CSS = "EventsScreen #about { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }"
    columns = COLUMNS
    reading = "Reading keepalived's log and the journal …"
    sorts: ClassVar = (("", "oldest"),)

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._tail = LogTail()
        self._log: list[Event] = []
        self._actions: list[Event] = []
        self._is_reading = False
        self._kind: EventKind | None = None
        self._drawn_for: object = None
        self._rows: dict[Hashable, Event] = {}
        self._title = ""

    def below_table(self) -> tuple[Widget, ...]:
        return (Static("", id="about", markup=False),)

    def hints(self) -> tuple[tuple[str, str], ...]:
        return (("e", "kind"), ("End", "follow"), *(hint for hint in super().hints() if hint[0] != "d"))

    def on_mount(self) -> None:
        self.set_interval(READ_SECONDS, self.update_sources)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.update_sources()

    def update_sources(self) -> None:
        if self.is_current and not self.host.paused and not self._is_reading:
            self._is_reading = True
            self._read()

    @work(group="events")
    async def _read(self) -> None:
        try:
            self._tail = await self.host.observer.log()
            try:
                self._actions = action_events(await asyncio.to_thread(self.host.backend.journal.entries))
            except OSError:  # screen 8 says why
                self._actions = []
        finally:
            self._is_reading = False
        self.redraw()

    def draw(self, observation: Observation) -> None:
        table = self.table
        following = table.cursor >= len(table.keys) - 1
        shown_for = (self.host.timeline.added, self._tail, self._actions, self.filter, self._kind, self.reversed)
        if shown_for != self._drawn_for:
            self._drawn_for = shown_for
            self._collect()
        now = observation.snapshot.time
        keys = list(self._rows)
        table.show_rows(keys, lambda key: event_cells(self._rows[key], now), changes=False)
        if following and keys and table.cursor != len(keys) - 1:
            table.move_to(len(keys) - 1)
        hidden = 0 if self.filter else sum(bool(DUMP.search(line.text)) for line in self._tail.lines)
        title = title_text(self._kind, self._tail, hidden, following=table.cursor >= len(keys) - 1)
        if title != self._title:
            self._title = title
            self.query_one("#about", Static).update(title)

    def _collect(self) -> None:
        """Merges the sources and filters them. A row keeps its key while others come."""
        log = log_events(self._tail.lines, dumps=bool(self.filter))
        events = merged(self.host.timeline.events, log, self._actions)
        self.table.empty = empty_text(self._tail, events, self.filter, self._kind)
        rows: dict[Hashable, Event] = {}
        for event in events:
            if self._kind in {None, event.kind} and self.matches(*search_texts(event)):
                key, number = event, 1
                while (key, number) in rows:
                    number += 1
                rows[key, number] = event
        self._rows = dict(reversed(rows.items())) if self.reversed else rows

    @property
    def _selected_objects(self) -> frozenset[str]:
        event = self._rows.get(self.table.selected)
        return frozenset(event.objects) if event else frozenset()

    def action_kind(self, step: int) -> None:
        self._kind = KINDS[(KINDS.index(self._kind) + step) % len(KINDS)]
        self.redraw()

    def action_clear(self) -> None:
        self._kind = None
        super().action_clear()
        self.redraw()

    def detail_panel(self, key: Any) -> Panel | None:
        event = self._rows.get(key)
        return Panel(self.host, f"Event: {plain(event.kind.value)}", lambda _now: details(event)) if event else None

    def selected_instance(self, observation: Observation) -> InstanceView | None:
        objects = self._selected_objects
        found = (i for i in observation.vrrp_instances or () if not objects.isdisjoint((i.name, *i.vips)))
        return next(found, None) or super().selected_instance(observation)

    def trace_targets(self, observation: Observation) -> tuple[TraceTarget, ...]:
        objects = self._selected_objects
        return tuple(
            TraceTarget(v.address, instance=v.instance) for v in observation.vips or () if v.address in objects
        )
