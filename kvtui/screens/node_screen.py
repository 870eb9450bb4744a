"""What the three screens have in common: header, body, filter, key line, sort, and how an observation reaches them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from textual import on
from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.screen import Screen
from textual.widgets import Input

from kvtui.presenters.keys import NODE_SCREEN
from kvtui.screens.lifecycle import is_drawable
from kvtui.widgets.bindings import bindings
from kvtui.widgets.glyphs import Glyphs, glyphs
from kvtui.widgets.header import HeaderLine, header_text, is_critical
from kvtui.widgets.keyline import KeyLine
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from textual.binding import BindingType
    from textual.widget import Widget

    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.log import LogTail
    from kvtui.model.observation import Observation
    from kvtui.model.settings import UiSettings
    from kvtui.presenters.keymap import Keymap
    from kvtui.screens.trace_panel import Target
    from kvtui.widgets.history import History

    SortKey = Callable[[Any], Any]


PRINTING = "[^\\x00-\\x1f\\x7f-\\xa0\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\uf8ff\\ufeff]*"
"""What may be typed or pasted into a filter: no control character, no mark that has no width."""


FILTERED = ("Esc", "ends the filter")
"""The first words of the key line while rows are hidden."""


def natural(text: str) -> tuple[int | str, ...]:
    """Sort key of a name or an address: numbers count by their value, so that 10.4.0.9 comes before 10.4.0.50."""
    return _natural(text)


@lru_cache(maxsize=4096)
def _natural(text: str) -> tuple[int | str, ...]:
    """Kept: the same rows are sorted at every tick."""
    # every second part is a number; 18 digits: int() refuses very long ones, and a name from outside may be one
    return tuple(int(p) if i % 2 else p.casefold() for i, p in enumerate(re.split("([0-9]{1,18})", text)))


class Host(Protocol):
    """What a screen may ask of the app."""

    settings: UiSettings
    keymap: Keymap
    history: History
    latest: Observation | None
    paused: bool

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """See ``Observer.connections``."""
        ...

    async def keepalived_log(self) -> LogTail:
        """See ``Observer.log``."""
        ...

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        """See ``SnapshotSource.connect``."""
        ...


class NodeScreen(Screen[None]):
    """A screen that draws observations.

    Subclasses give ``table`` its rows in ``rows`` and may add widgets in ``extra``.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(NODE_SCREEN)
    DEFAULT_CSS = """
    NodeScreen { & Input { display: none; padding: 0 1; } & Input.open { display: block; } }
    """
    sorts: ClassVar[tuple[tuple[str, str], ...]] = (("", "as it comes"),)
    """(name of a column, word for it); the first is the order as it comes."""
    highest_first: ClassVar[frozenset[str]] = frozenset()
    """Columns of which one wants to see the highest values."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = ""
        self.sort = 0
        self.reversed = False

    @property
    def host(self) -> Host:
        """The app, as far as a screen may know it."""
        return cast("Host", self.app)

    @property
    def glyphs(self) -> Glyphs:
        """What to draw with."""
        return glyphs(ascii_only=self.host.settings.ascii)

    def make_table(self) -> LineTable:
        """The screen's table."""
        raise NotImplementedError

    def extra(self) -> tuple[Widget, ...]:
        """What stands below the table."""
        return ()

    def draw(self, seen: Observation) -> None:
        """Give the widgets an observation."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Header, table, what is below, filter, keys."""
        yield HeaderLine()
        yield self.make_table()
        yield from self.extra()
        yield Input(placeholder="part of a name, address, state …", id="filter", compact=True, restrict=PRINTING)
        scope, keymap = type(self).__name__, self.host.keymap
        yield KeyLine(tuple((keymap.hint(key, scope), word) for key, word in self.hints()))

    def hints(self) -> tuple[tuple[str, str], ...]:
        """What the key line says."""
        return (
            ("1", "VIPs"),
            ("2", "VRRP"),
            ("3", "IPVS"),
            ("4", "maps"),
            ("5", "findings"),
            ("7", "log"),
            ("Enter", "detail"),
            ("t", "trace"),
            ("r", "reload"),
            ("d", "drain"),
            ("p", "priority"),
            ("f", "failover"),
            ("/", "filter"),
            ("s", "sort"),
            ("space", "pause"),
            ("i", "sources"),
            ("q", "quit"),
            ("?", "keys"),
        )

    @property
    def table(self) -> LineTable:
        """The screen's table."""
        return self.query_one(LineTable)

    def looked_at(self, seen: Observation) -> frozenset[ServiceKey]:
        """The virtual servers whose real servers must be as they are now; those of others may be some seconds old."""
        del seen
        return frozenset()

    def show(self, seen: Observation) -> None:
        """Draw an observation, header included."""
        if not is_drawable(self):
            return
        label, hint = self.host.settings.source_label, self.host.keymap.hint
        text = header_text(
            seen, label, self.size.width, paused=self.host.paused, sources=hint("i", ""), findings=hint("5", "")
        )
        self.query_one(HeaderLine).show(text, critical=is_critical(seen))
        self.table.sorted_by(self.sorts[self.sort][0], self.glyphs.down if self._falling else self.glyphs.up)
        self.table.find(self.filter)
        self.draw(seen)

    def again(self) -> None:
        """Draw the latest observation again: another filter, sort or size."""
        if self.host.latest is not None:
            self.show(self.host.latest)

    def on_screen_resume(self) -> None:
        """Come back with what is known now."""
        self.table.focus()
        self.again()

    def on_resize(self) -> None:
        """The header and the sparklines depend on the width."""
        self.call_after_refresh(self.again)

    # --- copying

    def by_hand(self, seen: Observation) -> str | None:
        """The command that does or shows by hand what the row under the cursor says; None where there is none."""
        raise NotImplementedError

    def action_copy(self) -> None:
        """Copy the command, and show it: many terminals have no clipboard."""
        seen = self.host.latest
        self._copy(self.by_hand(seen) if seen is not None else None)

    def action_copy_row(self) -> None:
        """Copy the row as text."""
        self._copy(self.table.row_text)

    def _copy(self, text: str | None) -> None:
        from kvtui.screens.copying import CopyPanel, one_line  # noqa: PLC0415 - only on the key

        if not text:
            self.app.notify("There is nothing to copy on this row.", markup=False)
            return
        copied = one_line(text)
        self.app.copy_to_clipboard(copied)
        self.app.push_screen(CopyPanel(copied, self.host.settings.clipboard))

    # --- filter and sort

    def matches(self, *texts: str | None) -> bool:
        """Whether a row with these texts passes the filter."""
        wanted = self.filter.casefold()
        return not wanted or any(wanted in t.casefold() for t in texts if t)

    def ordered(self, rows: list[Hashable], keys: dict[str, SortKey]) -> list[Hashable]:
        """The rows in the chosen order; stable, so equal rows keep their own."""
        name = self.sorts[self.sort][0]
        if name in keys:
            return sorted(rows, key=keys[name], reverse=self._falling)
        return rows[::-1] if self.reversed else rows

    @property
    def _falling(self) -> bool:
        """Highest first: what counts something begins with its highest value, ``S`` turns it round."""
        return (self.sorts[self.sort][0] in self.highest_first) is not self.reversed

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Within the filter a slash is a character."""
        del parameters
        return not (action == "filter" and isinstance(self.focused, Input))

    def traced(self) -> tuple[Target, ...]:
        """The VIPs that what is under the cursor is about."""
        return ()

    def action_trace(self) -> None:
        """Open the chain of the VIP under the cursor."""
        from kvtui.screens.trace_panel import TracePanel  # noqa: PLC0415 - only on its key

        if targets := self.traced():
            self.app.push_screen(TracePanel(targets))
        else:
            self.notify("There is no VIP under the cursor: go to one on screen 1 or 4.", markup=False)

    def action_filter(self) -> None:
        """Open the filter; the very next key is its."""
        entry = self.query_one(Input)
        entry.add_class("open")
        self.set_focus(entry)

    def action_clear(self) -> None:
        """Close the filter, show every row, and take messages away."""
        self.app.clear_notifications()
        entry = self.query_one(Input)
        entry.value = ""
        entry.remove_class("open")
        self.filter = ""
        self.table.focus()
        self.again()

    @on(Input.Changed)
    def _filtered(self, event: Input.Changed) -> None:
        self.filter = event.value
        # rows that a forgotten filter hides look like VIPs that are gone
        self.query_one(KeyLine).begin_with(*((FILTERED,) if self.filter else ()))
        self.again()

    @on(Input.Submitted)
    def _keep_filter(self) -> None:
        self.query_one(Input).set_class(bool(self.filter), "open")
        self.table.focus()

    def action_sort(self, step: int) -> None:
        """Sort by the next column."""
        self.sort = (self.sort + step) % len(self.sorts)
        self.reversed = False
        self.again()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self.reversed = not self.reversed
        self.again()
