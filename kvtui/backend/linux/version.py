"""The version of a keepalived, read from the bytes of its program; nothing is run."""

from __future__ import annotations

import os
import re
from pathlib import Path

MAX_PROGRAM_BYTES = 64 << 20
MAX_PROGRAMS = 1000
CHUNK_BYTES = 1 << 20
MAX_VERSION_BYTES = 64
VERSION = re.compile(rb"Keepalived v(\d{1,9}\.\d{1,9}[\w.]{0,20})(?![\w.])(?=.)", re.DOTALL)

_versions: dict[tuple[int, int, int], str | None] = {}  # by device, inode and mtime: a program is searched once


def read_version(program: str) -> str | None:
    """Returns what the program says of itself, such as ``2.2.7``; None when it cannot be read or does not say."""
    try:
        with Path(program).open("rb") as file:
            status = os.fstat(file.fileno())
            key = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if key not in _versions:
                if len(_versions) >= MAX_PROGRAMS:
                    _versions.clear()
                _versions[key] = _search(file.fileno(), status.st_size)
    except OSError:
        return None
    return _versions[key]


def _search(fd: int, size: int) -> str | None:
    if not 0 < size <= MAX_PROGRAM_BYTES:
        return None
    content = b""
    while chunk := os.read(fd, CHUNK_BYTES):  # not mapped: if the file is cut meanwhile, SIGBUS would end kvtui
        content = content[-MAX_VERSION_BYTES:] + chunk
        if match := VERSION.search(content):
            return match[1].decode()
    return None
