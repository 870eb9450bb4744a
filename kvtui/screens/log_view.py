"""The lower half of screen 7: the end of keepalived's log; and the panel of one line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.containers import Vertical
from textual.widgets import Static

from kvtui.model.log import LogTail
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone
from kvtui.widgets.columns import Column
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from kvtui.model.log import LogLine

COLUMNS = (Column("at", "TIME", 8, 1, most=11), Column("text", "MESSAGE", 20, 0, most=400))
ERROR_TEXT = re.compile(r"(?i)\b(FAULT|fail\w*|errors?|warning|invalid|unknown|cannot|unable|removing)\b")
DUMP_TEXT = re.compile(r"\bPrinting .+ on signal$")
"""keepalived logs this for every dump that kvtui requests, twice a minute: it would fill the screen."""
STATE_CHANGE_TEXT = re.compile(r"\b(MASTER|BACKUP) STATE\b|Reload|Starting|Stopping")


class LogView(Vertical):
    """The log, newest line last. The table follows new lines while its cursor is on the last one."""

    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        & > Static { height: 1; background: $panel; color: $foreground; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._tail = LogTail()
        self._title = ""

    def compose(self) -> ComposeResult:
        yield Static("keepalived's log", markup=False)
        yield LineTable(COLUMNS, "Looking for keepalived's log …", id="log")

    @property
    def table(self) -> LineTable:
        return self.query_one(LineTable)

    def line(self, key: Hashable) -> LogLine | None:
        number = int(str(key)) - self._tail.first
        return self._tail.lines[number] if 0 <= number < len(self._tail.lines) else None

    def show(self, tail: LogTail, matches: Callable[[str], bool], now: float, *, dumps: bool = False) -> None:
        """Draws the lines that match. Lines of other days than ``now`` show their date.

        ``dumps`` includes the lines that keepalived logs for each dump.
        """
        self._tail = tail
        table = self.table
        following = table.cursor >= len(table.keys) - 1
        hidden = {n for n, line in enumerate(tail.lines, tail.first) if not dumps and DUMP_TEXT.search(line.text)}
        has_lines = len(tail.lines) > len(hidden)
        table.empty = plain(tail.error) or ("No line matches the filter." if has_lines else "The log is empty.")
        keys: list[Hashable] = [
            n for n, line in enumerate(tail.lines, tail.first) if n not in hidden and matches(line.text)
        ]
        table.show_rows(keys, lambda key: self._cells(key, now), changes=False)
        if following and keys and table.cursor != len(keys) - 1:
            table.move_to(len(keys) - 1)
        self._set_title(tail, len(hidden))

    def _set_title(self, tail: LogTail, hidden: int) -> None:
        without = f"{hidden} lines about dumps hidden" if hidden else ""
        parts = ["keepalived's log", tail.where, without, tail.error if tail.lines else ""]
        title = ": ".join(plain(part) for part in parts if part)
        if title != self._title:
            self._title = title
            self.query_one(Static).update(title)

    def _cells(self, key: Hashable, now: float) -> tuple[Cell, ...]:
        line = self.line(key)
        if line is None:
            return ()
        return (Cell(_clock(line.at, now), Tone.DIM), Cell(plain(line.text), _tone(line.text)))


def _tone(text: str) -> Tone:
    if ERROR_TEXT.search(text):
        return Tone.WARN
    return Tone.STRONG if STATE_CHANGE_TEXT.search(text) else Tone.NORMAL


def _clock(at: float | None, now: float) -> str:
    if at is None:
        return ""
    then, today = (datetime.fromtimestamp(t).astimezone() for t in (at, now))
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%m-%d %H:%M}"


def line_text(line: LogLine) -> str:
    when = "time unknown" if line.at is None else f"{datetime.fromtimestamp(line.at).astimezone():%c}"
    return f"{when}\n{plain(line.text)}"
