"""`make pictures`: each screen of the demo at each size and in each theme, as SVG, and as PNG with rsvg-convert.

    python -m tests.ui.pictures FOLDER [SCREEN...]

For reviewing changes of the screens: an independent terminal emulator draws what kvtui sends to a pty.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from kvtui.presenters.keys import VIEWS
from tests.ui.pseudo_terminal import PseudoTerminal
from tests.ui.terminal_picture import svg

SIZES = ((80, 24), (140, 40), (200, 50))
THEMES = ("dark", "light", "ansi16")
SETTLED = 2.0
"""Seconds to wait before a picture: rates need two readings."""


def take(folder: Path, size: tuple[int, int], theme: str, screens: list[str]) -> list[Path]:
    """Takes the pictures of one kvtui process."""
    taken = []
    with PseudoTerminal("--demo", "--theme", theme, size=size, env={"COLORTERM": "truecolor"}) as terminal:
        terminal.shows("10.4.0.50")
        terminal.quiet(SETTLED)
        for view in VIEWS:
            if view.name == "cluster" or (screens and view.name not in screens):  # the demo has one node
                continue
            terminal.press(view.key)
            terminal.quiet(SETTLED)
            path = folder / f"{view.name}-{size[0]}x{size[1]}-{theme}.svg"
            path.write_text(svg(terminal.screen, f"{view.label}, {size[0]}×{size[1]}, {theme}"))
            taken.append(path)
    return taken


def main() -> None:
    """Takes all pictures and prints where they are."""
    folder, screens = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    taken = [path for size in SIZES for theme in THEMES for path in take(folder, size, theme, screens)]
    if shutil.which("rsvg-convert"):
        for path in taken:
            subprocess.run(["rsvg-convert", "-o", path.with_suffix(".png"), path], check=True)
    sys.stdout.write(f"{len(taken)} pictures in {folder}\n")


if __name__ == "__main__":
    main()
