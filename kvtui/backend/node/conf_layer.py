"""The config on disk and the running config, read again only after a change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.conf import copies, reader
from kvtui.backend.linux.rooted import stat_path
from kvtui.backend.linux.signals import has_ended
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

Signature = tuple[tuple[int, int, int, int] | None, ...]

SAME_MTIME_SECONDS = 2.0
"""A file that was written this recently may be written again without another mtime or size: it is read again."""
REREAD_SECONDS = 10.0
"""The file is read again: a pattern of ``include`` may name a file in a folder that had none ..."""
REREAD_DUTY = 200  # ... but at most every so many times what that takes


def _signature(keepalived: Keepalived, paths: Iterable[str]) -> Signature:
    """Returns device, inode, size and mtime in ns of the files and of their folders; None for what is missing."""
    marks: list[tuple[int, int, int, int] | None] = []
    folders = dict.fromkeys(path.rpartition("/")[0] or "/" for path in paths)
    for path in (*paths, *folders):
        try:
            s = stat_path(path, keepalived.root)
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
        self._file_mark: Signature | None = None
        self._read_at, self._cost = float("-inf"), 0.0
        self._running_mark: tuple[int, int, int] | None = None
        detail = "not read yet" if keepalived else "no keepalived was found"
        self._source = Source(SourceName.CONF, SourceState.UNAVAILABLE, detail)
        self.reloaded = False
        """keepalived was probably reloaded since somebody set this to False: its running config is another, or, where
        it keeps none (before 2.2.0), its file is."""

    def mark_gone(self) -> None:
        """Keeps what was read last, with its age, after keepalived ended: it names the VIPs that a crash leaves."""
        self._keepalived = None
        if self.file is not None or self.running is not None:
            detail = "as last read: keepalived has ended"
            self._source = Source(SourceName.CONF, SourceState.DEGRADED, detail, self._source.read_at)

    def read(self, now: float) -> None:
        """Reads what changed; ``now`` in seconds since the epoch."""
        if self._keepalived is None:
            return
        before, running_before, source = self.file, self.running, self._source
        self._read_file(self._keepalived, now)
        reloaded = self._read_running(self._keepalived, now)
        is_other = self.file is not before or self.running is not running_before
        # it ended after it was looked for: its files went with it, or some of them while they were read
        if is_other and (before or running_before) and has_ended(self._keepalived):
            self.file, self.running, self._source = before, running_before, source
            self.mark_gone()
            return
        edited = before is not None and self.file is not None and before.digest != self.file.digest
        self.reloaded |= reloaded or (edited and self.running is None)

    def _read_file(self, keepalived: Keepalived, now: float) -> None:
        files = self.file.files if self.file else ()
        mark = _signature(keepalived, dict.fromkeys((keepalived.conf, *files)))
        began = time.monotonic()
        due = began - self._read_at >= max(REREAD_SECONDS, REREAD_DUTY * self._cost)
        if mark == self._file_mark and not due:
            self._source = Source(SourceName.CONF, self._source.state, self._source.detail, now)
            return
        try:
            conf = reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.config_id, now=now)
        except OSError as error:
            self.file, self._file_mark = None, None
            self._source = Source(SourceName.CONF, SourceState.UNAVAILABLE, _why(keepalived, error))
            return
        self._read_at, self._cost = began, time.monotonic() - began
        self._remember(keepalived, conf, mark)
        state = SourceState.DEGRADED if conf.problems else SourceState.OK
        more = f" (and {len(conf.problems) - 1} more)" if len(conf.problems) > 1 else ""
        detail = "".join(f"{p.at}: {p.message}{more}" for p in conf.problems[:1])
        self._source = Source(SourceName.CONF, state, detail, now)

    def _remember(self, keepalived: Keepalived, conf: Conf, before: Signature) -> None:
        """Keeps the config, and its signature unless it changed meanwhile, or may yet change without a sign of it."""
        old = self.file
        if old is None or old != replace(conf, read_at=old.read_at, modified=old.modified):
            self.file = conf  # else the same object: what follows from it need not be computed again
        mark = _signature(keepalived, dict.fromkeys((keepalived.conf, *conf.files)))
        newest = max((m[3] for m in mark if m is not None), default=0) / 1e9
        is_certain = set(before) <= set(mark) and abs(time.time() - newest) >= SAME_MTIME_SECONDS
        self._file_mark = mark if is_certain else None

    def _read_running(self, keepalived: Keepalived, now: float) -> bool:
        mark = copies.mark(keepalived.pid)
        if mark == self._running_mark:
            return False
        first, self._running_mark, self.running = self._running_mark is None, mark, None
        if mark is not None:
            self.running = copies.read_running(keepalived.pid, now=now, config_id=keepalived.config_id)
            if self.running is None:  # it was being written
                self._running_mark = None
        return not first

    def source(self) -> Source:
        return self._source


def _why(keepalived: Keepalived, error: OSError) -> str:
    name = f"{keepalived.conf} of PID {keepalived.pid}"
    if isinstance(error, PermissionError):
        return f"{name} cannot be read: run kvtui as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist: a reload now would remove every instance"
    return f"{name}: {error.strerror or error}"
