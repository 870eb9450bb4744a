"""A virtual server or a real server: charts of its traffic, and its connections from /proc/net/ip_vs_conn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual import work

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone, text_lines
from kvtui.presenters.chart import drain_chart, drain_text, traffic_charts
from kvtui.presenters.glyphs import glyphs
from kvtui.presenters.ipvs import connections_text, server_lines
from kvtui.rules.timeline.history import server_key
from kvtui.screens.panel import Panel
from kvtui.widgets.chart import ChartPair

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from textual.widget import Widget

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.presenters.cells import Line
    from kvtui.screens.host import Host

MAX_CONNECTIONS = 500


class ServerDetail(Panel):
    """The virtual server with this key (``history.server_key``), or one of its real servers."""

    DEFAULT_CSS = """
    ServerDetail {
        & ChartPair { height: 6; }
    }
    """

    def __init__(self, host: Host, virtual: tuple[str, str], real: tuple[str, int] | None) -> None:
        name = plain(virtual[1])
        super().__init__(host, name if real is None else f"{plain(endpoint(*real))} of {name}")
        self._virtual, self._real = virtual, real
        self._connections = "Reading connections …"

    def above(self) -> tuple[Widget, ...]:
        return (ChartPair(ascii_only=self.host.settings.ascii),)

    def on_mount(self) -> None:
        super().on_mount()
        self._read()

    def show(self, observation: Observation | None) -> None:
        super().show(observation)
        key = self._virtual if self._real is None else (self._virtual, self._real)
        charts = traffic_charts(self.host.history, key, self.host.span)
        if drained := self._drained(observation):
            charts = (charts[0], drain_chart(self.host.history, [*drained], self.host.span))
        for pair in self.query(ChartPair):  # none before the panel is composed
            pair.show(charts)

    def _drained(self, observation: Observation | None) -> dict[Hashable, RealServerView]:
        """Returns the real server by its key in the history, if it is drained."""
        server = self._find(observation) if self._real is not None else None
        reals = server.real_servers if server else ()
        return {(self._virtual, r.key): r for r in reals if r.key == self._real and r.weight == 0}

    def _find(self, observation: Observation | None) -> VirtualServerView | None:
        servers = observation.virtual_servers or () if observation else ()
        return next((v for v in servers if server_key(v.protocol.value, v.name) == self._virtual), None)

    def text(self, observation: Observation | None) -> Sequence[Line]:
        server = self._find(observation)
        if server is None:
            return text_lines("This virtual server is neither in the kernel nor in the config any more.")
        reals = tuple(r for r in server.real_servers if self._real in {None, r.key})
        marks = glyphs(ascii_only=self.host.settings.ascii)
        lines = server_lines(replace(server, real_servers=reals), marks)
        if drained := self._drained(observation):
            lines.append((Cell(f"  drained: {drain_text(self.host.history, drained)}", Tone.WARN),))
        return [*lines, (), *text_lines(self._connections)]

    @work(exclusive=True)
    async def _read(self) -> None:
        server = self._find(self.host.latest)
        if server is None:
            return
        try:
            connections, total = await self.host.observer.connections(server.key, self._real, MAX_CONNECTIONS)
        except OSError as error:
            self._connections = f"Connections cannot be read: {plain(str(error))}"
        else:
            self._connections = connections_text(connections, total)
        self.show(self.host.latest)
