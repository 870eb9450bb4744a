"""The terminal UI on a terminal that nobody reads: a signal ends it, and who reads again sees the newest, whole."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.output.unread import SIGNALS, end, until, until_full
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    import signal


def _fill(terminal: PseudoTerminal) -> None:
    """Switch screens until the terminal takes nothing more."""
    keys = itertools.cycle("1234")

    until_full(terminal.process.pid, lambda: terminal.press(next(keys)))


def _picture(terminal: PseudoTerminal) -> list[str]:
    """The table, without the trend; that and the charts below go on while the screen is paused."""
    table = itertools.takewhile(lambda line: not line.startswith("────"), terminal.lines)
    return [line[:66].rstrip() for line in table]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it(number: signal.Signals) -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows("10.4.0.50")
        _fill(terminal)
        end(terminal.process, number)
        assert terminal.process.returncode == 128 + number


def test_q_ends_it_too() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows("10.4.0.50")
        _fill(terminal)
        terminal.press("q")
        until(lambda: terminal.process.poll() is not None, "the end")
        assert terminal.process.returncode == 0


def test_who_reads_again_sees_the_newest_frame_whole() -> None:
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
