"""Reads the end of a growing file: a bounded number of bytes at a time, each byte once."""

from __future__ import annotations

import os

from kvtui.backend.linux.files import open_regular

MAX_FIRST_BYTES = 64 * 1024  # at the first reading: the end of the file
MAX_BYTES = 256 * 1024  # at each later reading; above that only the end is read, and a line states the gap


class Tail:
    """Reads what was appended since the last call. Blocks. Only for regular files: reading would drain a pipe."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self._rest = b""

    def read(self) -> list[str]:
        """Returns the new whole lines, with invalid UTF-8 replaced. Raises OSError like ``open_regular``."""
        handle = open_regular(self.path)
        try:
            return self._read(handle, os.fstat(handle))
        finally:
            os.close(handle)

    def _read(self, handle: int, status: os.stat_result) -> list[str]:
        limit, gap = MAX_BYTES, True
        if self._file is None:
            limit, gap = MAX_FIRST_BYTES, False
        if self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset:  # rotated or truncated
            self._file = (status.st_dev, status.st_ino)
            self._offset, self._rest = 0, b""
        start = max(self._offset, status.st_size - limit)
        data = os.pread(handle, status.st_size - start, start)
        skipped, self._offset = start - self._offset, start + len(data)
        if skipped:
            self._rest, data = b"", data.partition(b"\n")[2]
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-MAX_FIRST_BYTES:]
        found = [line.decode("utf-8", "replace") for line in lines]
        return [f"({skipped} bytes were skipped)", *found] if skipped and gap else found
