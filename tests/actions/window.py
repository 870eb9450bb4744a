"""A terminal that runs an action and can close meanwhile."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from kvtui.actions.core.journal import Journal
from tests.actions.acting import NOTES
from tests.actions.fakes import note, words
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Window(PseudoTerminal):
    """A terminal that shows kvtui with an action on notes."""

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
        """Waits until the first note is written."""
        self.until(lambda: words(self.folder, *NOTES) == ["new", "old"], "the first note")

    def close(self) -> None:
        """Closes the window, as when sshd ends: reads and writes fail, and the kernel sends SIGHUP."""
        os.close(self._ours)
        self._ours = os.open(os.devnull, os.O_RDWR)


def results(folder: Path) -> list[str | None]:
    return [e.result for e in Journal(folder / "state").entries()]
