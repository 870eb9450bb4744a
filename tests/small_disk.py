"""A folder on a small file system that a test can fill."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 4096
"""Bytes that a tmpfs allocates at once."""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Fills the file system and the journal's last page, so that the next line does not fit."""
    journal = folder / "journal.jsonl"
    if journal.exists():
        with journal.open("ab", buffering=0) as file:
            file.write(b" " * (-journal.stat().st_size % PAGE - 1) + b"\n")
    with (folder / "full").open("wb", buffering=0) as file, suppress(OSError):  # ENOSPC
        while file.write(bytes(PAGE)) == PAGE:
            pass


def make_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
