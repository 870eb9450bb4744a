"""kvtui ends when its terminal is gone, even without a signal, as after ``kubectl exec``."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from kvtui.backend import lost_terminal
from kvtui.backend.lost_terminal import IDLE_TICKS, MAX_UNREAD_TICKS, QUESTION, LostTerminal
from kvtui.backend.output_writer import OutputWriter
from tests.ui.pseudo_terminal import TIMEOUT, PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator

HUNG_UP = 129
ANSWER = "\x1b[1;1R"
QUICK = """
from kvtui.backend import lost_terminal
lost_terminal.TICK_SECONDS, lost_terminal.IDLE_TICKS, lost_terminal.ASK_TICKS = 0.05, 4, 30
lost_terminal.MAX_UNREAD_TICKS = {unread}
from kvtui.__main__ import main
main()
"""


class Seat:
    """A terminal, and the number of queries that it got."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        self.writer = OutputWriter(self.theirs)
        self.asked = 0
        self.lost = LostTerminal([self.theirs], self.writer, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def ticks(self, count: int) -> bool:
        return any(self.lost.tick() for _ in range(count))


@pytest.fixture
def seat() -> Iterator[Seat]:
    made = Seat()
    yield made
    made.writer.abandon()
    for fd in (made.ours, made.theirs):
        os.close(fd)


def test_a_terminal_that_never_answered_is_not_queried(seat: Seat) -> None:
    assert not seat.ticks(10 * IDLE_TICKS)
    assert seat.asked == 0


def test_a_terminal_that_answered_is_queried_after_long_idleness_and_is_gone_if_it_stays_silent(seat: Seat) -> None:
    seat.lost.answered()
    assert not seat.ticks(IDLE_TICKS - 1)
    assert seat.asked == 0
    assert not seat.ticks(lost_terminal.ASK_TICKS * lost_terminal.MAX_UNANSWERED)
    assert seat.asked == lost_terminal.MAX_UNANSWERED
    assert seat.ticks(lost_terminal.ASK_TICKS)


@pytest.mark.parametrize("how", ["answered", "heard"])
def test_an_answer_or_a_key_keeps_the_terminal(seat: Seat, how: str) -> None:
    seat.lost.answered()
    for _ in range(5):
        assert not seat.ticks(IDLE_TICKS)
        assert seat.asked > 0
        getattr(seat.lost, how)()


def test_output_that_stays_unread_means_that_nobody_is_there(seat: Seat) -> None:
    assert not seat.ticks(2 * MAX_UNREAD_TICKS)
    seat.writer.put(b"x" * (1 << 20))  # more than the terminal's buffer can hold
    assert not seat.ticks(MAX_UNREAD_TICKS)
    while not seat.writer.taken:
        os.read(seat.ours, 65536)
    assert not seat.ticks(MAX_UNREAD_TICKS + 1)
    assert seat.ticks(1)


def test_a_closed_window_is_detected_without_a_signal(seat: Seat) -> None:
    assert not seat.lost.tick()
    os.close(seat.ours)
    seat.ours = os.open(os.devnull, os.O_RDONLY)
    assert seat.lost.tick()


def quick(*arguments: str, unread: int = 10_000) -> PseudoTerminal:
    """Returns a kvtui that checks its terminal much more often."""
    return PseudoTerminal("--demo", *arguments, command=(sys.executable, "-c", QUICK.format(unread=unread)))


def test_kvtui_ends_when_its_terminal_no_longer_answers() -> None:
    with quick() as terminal:
        question = QUESTION.encode()
        terminal.until(lambda: question in terminal.raw, "the first question")
        terminal.press(ANSWER)
        terminal.shows("10.4.0.50")
        for count in range(2, 6):
            terminal.until(lambda count=count: terminal.raw.count(question) >= count, "it is asked again")  # type: ignore[misc]
            terminal.press(ANSWER)
        assert terminal.ended() == HUNG_UP
        assert b"\x1b[?1049l" in terminal.raw
        assert "R" not in terminal.lines[0]


def test_kvtui_ends_when_nobody_reads() -> None:
    with quick(unread=10) as terminal:
        terminal.shows("10.4.0.50")
        deadline = time.monotonic() + TIMEOUT
        for size in itertools.cycle(
            [(81, 24), (80, 24)]
        ):  # each resize causes a whole frame, until the terminal's buffer is full
            terminal.resize(size)
            with suppress(subprocess.TimeoutExpired):
                assert terminal.process.wait(timeout=0.2) == HUNG_UP
                break
            assert time.monotonic() < deadline


def test_a_command_that_watches_ends_when_nobody_reads() -> None:
    with quick("--interval", "0.2", "status", "--watch", unread=20) as terminal:
        terminal.shows("10.4.0.50")
        assert terminal.process.wait(timeout=TIMEOUT) in {HUNG_UP, -signal.SIGHUP}
