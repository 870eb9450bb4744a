"""The config on disk and the running config, read again only after a change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kvtui.backend.conf import reader, running
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

Signature = tuple[tuple[int, int, int, int] | None, ...]


def _signature(paths: tuple[str, ...]) -> Signature:
    """Returns what differs after a change: device, inode, size, mtime in ns; None for a missing file."""
    marks: list[tuple[int, int, int, int] | None] = []
    for path in paths:
        try:
            s = os.stat(path)  # noqa: PTH116 - once a tick for each file
        except OSError:
            marks.append(None)
        else:
            marks.append((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns))
    return tuple(marks)


class ConfLayer:
    def __init__(self, keepalived: Keepalived | None) -> None:
        self.file: Conf | None = None
        self.running: Conf | None = None
        self._keepalived = keepalived
        self._file_mark: Signature = ()
        self._running_mark: tuple[int, int, int] | None = None
        self._source = Source(SourceName.CONF, SourceState.UNAVAILABLE, "no keepalived runs here")

    def mark_gone(self) -> None:
        self._keepalived = None
        if self.file is not None or self.running is not None:
            detail = "as last read: keepalived has ended"
            self._source = Source(SourceName.CONF, SourceState.DEGRADED, detail, self._source.read_at)

    def read(self, now: float) -> bool:
        """Reads what changed.

        Returns:
            Whether keepalived was reloaded since the last call.
        """
        if self._keepalived is None:
            return False
        self._read_file(self._keepalived, now)
        return self._read_running(self._keepalived, now)

    def _read_file(self, keepalived: Keepalived, now: float) -> None:
        files = self.file.files if self.file else ()
        paths = tuple(keepalived.outside(f) for f in dict.fromkeys((keepalived.conf, *files)))
        if self.file is not None and _signature(paths) == self._file_mark:
            self._source = Source(SourceName.CONF, self._source.state, self._source.detail, now)
            return
        try:
            self.file = reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.instance_name, now=now)
        except OSError as error:
            if _ended(keepalived):
                return  # keep what was read last until `mark_gone`
            self.file = None
            self._source = Source(SourceName.CONF, SourceState.UNAVAILABLE, _why(keepalived, error))
            return
        paths = tuple(keepalived.outside(f) for f in dict.fromkeys((keepalived.conf, *self.file.files)))
        self._file_mark = _signature(paths)
        state = SourceState.DEGRADED if self.file.problems else SourceState.OK
        more = f" (and {len(self.file.problems) - 1} more)" if len(self.file.problems) > 1 else ""
        detail = "".join(f"{p.at}: {p.message}{more}" for p in self.file.problems[:1])
        self._source = Source(SourceName.CONF, state, detail, now)

    def _read_running(self, keepalived: Keepalived, now: float) -> bool:
        mark = running.mark(keepalived.pid)
        if mark is None or mark == self._running_mark:
            return False
        first, self._running_mark = self._running_mark is None, mark
        self.running = running.read_running(keepalived.pid, now=now, config_id=keepalived.instance_name)
        return not first

    def source(self) -> Source:
        return self._source


def _ended(keepalived: Keepalived) -> bool:
    """Whether the process whose root we read through has ended or is a zombie: both have no root."""
    try:
        os.stat(keepalived.root or "/")  # noqa: PTH116 - only whether it is there
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    return False


def _why(keepalived: Keepalived, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            f"{keepalived.conf} of PID {keepalived.pid} cannot be read: run kvtui as root, "
            "or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
        )
    if isinstance(error, FileNotFoundError):
        return f"{keepalived.conf} of PID {keepalived.pid} does not exist: a reload now would remove every instance"
    return f"{keepalived.conf} of PID {keepalived.pid}: {error.strerror or error}"
