"""A kernel of another Debian release with its own C library, on a machine whose C library is older.

User-mode Linux is an ordinary program: Debian 13's needs a newer C library than Debian 12 has. Started by that
library's dynamic loader (``ld.so PROGRAM``) it would miscount its memory, which has to begin at its own end, and could
not start itself again. So a copy of the program names the loader by a path relative to the folder where it starts.
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
        folder: For the copy; the command has to be run in it.

    Returns:
        The words that begin the command line, in place of the program.

    Raises:
        ValueError: The program does not name its loader in the one place where it is expected.
    """
    text = program.read_bytes()
    if text.count(INTERPRETER) != 1:
        raise ValueError(f"{program} does not name {INTERPRETER[:-1].decode()} as its loader")
    copy = folder / "linux.uml"
    copy.write_bytes(text.replace(INTERPRETER, NAME.ljust(len(INTERPRETER), b"\0")))
    copy.chmod(0o755)
    (folder / NAME.decode()).symlink_to(loader)
    return ["/usr/bin/env", f"LD_LIBRARY_PATH={loader.parent}", str(copy)]
