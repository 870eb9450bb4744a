"""A terminal that goes away while the terminal UI carries an action out: put back, or reported at the next start."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from tests.actions.acting import NOTES
from tests.actions.fakes import note, words
from tests.ui.pseudo_terminal import TIMEOUT, PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Window(PseudoTerminal):
    """A terminal in which somebody has agreed to the notes; the first is written."""

    def __init__(self, folder: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        for name in NOTES:
            if not (folder / name).exists():
                note(folder, name)
        super().__init__(*options, env=env, command=(sys.executable, "-m", "tests.actions.acting", str(folder)))

    def act(self) -> None:
        self.shows("10.4.0.50")
        self.press("f")
        self.shows("write the notes", "y apply")
        self.press("y")
        self.shows("Esc interrupt and put back")
        self.acts()

    def acts(self) -> None:
        """Wait until the first note is written."""
        self.until(lambda: words(self.folder, *NOTES) == ["new", "old"], "the first note")

    def close(self) -> None:
        """The window is closed, sshd ends: reads and writes fail from now on, and the kernel sends SIGHUP."""
        os.close(self._ours)
        self._ours = os.open(os.devnull, os.O_RDWR)


def results(folder: Path) -> list[str | None]:
    return [e.result for e in Journal(folder / "state").entries()]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_puts_back_what_the_dialog_began(tmp_path: Path, number: signal.Signals) -> None:
    with Window(tmp_path) as window:
        window.act()
        window.process.send_signal(number)
        assert window.ended() == 128 + number
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_a_window_that_is_closed_puts_back_what_the_dialog_began(tmp_path: Path) -> None:
    with Window(tmp_path) as window:
        window.act()
        window.close()
        window.process.wait(timeout=TIMEOUT)
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_a_window_that_is_closed_puts_back_what_the_command_line_began(tmp_path: Path) -> None:
    """Nothing that is said then arrives anywhere; the exit code is right all the same."""
    with Window(tmp_path, "--yes") as window:
        window.acts()
        window.close()
        assert window.process.wait(timeout=TIMEOUT) == 130
    assert words(tmp_path, *NOTES) == ["old", "old"]
    assert results(tmp_path) == ["put back"]


def test_what_a_kill_left_is_reported_by_the_next_start_and_put_back_from_there(tmp_path: Path) -> None:
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
