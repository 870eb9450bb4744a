"""The version of a keepalived, read from the bytes of its program; nothing is run."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

MAX_PROGRAM_BYTES = 64 << 20

_versions: dict[tuple[int, int, int], str | None] = {}  # by device, inode and mtime: a program is searched once


def read_version(program: str) -> str | None:
    """Returns what the program says of itself, such as ``2.2.7``; None when it cannot be read or does not say."""
    try:
        with Path(program).open("rb") as file:
            status = os.fstat(file.fileno())
            key = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if key not in _versions:
                _versions[key] = _search(file.fileno(), status.st_size)
    except OSError:
        return None
    return _versions[key]


def _search(fd: int, size: int) -> str | None:
    if not 0 < size <= MAX_PROGRAM_BYTES:
        return None
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as content:
        match = re.search(rb"Keepalived v(\d+\.\d+[\w.]*)", content)
        return match[1].decode() if match else None
