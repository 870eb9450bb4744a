"""What goes over the wire, counted on a pty: nothing while nothing changes, little while little does."""

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
        """What an operator sees: each line's text, bold characters in brackets."""
        rows = (self._screen.buffer[y] for y in range(24))
        return ["".join(f"[{row[x].data}]" if row[x].bold else row[x].data for x in range(80)) for row in rows]

    def press(self, key: str) -> None:
        os.write(self.terminal, key.encode())

    def during(self, ticks: int) -> int:
        """Bytes that came while the program took so many observations."""
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
        """Until something was sent."""
        deadline = time.monotonic() + TIMEOUT
        while self.during(1) == 0:
            assert time.monotonic() < deadline, f"nothing was drawn after {what!r}"

    def shows(self, text: str) -> None:
        """Until it stands on the screen."""
        deadline = time.monotonic() + TIMEOUT
        while not any(text in row for row in self._screen.display):
            assert time.monotonic() < deadline, f"{text!r} was never drawn"
            self.during(1)

    def settle(self) -> None:
        """Until three observations in a row have sent nothing."""
        deadline = time.monotonic() + TIMEOUT
        quiet = 0
        while quiet < 3:
            assert time.monotonic() < deadline, "the screen never comes to rest"
            quiet = 0 if self.during(1) else quiet + 1


@contextmanager
def kvtui(changing: int = 0, kind: str = "full") -> Iterator[Line]:
    terminal, theirs = pty.openpty()
    ticks, told = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.ticking", str(told), str(changing), kind],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=[told],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LINES": "24", "COLUMNS": "80"},
    )
    os.close(theirs)
    os.close(told)
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


def test_a_log_to_which_nothing_is_added_sends_nothing() -> None:
    with kvtui() as line:
        line.during(3)
        line.press("7")
        line.answer("7")
        line.settle()
        assert any("VRRP sockpool" in text for text in line.picture)
        assert line.during(40) == 0  # the log is looked at every second


def test_five_changed_rows_of_two_hundred_cost_little() -> None:
    with kvtui(changing=5) as line:
        line.during(5)
        line.press("3")
        line.shows("└ 10.2.0.18:8080")
        line.during(10)

        each = line.during(20) / 20

        assert 20 < each < 1500  # DataTable: 12,300 (textual-and-netlink.md)


def test_rows_that_are_not_on_the_screen_cost_nothing_of_their_own() -> None:
    with kvtui(changing=5) as line:
        line.during(5)
        line.press("3")
        line.press("\x1b[F")  # End
        line.shows("└ 10.2.0.199:8080")
        line.during(10)

        each = line.during(20) / 20

        assert each < 100  # the sum of active connections stands on the virtual server's row, which is off screen


def test_what_was_drawn_in_parts_is_what_a_whole_redraw_draws() -> None:
    with kvtui(changing=5, kind="stops") as line:
        line.during(5)
        line.press("3")
        line.during(35)
        line.settle()
        in_parts = line.picture
        line.press("1")
        line.answer("1")
        elsewhere = line.picture
        line.press("3")
        line.answer("3")
        line.settle()

        assert any("10.2.0.4:8080" in text for text in in_parts)
        assert elsewhere != in_parts
        assert line.picture == in_parts
