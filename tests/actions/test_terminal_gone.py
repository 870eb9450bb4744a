"""The terminal closes during an action: the action is put back, or reported at the next start."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.actions.acting import NOTES
from tests.actions.fakes import words
from tests.actions.window import Window, results
from tests.ui.pseudo_terminal import TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_puts_back_the_action_of_the_dialog(tmp_path: Path, number: signal.Signals) -> None:
    with Window(tmp_path) as window:
        window.act()
        window.process.send_signal(number)
        assert window.ended() == 128 + number
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_a_closed_window_puts_back_the_action_of_the_dialog(tmp_path: Path) -> None:
    with Window(tmp_path) as window:
        window.act()
        window.close()
        window.process.wait(timeout=TIMEOUT)
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_a_closed_window_puts_back_the_action_of_the_command_line(tmp_path: Path) -> None:
    """The output goes nowhere; the exit code is still correct."""
    with Window(tmp_path, "--yes") as window:
        window.acts()
        window.close()
        assert window.process.wait(timeout=TIMEOUT) == 130
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_the_next_start_reports_a_killed_action_and_puts_it_back(tmp_path: Path) -> None:
    with Window(tmp_path) as window:
        window.act()
        window.process.kill()
        window.process.wait(timeout=TIMEOUT)
    assert words(tmp_path, *NOTES) == ["new", "old"]
    assert results(tmp_path) == [None]
    with Window(tmp_path) as window:
        window.shows("An action was interrupted", "1 of 2 steps are done; next: write new into b")
        window.press("u")
        window.shows("undo ", "y apply")
        window.press("y")
        window.shows("· Verified")
        window.press("esc")
        window.until(lambda: "DONE" not in window.text, "the dialog is closed")
        window.press("q")
        assert window.ended() == 0
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back", "done"]
