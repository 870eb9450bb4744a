"""The lower half of screen 7: the end of keepalived's log, and one line of it whole."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.containers import Vertical
from textual.widgets import Static

from kvtui.model.log import LogTail
from kvtui.model.text import plain
from kvtui.screens.panel import Panel
from kvtui.widgets.columns import Cell, Column, Tone
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from kvtui.model.log import LogLine
    from kvtui.model.observation import Observation

COLUMNS = (Column("at", "TIME", 8, 1, most=11), Column("text", "MESSAGE", 20, 0, most=400))
TROUBLED = re.compile(r"(?i)\b(FAULT|fail\w*|errors?|warning|invalid|unknown|cannot|unable|removing)\b")
ASKED = re.compile(r"\bPrinting .+ on signal$")
"""What keepalived logs whenever it is asked for a dump, which kvtui does twice a minute: it would fill the screen."""
TURNING = re.compile(r"\b(MASTER|BACKUP) STATE\b|Reload|Starting|Stopping")


class LogView(Vertical):
    """Its title says where the lines come from; the newest stands at the end, and is followed there."""

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
        """Title and lines."""
        yield Static("keepalived's log", markup=False)
        yield LineTable(COLUMNS, "Looking for keepalived's log …", id="log")

    @property
    def table(self) -> LineTable:
        """The lines."""
        return self.query_one(LineTable)

    def line(self, key: Hashable) -> LogLine | None:
        """The line of a row; None when it is not kept any more."""
        number = int(str(key)) - self._tail.first
        return self._tail.lines[number] if 0 <= number < len(self._tail.lines) else None

    def show(self, tail: LogTail, matches: Callable[[str], bool], at: float, *, dumps: bool = False) -> None:
        """Draw the lines that match.

        Args:
            tail: what is known.
            matches: the screen's filter.
            at: now, in seconds since the epoch: an older day is named.
            dumps: also what keepalived logs when it is asked for a dump.
        """
        self._tail = tail
        table = self.table
        following = table.cursor >= len(table.keys) - 1
        hidden = {n for n, line in enumerate(tail.lines, tail.first) if not dumps and ASKED.search(line.text)}
        told = len(tail.lines) - len(hidden)
        table.empty = plain(tail.error) or ("No line has that text." if told else "Nothing was logged yet.")
        keys: list[Hashable] = [
            n for n, line in enumerate(tail.lines, tail.first) if n not in hidden and matches(line.text)
        ]
        table.show_rows(keys, lambda key: self._cells(key, at), changes=False)
        if following and keys and table.cursor != len(keys) - 1:
            table.move_to(len(keys) - 1)
        self._entitle(tail, len(hidden))

    def _entitle(self, tail: LogTail, hidden: int) -> None:
        without = f"{hidden} lines about dumps left out" if hidden else ""
        parts = ["keepalived's log", tail.where, without, tail.error if tail.lines else ""]
        title = ": ".join(plain(part) for part in parts if part)
        if title != self._title:
            self._title = title
            self.query_one(Static).update(title)

    def _cells(self, key: Hashable, at: float) -> tuple[Cell, ...]:
        line = self.line(key)
        if line is None:
            return ()
        tone = Tone.WARN if TROUBLED.search(line.text) else Tone.STRONG if TURNING.search(line.text) else Tone.NORMAL
        return (Cell(_clock(line.at, at), Tone.DIM), Cell(plain(line.text), tone))


def _clock(at: float | None, now: float) -> str:
    if at is None:
        return ""
    then, today = (datetime.fromtimestamp(t).astimezone() for t in (at, now))
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%m-%d %H:%M}"


class LogLinePanel(Panel):
    """One line, whole.

    Args:
        line: of the log.
    """

    heading = "keepalived's log"

    def __init__(self, line: LogLine) -> None:
        super().__init__()
        self._line = line

    def text(self, seen: Observation | None) -> str:
        """When, and what."""
        del seen
        at = self._line.at
        when = "at a time that it does not say" if at is None else f"{datetime.fromtimestamp(at).astimezone():%c}"
        return f"{when}\n{plain(self._line.text)}"
