"""Lets other users in the lab's guest read this clone and its Python.

Home folders have mode 0700 (/root, and every home since Debian 12), and umask 077 makes the files of a clone private.
The guest's root is an overlay: the changes are lost when the kernel ends, and the host's files keep their modes.
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
"""Mode bits that let other users list and enter a folder. Python lists the folders that it imports from."""


def closed_folders(paths: Iterable[Path]) -> list[Path]:
    """Returns these paths' parent folders, and folders among them, that other users cannot list and enter."""
    folders = {folder for path in paths for way in (path, path.resolve()) for folder in (way, *way.parents)}
    return sorted(folder for folder in folders if folder.is_dir() and is_closed(folder))


def is_closed(path: Path) -> bool:
    """Whether the file mode denies access to other users."""
    return path.stat().st_mode & FOR_OTHERS != FOR_OTHERS


def opening_script(project: Path = PROJECT) -> str:
    """Returns shell lines that make the clone and its Python readable, for root in the guest; empty if they are."""
    lines = []
    closed = closed_folders([project, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve()])
    if closed:
        lines.append(f"chmod o+rx -- {shlex.join(map(str, closed))}\n")
    package = project / "kvtui"
    if is_closed(package):
        lines.append(f"chmod -R o+rX -- {shlex.quote(str(package))}\n")
    return "".join(lines)
