"""A virtual server or a real server: charts of its traffic, and its connections from /proc/net/ip_vs_conn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.containers import Horizontal

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.presenters.drain import drain_chart, drain_text
from kvtui.presenters.ipvs import connections_text, server_lines
from kvtui.presenters.traffic import traffic_charts
from kvtui.rules.timeline.history import server_key
from kvtui.screens.panel import Panel
from kvtui.widgets.chart import ChartBox

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.screens.host import Host

MAX_CONNECTIONS = 500


class ServerDetail(Panel):
    """The virtual server with this key (``history.server_key``), or one of its real servers."""

    DEFAULT_CSS = """
    ServerDetail {
        & Horizontal { height: 6; }
        & ChartBox { width: 1fr; padding-right: 1; }
    }
    """

    def __init__(self, host: Host, virtual: tuple[str, str], real: tuple[str, int] | None) -> None:
        name = plain(virtual[1])
        super().__init__(host, name if real is None else f"{plain(endpoint(*real))} of {name}")
        self._virtual, self._real = virtual, real
        self._connections = "Reading connections …"

    def above(self) -> tuple[Widget, ...]:
        return (Horizontal(*(ChartBox(ascii_only=self.host.settings.ascii) for _ in range(2))),)

    def on_mount(self) -> None:
        super().on_mount()
        self._read()

    def show(self, observation: Observation | None) -> None:
        super().show(observation)
        key = self._virtual if self._real is None else (self._virtual, self._real)
        charts = traffic_charts(self.host.history, key, self.host.span)
        if drained := self._drained(observation):
            charts = (charts[0], drain_chart(self.host.history, [*drained], self.host.span))
        for box, chart in zip(self.query(ChartBox), charts, strict=False):
            box.show(chart)

    def _drained(self, observation: Observation | None) -> dict[Hashable, RealServerView]:
        """Returns the real server by its key in the history, if it is drained."""
        server = self._find(observation) if self._real is not None else None
        reals = server.real_servers if server else ()
        return {(self._virtual, r.key): r for r in reals if r.key == self._real and r.weight == 0}

    def _find(self, observation: Observation | None) -> VirtualServerView | None:
        servers = observation.virtual_servers or () if observation else ()
        return next((v for v in servers if server_key(v.protocol.value, v.name) == self._virtual), None)

    def text(self, observation: Observation | None) -> str:
        server = self._find(observation)
        if server is None:
            return "This virtual server is neither in the kernel nor in the config any more."
        lines = server_lines(server)
        if self._real is not None:
            prefix = f"  {plain(endpoint(*self._real))} "
            lines = [lines[0], *(line for line in lines[1:] if line.startswith(prefix))]
        if drained := self._drained(observation):
            lines.append(f"  drained: {drain_text(self.host.history, drained)}")
        return "\n".join([*lines, "", self._connections])

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
