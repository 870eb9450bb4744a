"""Lets other users inside the lab's guest read this clone and its Python, wherever they are.

Homes have mode 0700 (/root, and every home since Debian 12), and with umask 077 the files of a clone are private too.
The guest's root is an overlay: what is changed here is gone with the kernel, and the host's files keep their modes.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT = Path(__file__).resolve().parents[2]
FOR_OTHERS = 0o005
"""Others may list and enter a folder: Python lists those that it imports from."""


def closed_folders(paths: Iterable[Path]) -> list[Path]:
    """Returns the folders on the way to these paths that other users cannot list and enter."""
    ways = {folder for path in paths for way in (path, path.resolve()) for folder in (way, *way.parents)}
    return sorted(folder for folder in ways if folder.is_dir() and is_closed(folder))


def is_closed(path: Path) -> bool:
    """Whether the file mode keeps other users out."""
    return path.stat().st_mode & FOR_OTHERS != FOR_OTHERS


def opening_script(project: Path = PROJECT) -> str:
    """Returns shell lines for root in the guest that open the clone and its Python; empty when they are open."""
    lines = []
    closed = closed_folders([project, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve()])
    if closed:
        lines.append(f"chmod o+rx -- {shlex.join(map(str, closed))}\n")
    package = project / "kvtui"
    if is_closed(package):
        lines.append(f"chmod -R o+rX -- {shlex.quote(str(package))}\n")
    return "".join(lines)
