"""Runs the kernel of another Debian release with that release's C library.

User-mode Linux is an ordinary program, and Debian 13's needs a newer C library than Debian 12 has. Started by that
library's dynamic loader (``ld.so PROGRAM``), it would miscalculate its memory, which must begin at the program's end,
and could not execute itself again. So a copy of the program names the loader by a path relative to its working folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INTERPRETER = b"/lib64/ld-linux-x86-64.so.2\0"
NAME = b"ld.so"


def with_loader(program: Path, loader: Path, folder: Path) -> list[str]:
    """Makes a copy of the program that uses this loader and the libraries beside it.

    Args:
        program: An ELF program for x86-64.
        loader: The dynamic loader.
        folder: The folder for the copy; the command must run in it.

    Returns:
        The beginning of the command line, in place of the program.

    Raises:
        ValueError: The program does not name its loader exactly once.
    """
    text = program.read_bytes()
    if text.count(INTERPRETER) != 1:
        raise ValueError(f"{program} does not name {INTERPRETER[:-1].decode()} as its loader")
    copy = folder / "linux.uml"
    copy.write_bytes(text.replace(INTERPRETER, NAME.ljust(len(INTERPRETER), b"\0")))
    copy.chmod(0o755)
    (folder / NAME.decode()).symlink_to(loader)
    return ["/usr/bin/env", f"LD_LIBRARY_PATH={loader.parent}", str(copy)]
