"""The panel of a VIP's chain, layer by layer. ``t`` opens it on every screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from kvtui.model.connect import TIMEOUT
from kvtui.model.ipvs import Protocol
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.glyphs import glyphs
from kvtui.presenters.trace import trace_lines
from kvtui.rules.chain import ChainIndex
from kvtui.screens.panel import NOTHING_READ, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.trace import Connects, Target
    from kvtui.screens.host import Host


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
        marks = glyphs(ascii_only=self.host.settings.ascii)
        lines = trace_lines(ChainIndex(observation), self._targets, marks, self._connects)
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
