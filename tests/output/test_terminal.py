"""The terminal UI on a terminal that nobody reads: a signal ends it, and a new reader gets the whole newest frame."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.output.unread import SIGNALS, end, until, until_full
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    import signal


def _fill(terminal: PseudoTerminal) -> None:
    """Switches screens until the terminal accepts no more output."""
    keys = itertools.cycle("1234")

    until_full(terminal.process.pid, lambda: terminal.press(next(keys)))


def _picture(terminal: PseudoTerminal) -> list[str]:
    """Returns the table without the trend, which continues while the screen is paused, like the charts below it."""
    table = itertools.takewhile(lambda line: not line.startswith("────"), terminal.lines)
    return [line[:66].rstrip() for line in table]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it(number: signal.Signals) -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows("10.4.0.50")
        _fill(terminal)
        end(terminal.process, number)
        assert terminal.process.returncode == 128 + number


def test_q_ends_it() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows("10.4.0.50")
        _fill(terminal)
        terminal.press("q")
        until(lambda: terminal.process.poll() is not None, "the end")
        assert terminal.process.returncode == 0


def test_a_reader_that_resumes_gets_the_whole_newest_frame() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows("10.4.0.50")
        _fill(terminal)
        terminal.press("2", "\x1b[B", "3", " ", "3")
        terminal.shows("VIRTUAL / REAL SERVER", "PAUSED since")
        terminal.until(lambda: terminal.quiet(0.5) == 0, "the last frame is out")
        again = _picture(terminal)
        terminal.press("1")
        terminal.shows("OWNER")
        terminal.press("3")
        terminal.shows("VIRTUAL / REAL SERVER")
        terminal.until(lambda: terminal.quiet(0.5) == 0, "the last frame is out")
        assert _picture(terminal) == again
        terminal.press("q")
        assert terminal.ended() == 0
    assert terminal.raw.count(b"\x1b[?1049l") == 1
