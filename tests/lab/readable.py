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
OTHERS_ENTER = 0o001
OTHERS_READ = 0o005


def closed_folders(paths: Iterable[Path]) -> list[Path]:
    """Returns the folders on the way to these paths that other users cannot enter, outermost first."""
    ways = {folder for path in paths for way in (path, path.resolve()) for folder in (way, *way.parents)}
    return sorted(f for f in ways if f.is_dir() and not f.stat().st_mode & OTHERS_ENTER)


def opening_script(project: Path = PROJECT) -> str:
    """Returns shell lines for root in the guest that open the clone and its Python; empty when they are open."""
    lines = []
    closed = closed_folders([project, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve()])
    if closed:
        lines.append(f"chmod o+x -- {shlex.join(map(str, closed))}\n")
    package = project / "kvtui"
    if package.stat().st_mode & OTHERS_READ != OTHERS_READ:
        lines.append(f"chmod -R o+rX -- {shlex.quote(str(package))}\n")
    return "".join(lines)
