"""Connections of a virtual server, or of one of its real servers, from /proc/net/ip_vs_conn."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import work

from kvtui.model.ipvs import Protocol, ServiceKey, endpoint
from kvtui.model.text import plain
from kvtui.screens.detail import server_lines
from kvtui.screens.panel import Panel
from kvtui.widgets.history import server_key

if TYPE_CHECKING:
    from kvtui.model.ipvs import Connection
    from kvtui.model.observation import Observation, VirtualServerView
    from kvtui.screens.node_screen import Host

MOST = 500


class ServerDetail(Panel):
    """A virtual server or one of its real servers, with its connections.

    Args:
        virtual: key of the virtual server (``history.server_key``).
        real: address and port of the real server; None for all of them.
    """

    def __init__(self, virtual: tuple[str, str], real: tuple[str, int] | None) -> None:
        super().__init__()
        self._virtual, self._real = virtual, real
        self._connections = "Reading connections …"
        name = plain(virtual[1])
        self.heading = name if real is None else f"{plain(endpoint(*real))} of {name}"

    def on_mount(self) -> None:
        """Read the connections beside."""
        super().on_mount()
        self._read()

    def _find(self, seen: Observation | None) -> VirtualServerView | None:
        every = seen.virtual_servers or () if seen else ()
        return next((v for v in every if server_key(v.protocol.value, v.name) == self._virtual), None)

    def text(self, seen: Observation | None) -> str:
        """The server and its connections."""
        server = self._find(seen)
        if server is None:
            return "This virtual server is gone from the kernel and from the config."
        lines = server_lines(server)
        if self._real is not None:
            lines = [lines[0], *(x for x in lines[1:] if x.startswith(f"  {plain(endpoint(*self._real))} "))]
        return "\n".join([*lines, "", self._connections])

    @work(exclusive=True)
    async def _read(self) -> None:
        host = cast("Host", self.app)
        server = self._find(host.latest)
        if server is None:
            return
        try:
            found, total = await host.connections(service_key(server), self._real, MOST)
        except OSError as error:
            self._connections = f"Connections cannot be read: {plain(str(error))}"
        else:
            self._connections = connections_text(found, total)
        self.show(host.latest)


def service_key(server: VirtualServerView) -> ServiceKey:
    """The kernel's key of a virtual server."""
    if server.fwmark is not None:
        six = any(":" in r.address for r in server.real_servers)
        return (Protocol.FWMARK, "::" if six else "", 0, server.fwmark)
    return (server.protocol, server.address or "", server.port or 0, 0)


def connections_text(found: tuple[Connection, ...], total: int) -> str:
    """A line a connection."""
    if not total:
        return "No connections."
    rows = [
        (
            plain(c.protocol),
            plain(endpoint(*c.client)),
            plain(endpoint(*c.real)),
            plain(c.state),
            f"{c.expires} s",
            plain(c.persistence),
        )
        for c in found
    ]
    head = ("PROTO", "CLIENT", "REAL SERVER", "STATE", "EXPIRES", "")
    widths = [max(len(r[i]) for r in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in (head, *rows)]
    more = [f"… and {total - len(found)} more (kvtui shows the first {MOST})"] if total > len(found) else []
    return "\n".join([f"{total} connections:", *lines, *more])
