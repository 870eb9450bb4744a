"""Actions whose output nobody reads are completed or put back, and journaled; on notes in a folder, and on the demo."""

from __future__ import annotations

import itertools
import signal
from typing import TYPE_CHECKING

import pytest

from tests.actions.acting import NOTES
from tests.actions.fakes import note, words
from tests.actions.window import Window, results
from tests.output.unread import SIGNALS, Pipe, catches, end, is_stuck, kvtui, until, until_full

if TYPE_CHECKING:
    from pathlib import Path

ACTING = "tests.actions.acting"


def _fill(window: Window) -> None:
    """Resizes the window until its terminal accepts no more output."""
    sizes = itertools.cycle([(120, 40), (100, 30)])
    until_full(window.process.pid, lambda: window.resize(next(sizes)))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_puts_back_what_a_command_began(tmp_path: Path, number: signal.Signals) -> None:
    for name in NOTES:
        note(tmp_path, name)
    with kvtui(str(tmp_path), "--yes", stdout=Pipe(), stderr=Pipe(), module=ACTING) as process:
        until(lambda: words(tmp_path, *NOTES) == ["new", "old"], "the first note")
        end(process, number)
        assert process.returncode == 130
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -15), (signal.SIGHUP, -1)])
def test_a_command_completes_its_action(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The document is written after the action: a signal ends that wait, and the exit code is the action's."""
    for name in NOTES:
        note(tmp_path, name)
    with kvtui(str(tmp_path), "--yes", stdout=Pipe(), stderr=Pipe(), module=ACTING, env={"PAUSE": "0"}) as process:
        until(lambda: results(tmp_path) == ["done"], "the action is done")
        until(lambda: is_stuck(process.pid, 1) and not catches(process.pid, signal.SIGTERM), "a reader is waited for")
        end(process, number)
        assert process.returncode == code
    assert words(tmp_path, *NOTES) == ["new", "new"]


def test_progress_that_nobody_reads_does_not_block_a_command() -> None:
    with kvtui("--demo", "--yes", "drain", "10.2.68.5:8080", "--wait", stderr=Pipe()) as process:
        until(lambda: process.poll() is not None, "the drain is over")
        assert process.returncode == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_puts_back_what_the_terminal_ui_began(tmp_path: Path, number: signal.Signals) -> None:
    with Window(tmp_path) as window:
        window.act()
        _fill(window)
        end(window.process, number)
        assert window.process.returncode == 128 + number
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_the_terminal_ui_completes_its_action(tmp_path: Path) -> None:
    with Window(tmp_path, env={"PAUSE": "0"}) as window:
        window.shows("10.4.0.50")
        window.press("f")
        window.shows("write the notes", "y apply")
        _fill(window)
        window.press("y")
        until(lambda: results(tmp_path) == ["done"], "the action is done")
        assert is_stuck(window.process.pid, 2)
        window.shows("DONE: as seen")
    assert words(tmp_path, *NOTES) == ["new", "new"]
