"""The end of a file that somebody appends to: at most so many bytes at a time, each byte once."""

from __future__ import annotations

import os

from kvtui.backend.linux.files import open_regular

FIRST = 64 * 1024
"""Bytes of a file that is looked at for the first time: its end."""
MOST = 256 * 1024
"""Bytes at one reading later on; of a flood only the end is read, and the gap is said."""


class Tail:
    """Reads what was appended since the last time. Blocking, for regular files: a pipe would be drained by it.

    Args:
        path: of the file; opened anew each time, so that a rotated one is followed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self._rest = b""

    def read(self) -> list[str]:
        """The lines that are whole by now, without their line breaks; bytes that are no UTF-8 are replaced.

        Raises:
            OSError: it cannot be read, or is no regular file.
        """
        handle = open_regular(self.path)
        try:
            return self._read(handle, os.fstat(handle))
        finally:
            os.close(handle)

    def _read(self, handle: int, status: os.stat_result) -> list[str]:
        limit, gap = MOST, True
        if self._file is None:
            limit, gap = FIRST, False
        if self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset:  # rotated, or cut off
            self._file = (status.st_dev, status.st_ino)
            self._offset, self._rest = 0, b""
        start = max(self._offset, status.st_size - limit)
        data = os.pread(handle, status.st_size - start, start)
        skipped, self._offset = start - self._offset, start + len(data)
        if skipped:
            self._rest, data = b"", data.partition(b"\n")[2]
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-FIRST:]
        found = [line.decode("utf-8", "replace") for line in lines]
        return [f"({skipped} bytes were skipped)", *found] if skipped and gap else found
