"""The panels that keys open: ``?`` the keys, ``y`` what was copied, ``t`` the chain of a VIP, Enter a server."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import work
from textual.binding import Binding, BindingType

from kvtui.model.connect import TIMEOUT
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.settings import Clipboard
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone, line_text, text_lines
from kvtui.presenters.chart import drain_chart, traffic_charts
from kvtui.presenters.ipvs import connections_text, server_lines
from kvtui.presenters.keymap import key_name
from kvtui.presenters.keys import VIEWS
from kvtui.presenters.trace import CHAIN_TITLE, SHORT_NAMES, trace_lines
from kvtui.rules.chain import LAYERS, ChainIndex, Mark
from kvtui.rules.timeline.history import server_key
from kvtui.screens.panel import NOTHING_READ, Panel
from kvtui.widgets.chart import ChartPair

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from textual.widget import Widget

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.presenters.trace import Connects, TraceTarget
    from kvtui.screens.host import Host

KEYS = "Keys"
NO_BREAK = "\N{NO-BREAK SPACE}"
GROUPS = ("Actions", "This screen", "kvtui", "Rows")
SCREENS = frozenset(f"view.{view.name}" for view in VIEWS)
MIN_TWO_COLUMNS = 70
HEADINGS = {
    Clipboard.NONE: "This terminal has no clipboard: select the text",
    Clipboard.PLAIN: "Copied, if this terminal allows it (OSC 52); or select the text",
    Clipboard.TMUX: "Copied, if tmux allows it (set-clipboard on); or select the text",
    Clipboard.SCREEN: "Copied, if the terminal around screen allows it; or select the text",
}
MAX_CHUNK_BYTES = 700
"""Longest string to send through screen, whose limit is 768 (MAXSTR)."""
WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^ ])+""")
"""Text without a blank that is neither quoted nor escaped."""
MAX_CONNECTIONS = 500


def legend(marks: Glyphs) -> str:
    words = {Mark.OK: "ok", Mark.BROKEN: "broken", Mark.UNKNOWN: "unknown", Mark.NONE: "not expected"}
    shown = {**marks.marks, Mark.OK: f"{marks.marks[Mark.OK]} {marks.whole}"}
    legend_marks = "  ".join(f"{shown[mark]} {word}" for mark, word in words.items())
    return f"""{CHAIN_TITLE}, one mark per layer:  {" ".join(SHORT_NAMES[layer] for layer in LAYERS)}
{legend_marks}  {marks.critical} critical  {marks.warning} warning
{marks.self_mark} this node  bold: changed  n{marks.differs}m: kernel n, config m"""


class HelpPanel(Panel):
    def __init__(self, host: Host, listed: list[Binding]) -> None:
        super().__init__(host, KEYS)
        self._listed = listed

    def text(self, observation: Observation | None) -> list[Line]:
        del observation
        return help_text(self._listed, self.text_width, self.glyphs)


def help_text(bindings: list[Binding], width: int, marks: Glyphs) -> list[Line]:
    groups: dict[str, dict[str, list[str]]] = {name: {} for name in GROUPS}
    screens: list[str] = []
    for binding in bindings:
        if binding.id in SCREENS:
            screens.append(f"{key_name(binding.key)}{NO_BREAK}{binding.description}")
        elif binding.id and "." in binding.id and binding.tooltip:
            groups[_group(binding.id)].setdefault(binding.tooltip, []).append(key_name(binding.key))
    rows = [
        row
        for name, keys in groups.items()
        if keys
        for row in ((name.upper(), ""), *((" ".join(dict.fromkeys(k)), what) for what, k in keys.items()))
    ]
    tabs = "\n".join(wrap("  ".join(screens), max(10, width))).replace(NO_BREAK, " ")
    return [*text_lines(tabs), *in_columns(rows, width), *text_lines(legend(marks))]


def _group(binding_id: str) -> str:
    scope = binding_id.partition(".")[0]
    return {"act": "Actions", "view": "Rows", "table": "Rows", "app": "kvtui"}.get(scope, "This screen")


def in_columns(rows: list[tuple[str, str]], width: int) -> list[Line]:
    """Returns keys and what they do; a row without the latter is a heading, which stays above its first row."""
    lead = max((len(key) for key, what in rows if what), default=0) + 1
    if width < MIN_TWO_COLUMNS:
        return [line for key, what in rows for line in _entry(key, what, lead, width)]
    half = (width - 1) // 2
    entries = [_entry(key, what, lead, half) for key, what in rows]
    total, taken = sum(map(len, entries)), 0
    while 2 * sum(map(len, entries[:taken])) < total:
        taken += 1
    if taken and not rows[taken - 1][1]:
        taken -= 1
    left, right = ([line for entry in part for line in entry] for part in (entries[:taken], entries[taken:]))
    pairs = zip_longest(left, right, fillvalue=())
    return [(*a, Cell(" " * (half + 1 - len(line_text(a)))), *b) if b else a for a, b in pairs]


def _entry(key: str, what: str, lead: int, width: int) -> list[Line]:
    if not what:
        return [(Cell(key, Tone.STRONG),)]
    first, *others = wrap(what, max(10, width - lead)) or [""]
    return [(Cell(f"{key:<{lead}}", Tone.FOCUS), Cell(first)), *((Cell(" " * lead + more),) for more in others)]


class CopyPanel(Panel):
    """The copied text over the whole width, with nothing next to it that a mouse selection would include."""

    DEFAULT_CSS = """
    CopyPanel {
        align: center bottom;
        & > VerticalScroll { max-width: 100%; border: none; border-top: solid $primary; padding: 0; }
    }
    """

    def __init__(self, host: Host, copied: str) -> None:
        super().__init__(host, f"{HEADINGS[host.settings.clipboard]}   Esc close")
        self.copied = copied

    def text(self, observation: Observation | None) -> str:
        # with backslashes, because a pasted newline would run half a command
        del observation
        return "\n".join(shell_lines(self.copied, self.size.width - 2))


def shell_lines(command: str, width: int) -> list[str]:
    """Returns a command in lines of at most ``width`` columns that a shell joins: all but the last end in a backslash.

    Lines break only at blanks outside quotes. A longer word stays whole, and the terminal wraps it.
    """
    lines = [""]
    for part in WORD.findall(command):
        longer = f"{lines[-1]} {part}" if lines[-1] else part
        if len(longer) <= width - 2 or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(part)
    if len(lines) > 1 and len(f"{lines[-2]} {lines[-1]}") <= width:
        lines[-2:] = [f"{lines[-2]} {lines[-1]}"]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def one_line(text: str) -> str:
    """Pasting the result runs nothing by itself."""
    return plain(text).strip()


def copy_sequence(text: str, clipboard: Clipboard) -> str:
    """Returns the sequence that copies the text; empty where there is no clipboard.

    tmux handles the bare sequence with ``set-clipboard on``, and forwards a wrapped one with ``allow-passthrough on``
    (before 3.3 always); it gets both. screen only forwards wrapped ones, in chunks.
    """
    bare = f"\x1b]52;c;{b64encode(text.encode()).decode()}\a"
    if clipboard is Clipboard.NONE:
        return ""
    if clipboard is Clipboard.TMUX:
        return bare + "\x1bPtmux;" + bare.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if clipboard is Clipboard.SCREEN:
        return "".join(f"\x1bP{bare[i : i + MAX_CHUNK_BYTES]}\x1b\\" for i in range(0, len(bare), MAX_CHUNK_BYTES))
    return bare


class TracePanel(Panel):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "connect", "Connect", id="panel.connect", tooltip="Connect to the VIP over TCP, from here"),
    ]

    def __init__(self, host: Host, targets: tuple[TraceTarget, ...]) -> None:
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
            from kvtui.presenters.chart import drain_text  # noqa: PLC0415 - as above

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
