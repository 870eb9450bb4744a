"""Finds where a keepalived logs, and reads new lines."""

from __future__ import annotations

import glob
import os
import re
import time
from collections import deque
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from kvtui.backend.conf.copies import running_lines, saved_secrets
from kvtui.backend.keepalived.log import journald, pod
from kvtui.backend.keepalived.log.lines import line_of
from kvtui.backend.linux import procfs
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.linux.files import open_regular
from kvtui.model.log import LogLine, LogTail
from kvtui.model.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.keepalived import Keepalived

MAX_LINES = 500
MAX_FIRST_BYTES = 64 * 1024  # at the first reading: the end of the file
MAX_BYTES = 256 * 1024  # at each later reading; above that only the end is read, and a line states the gap
RETRY_SECONDS = 5.0  # until a log that cannot be read is tried again
SYSLOGS = ("/var/log/syslog", "/var/log/daemon.log", "/var/log/messages")
_OURS = re.compile(r" Keepalived\w*(?:\[\d+\])?: ")
_UNIT = re.compile(r"/([^/\n]+\.service)(?:/|$)", re.MULTILINE)


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


class LogReader:
    """The log of one keepalived. Blocks: call it in a thread."""

    def __init__(
        self, keepalived: Keepalived, *, proc: str = "/proc", root: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._keepalived = keepalived
        self._proc = proc
        self._root = root
        self._clock = clock
        self._lines: deque[LogLine] = deque(maxlen=MAX_LINES)
        self._where = ""
        self._source: Callable[[], list[LogLine]] | None = None
        self._first: list[LogLine] = []  # what the source had when it was found
        self._known: frozenset[str] = frozenset()
        self._missing: list[str] = []
        self._looked = 0.0
        self._total = 0
        self._lock = Lock()

    def read(self) -> LogTail:
        """Returns the last lines; they stay after keepalived ended."""
        with self._lock:  # an earlier call that timed out may still run
            return self._read()

    def _read(self) -> LogTail:
        if self._source is None and abs(self._clock() - self._looked) >= RETRY_SECONDS:
            self._looked, self._missing = self._clock(), []
            self._find()
        if self._source is not None:
            try:
                lines, self._first = self._first or self._source(), []
                self._total += len(lines)
                self._lines.extend(lines)
            except OSError as error:
                self._missing = [f"{self._where} can no longer be read: {error.strerror or error}"]
                self._source = None
        error_text = "" if self._source else ". ".join(self._missing)
        return LogTail(tuple(self._lines), self._where, error_text, self._total - len(self._lines))

    def _find(self) -> None:
        """Uses the first log that can be read; the reasons for the others are in ``_missing``."""
        options = parse_arguments(self._keepalived.argv)
        if options.log_file and self._log_file():
            return
        if options.log_console and self._console():
            return
        if options.syslog and self._syslog():
            return
        if not (options.log_file or options.log_console or options.syslog):
            self._missing.append("keepalived writes no log (--no-syslog): add --log-console")

    def _use(self, where: str, tail: Tail, *, only: re.Pattern[str] | None = None) -> bool:
        def read() -> list[LogLine]:
            wanted = [line for line in tail.read() if only is None or only.search(line)]
            known = self._secrets() if wanted else frozenset()
            return [line_of(line, self._clock(), known) for line in wanted]

        try:
            self._first = read()
        except OSError as error:
            self._missing.append(f"{where} cannot be read ({error.strerror or error}): run kvtui as root")
            return False
        self._where, self._source = where, read
        return True

    def _log_file(self) -> bool:
        """Finds the file of ``--log-file`` among open files: its name may include the child's."""
        pids = (self._keepalived.children.vrrp, self._keepalived.children.checker, self._keepalived.pid)
        for pid in filter(None, pids):
            descriptors = glob.glob(f"{self._proc}/{pid}/fd/*")  # noqa: PTH207 - ignores errors
            for descriptor in sorted(descriptors):
                target = procfs.link(descriptor)
                if target.endswith(".log") and self._use(target, Tail(descriptor)):
                    return True
        self._missing.append("kvtui cannot see which --log-file is open: run kvtui as root")
        return False

    def _console(self) -> bool:
        output = f"{self._proc}/{self._keepalived.pid}/fd/2"
        target = procfs.link(output)
        if target.startswith("socket:") and self._journal():
            return True
        if target.startswith("pipe:"):
            return self._container()
        if target.startswith(("/dev/pts/", "/dev/tty", "/dev/console")):
            self._missing.append(f"keepalived logs to the terminal {target}, which kvtui cannot read")
        elif not target:
            self._missing.append("kvtui cannot find out where keepalived logs: run kvtui as root")
        elif target != "/dev/null" and not target.startswith("socket:"):
            return self._use(target, Tail(output))
        return False

    def _container(self) -> bool:
        container = pod.container_of(self._keepalived, self._proc)
        if container and (found := pod.find(container, self._proc, self._root)):
            path, container = found
            if self._use(f"log of pod {container.pod}" if container.pod else path, Tail(path)):
                return True
        self._missing.append(f"keepalived logs to a pipe that its container runtime reads: {advice(container)}")
        return False

    def _syslog(self) -> bool:
        if self._journal():
            return True
        for path in SYSLOGS:
            if _is_there(self._root + path) and self._use(path, Tail(self._root + path), only=_OURS):
                return True
        if _is_there(f"{self._keepalived.root or self._root}/dev/log"):
            self._missing.append(
                "keepalived logs to syslog, but kvtui finds neither the journal nor /var/log/syslog, daemon.log or "
                "messages; on the node run: journalctl -t Keepalived_vrrp -t Keepalived_healthcheckers"
            )
        elif not self._missing:
            self._missing.append(
                "keepalived logs to syslog, but nothing listens on its /dev/log: its messages are lost. "
                "Start it with --dont-fork --log-console"
            )
        return False

    def _journal(self) -> bool:
        if not journald.is_here(self._root):
            return False
        unit = _UNIT.search(procfs.cgroup(self._keepalived.pid, self._proc))
        log = journald.JournalLog(self._keepalived, unit[1] if unit else None, MAX_LINES)
        try:
            self._first = log.read(self._secrets())
        except OSError as error:
            self._missing.append(f"systemd's journal cannot be read: {error.strerror or error}")
            return False
        if not self._first:  # of another machine, or from before its start
            return False
        self._where, self._source = log.where, lambda: log.read(self._secrets())
        return True

    def _secrets(self) -> frozenset[str]:
        """Returns the passwords in the config, on disk and running: keepalived logs lines that it rejects."""
        running = running_lines(self._keepalived.pid) or ()
        self._known |= saved_secrets(self._keepalived) | secrets_in(running)  # an old password stays secret
        return self._known


def _is_there(path: str) -> bool:
    """Whether a path exists; True for a dangling link and without permission."""
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def advice(container: pod.Container | None) -> str:
    if container and container.pod:
        namespace, _, name = container.pod.partition("/")
        where = f"kubectl logs -n {namespace} {name}"
    elif container and container.identity:
        where = f"crictl logs {container.identity[:13]} on its node"
    else:
        where = "kubectl logs, or docker logs, of that container"
    return f"{where}. kvtui shows it where it can see the node's /var/log/pods (a hostPath, or hostPID as root)"
