"""What ``t`` and Enter open: the chain of a VIP, and a server's traffic with its connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import work
from textual.binding import Binding, BindingType

from kvtui.model.connect import TIMEOUT
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone, text_lines
from kvtui.presenters.ipvs import connections_text, server_lines
from kvtui.presenters.trace import trace_lines
from kvtui.presenters.traffic import traffic_charts
from kvtui.rules.chain import ChainIndex
from kvtui.rules.timeline.history import server_key
from kvtui.screens.panel import NOTHING_READ, Panel
from kvtui.widgets.chart import ChartPair

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from textual.widget import Widget

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.presenters.cells import Line
    from kvtui.presenters.trace import Connects, Target
    from kvtui.screens.host import Host

MAX_CONNECTIONS = 500


class TracePanel(Panel):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "connect", "Connect", id="panel.connect", tooltip="Connect to the VIP over TCP, from here"),
    ]

    def __init__(self, host: Host, targets: tuple[Target, ...]) -> None:
        names = [plain(t.address, 60) for t in targets]
        super().__init__(host, f"VIP {names[0]}" if len(names) == 1 else f"{len(names)} VIPs: {', '.join(names)}")
        self._targets = targets
        self._connects: Connects = {}

    def text(self, observation: Observation | None) -> str | Sequence[Line]:
        if observation is None:
            return NOTHING_READ
        lines = trace_lines(ChainIndex(observation), self._targets, self.glyphs, self._connects)
        return [*lines, (), (Cell("c", Tone.FOCUS), Cell(" connect over TCP, from here"))]

    @work(exclusive=True)
    async def action_connect(self) -> None:
        if self.host.latest is None:
            return
        index = ChainIndex(self.host.latest)
        wanted = [
            (t.address, port)
            for t in self._targets
            for port in ([t.port] if t.port else index.ports(t.address))
            if port.protocol is Protocol.TCP
        ]
        if not wanted:
            self.notify("This VIP has no TCP port to connect to.")
            return
        results = await asyncio.gather(
            *(self.host.observer.source.connect(address, port.number, TIMEOUT) for address, port in wanted)
        )
        self._connects = dict(zip(wanted, results, strict=True))
        self.show(self.host.latest)


class ServerDetail(Panel):
    """The virtual server with this key (``history.server_key``), or one of its real servers."""

    DEFAULT_CSS = "ServerDetail ChartPair { height: 6; }"

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
            from kvtui.presenters.drain import drain_chart  # noqa: PLC0415 - imports the actions

            charts = (charts[0], drain_chart(self.host.history, [*drained], self.host.span))
        for pair in self.query(ChartPair):  # none before the panel is composed
            pair.show(charts)

    def _drained(self, observation: Observation | None) -> dict[Hashable, RealServerView]:
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
        lines = server_lines(replace(server, real_servers=reals), self.glyphs)
        if drained := self._drained(observation):
            from kvtui.presenters.drain import drain_text  # noqa: PLC0415 - as above

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
