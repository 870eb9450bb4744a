"""One VIP, layer by layer: the first break is named, with what to do next. ``t`` opens it on every screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from msgspec import Struct
from textual import work
from textual.binding import Binding, BindingType

from kvtui.model.connect import TIMEOUT
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.text import plain
from kvtui.model.units import coarse
from kvtui.rules.chain import ChainIndex, Mark, connect_link, first_break, port_chain
from kvtui.screens.detail import server_lines
from kvtui.screens.panel import Panel
from kvtui.widgets.glyphs import UNICODE, glyphs

if TYPE_CHECKING:
    from kvtui.model.connect import Connect
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation
    from kvtui.rules.chain import Link, Links, Port
    from kvtui.screens.node_screen import Host
    from kvtui.widgets.glyphs import Glyphs

OLD = 60.0
"""Seconds: what is older says so. Younger ages would draw the panel anew each second."""


class Target(Struct, frozen=True):
    """What to trace.

    Attributes:
        address: of the VIP.
        port: only this one; None for all of the VIP's.
        instance: of which VRRP instance, where several have the address.
    """

    address: str
    port: Port | None = None
    instance: str | None = None


Connects = dict[tuple[str, "Port"], "Connect"]


class TracePanel(Panel):
    """The chains of one VIP, or of an instance's VIPs.

    Args:
        targets: at least one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "connect", "Connect", id="panel.connect", tooltip="Connect to the VIP over TCP, from here"),
    ]

    def __init__(self, targets: tuple[Target, ...]) -> None:
        super().__init__()
        self._targets = targets
        self._connects: Connects = {}
        names = [plain(t.address, 60) for t in targets]
        self.heading = f"VIP {names[0]}" if len(names) == 1 else f"{len(names)} VIPs: {', '.join(names)}"

    def text(self, seen: Observation | None) -> str:
        """Every layer of each port."""
        if seen is None:
            return "Nothing was read yet."
        drawing = glyphs(ascii_only=cast("Host", self.app).settings.ascii)
        return trace_text(ChainIndex(seen), self._targets, drawing, self._connects)

    def action_connect(self) -> None:
        """Connect to each TCP port that is shown; a person asked for it."""
        self._connect()

    @work(exclusive=True)
    async def _connect(self) -> None:
        host = cast("Host", self.app)
        if host.latest is None:
            return
        index = ChainIndex(host.latest)
        wanted = [
            (t.address, port)
            for t in self._targets
            for port in ([t.port] if t.port else index.ports(t.address))
            if port.protocol is Protocol.TCP
        ]
        if not wanted:
            self.notify("This VIP has no TCP port to connect to.")
            return
        made = await asyncio.gather(*(host.connect(address, port.number, TIMEOUT) for address, port in wanted))
        self._connects = dict(zip(wanted, made, strict=True))
        self.show(host.latest)


def trace_text(
    index: ChainIndex, targets: tuple[Target, ...], drawing: Glyphs = UNICODE, connects: Connects | None = None
) -> str:
    """The chains in words, a block for each port of each VIP."""
    blocks = [
        _block(index, target, port, drawing, connects or {})
        for target in targets
        for port in ([target.port] if target.port else index.ports(target.address) or (None,))
    ]
    return "\n\n".join([*blocks, "c connects over TCP, from here"])


def _block(index: ChainIndex, target: Target, port: Port | None, drawing: Glyphs, connects: Connects) -> str:
    seen, address = index.seen, target.address
    view = next((v for v in seen.vips or () if (v.instance, v.address) == (target.instance, address)), None)
    links = port_chain(index, address, port, view=view)
    if port is not None and (address, port) in connects:
        links = (*links, connect_link(index, address, port, connects[address, port]))
    name = plain(address) if port is None else f"{port.protocol.value} {plain(endpoint(address, port.number))}"
    entry = index.entries.get(address)
    lines = [name if entry is None else f"{name}  {entry_text(entry)}"]
    lines += verdict(links, of_node=seen.snapshot.kube is None)
    lines += [link_line(link, drawing) for link in links]
    lines += [f"  note: {plain(n)}" for n in (entry.notes if entry else ())]
    if view := view or index.views.get(address):
        lines.append(f"  instance {plain(view.instance)}: {view.state.value} on {plain(view.interface or '?')}")
    server = index.kernel.get(address, {}).get(port) if port else None
    return "\n".join([*lines, *(server_lines(server) if server else ())])


WHOLE_NODE = "Every layer of this node is whole; what a cluster asks for was not looked at."


def verdict(links: Links, *, of_node: bool) -> list[str]:
    """The first break and what to do next.

    Args:
        links: of a chain.
        of_node: only this node was looked at, not the cluster.
    """
    broken = first_break(links)
    if broken is None:
        unknown = [link.layer.words for link in links if link.mark is Mark.UNKNOWN]
        if unknown:
            return [f"No layer is known to be broken; not known: {', '.join(unknown)}."]
        return [WHOLE_NODE if of_node else "Every layer is whole."]
    return [f"FIRST BREAK: {broken.layer.words}.", f"> {plain(broken.remedy)}"]


def link_line(link: Link, drawing: Glyphs) -> str:
    """One layer: its mark, its name, what it says, and how old that is when it is old."""
    old = f"  [{coarse(link.age)} old]" if link.age is not None and link.age >= OLD else ""
    return f"{drawing.marks[link.mark]} {link.layer.words:<15}{plain(link.detail)}{old}"


def entry_text(entry: Mapping) -> str:
    """An entry of the ConfigMap in a few words."""
    if entry.error:
        return f"{plain(entry.value, 60)}: {plain(entry.error)}"
    told = "" if entry.source == "configmap" else ", as keepalived.conf tells"
    if entry.target is None:
        return f"the VIP alone{told}"
    return f"{plain('/'.join(entry.target), 130)} by {plain(entry.method or '?', 20)}{told}"
