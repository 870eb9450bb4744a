"""Bytes that kvtui sends, counted on a pty: none while nothing changes, few while little changes."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
TIMEOUT = 180.0


class Line:
    """A terminal line, and the ticks of the program at its end."""

    def __init__(self, terminal: int, ticks: int) -> None:
        self.terminal, self.ticks = terminal, ticks
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def picture(self) -> list[str]:
        """Returns what the terminal shows: each line's text, bold characters in brackets."""
        rows = (self._screen.buffer[y] for y in range(24))
        return ["".join(f"[{row[x].data}]" if row[x].bold else row[x].data for x in range(80)) for row in rows]

    def press(self, key: str) -> None:
        os.write(self.terminal, key.encode())

    def during(self, ticks: int) -> int:
        """Returns the bytes that arrived while the program drew so many observations."""
        seen, size, deadline = 0, 0, time.monotonic() + TIMEOUT
        while seen < ticks:
            assert time.monotonic() < deadline, "kvtui stopped to observe"
            ready, _, _ = select.select([self.terminal, self.ticks], [], [], 1.0)
            if self.terminal in ready:
                sent = os.read(self.terminal, 65536)
                self._stream.feed(sent)
                size += len(sent)
            if self.ticks in ready:
                seen += len(os.read(self.ticks, ticks - seen))
        return size

    def answer(self, what: str) -> None:
        """Waits until something was sent."""
        deadline = time.monotonic() + TIMEOUT
        while self.during(1) == 0:
            assert time.monotonic() < deadline, f"nothing was drawn after {what!r}"

    def shows(self, text: str) -> None:
        """Waits until the screen shows it."""
        deadline = time.monotonic() + TIMEOUT
        while not any(text in row for row in self._screen.display):
            assert time.monotonic() < deadline, f"{text!r} was never drawn"
            self.during(1)

    def settle(self) -> None:
        """Waits until three observations in a row have sent nothing."""
        deadline = time.monotonic() + TIMEOUT
        quiet = 0
        while quiet < 3:
            assert time.monotonic() < deadline, "the screen never comes to rest"
            quiet = 0 if self.during(1) else quiet + 1


@contextmanager
def kvtui(changing: int = 0, kind: str = "full") -> Iterator[Line]:
    terminal, theirs = pty.openpty()
    ticks, ticks_fd = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.ticking", str(ticks_fd), str(changing), kind],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=[ticks_fd],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LINES": "24", "COLUMNS": "80"},
    )
    os.close(theirs)
    os.close(ticks_fd)
    try:
        yield Line(terminal, ticks)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(ticks)


@pytest.mark.parametrize("kind", ["full", "empty"])
def test_a_screen_on_which_nothing_changes_sends_nothing(kind: str) -> None:
    with kvtui(kind=kind) as line:
        line.settle()
        assert line.during(8) == 0
        for keys in "2", "3", "i", "?", "\x1b", "1\r", "3/10.2\r":
            for number, key in enumerate(keys):  # one by one: a busy kvtui reads them late
                line.press(key)
                if number == 0:  # Enter draws nothing in an empty table
                    line.answer(key)
                line.settle()
            assert line.during(8) == 0, keys


def test_a_log_without_new_lines_sends_nothing() -> None:
    with kvtui() as line:
        line.during(3)
        line.press("7")
        line.answer("7")
        line.settle()
        assert any("VRRP sockpool" in text for text in line.picture)
        assert line.during(40) == 0  # the log is read every second


def test_five_changed_rows_of_two_hundred_cost_little() -> None:
    with kvtui(changing=5) as line:
        line.during(5)
        line.press("3")
        line.shows("└ 10.2.0.18:8080")
        line.during(10)

        each = line.during(20) / 20

        assert 20 < each < 1500  # DataTable: 12,300 (textual-and-netlink.md)


def test_rows_off_screen_send_nothing_of_their_own() -> None:
    with kvtui(changing=5) as line:
        line.during(5)
        line.press("3")
        line.press("\x1b[F")  # End
        line.shows("└ 10.2.0.199:8080")
        line.during(10)

        each = line.during(20) / 20

        assert each < 100  # the sum of active connections is in the virtual server's row, which is off screen


def test_partial_updates_draw_the_same_as_a_full_redraw() -> None:
    with kvtui(changing=5, kind="stops") as line:
        line.during(5)
        line.press("3")
        line.during(35)
        line.settle()
        after_updates = line.picture
        line.press("1")
        line.answer("1")
        elsewhere = line.picture
        line.press("3")
        line.answer("3")
        line.settle()

        assert any("10.2.0.4:8080" in text for text in after_updates)
        assert elsewhere != after_updates
        assert line.picture == after_updates
