"""Finds where a keepalived logs, and reads the end of it again and again."""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from kvtui.backend.conf import copies
from kvtui.backend.linux import procfs
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.log import journald, pod
from kvtui.backend.log.lines import line_of
from kvtui.backend.log.tail import Tail
from kvtui.model.log import LogLine, LogTail
from kvtui.model.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.keepalived import Keepalived

KEPT = 500
"""Lines that are kept."""
AGAIN = 5.0
"""Seconds until a log that could not be read is looked for again."""
SYSLOGS = ("/var/log/syslog", "/var/log/daemon.log", "/var/log/messages")
_OURS = re.compile(r" Keepalived\w*(?:\[\d+\])?: ")
_UNIT = re.compile(r"/([^/\n]+\.service)(?:/|$)", re.MULTILINE)


class LogReader:
    """The log of one keepalived. Everything here blocks: call it in a thread.

    Args:
        keepalived: whose.
        proc: where proc is mounted.
        root: of this machine, for tests.
        clock: seconds since the epoch.
    """

    def __init__(
        self, keepalived: Keepalived, *, proc: str = "/proc", root: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._keepalived = keepalived
        self._proc = proc
        self._root = root
        self._clock = clock
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._where = ""
        self._source: Callable[[], list[LogLine]] | None = None
        self._known: frozenset[str] = frozenset()
        self._missing: list[str] = []
        self._looked = 0.0
        self._seen = 0
        self._lock = Lock()

    def read(self) -> LogTail:
        """The last lines as they are now; what was read once stays when keepalived has ended."""
        with self._lock:  # whoever gave up waiting left a thread behind
            return self._read()

    def _read(self) -> LogTail:
        if self._source is None and abs(self._clock() - self._looked) >= AGAIN:
            self._looked, self._missing = self._clock(), []
            self._find()
        if self._source is not None:
            try:
                lines = self._source()
                self._seen += len(lines)
                self._lines.extend(lines)
            except OSError as error:
                self._missing = [f"{self._where} cannot be read any more: {error.strerror or error}"]
                self._source = None
        trouble = "" if self._source else ". ".join(self._missing)
        return LogTail(tuple(self._lines), self._where, trouble, self._seen - len(self._lines))

    # --- where it goes

    def _find(self) -> None:
        """The first place that can be read; why each of the others cannot stays in ``_missing``."""
        options = parse_arguments(self._keepalived.argv)
        if options.log_file and self._log_file():
            return
        if options.log_console and self._console():
            return
        if options.syslog and self._syslog():
            return
        if not (options.log_file or options.log_console or options.syslog):
            self._missing.append("keepalived logs nowhere (--no-syslog): add --log-console")

    def _use(self, where: str, tail: Tail, *, only: re.Pattern[str] | None = None) -> bool:
        """Take a file that can be read; whether it could."""
        try:
            first = tail.read()
        except OSError as error:
            self._missing.append(f"{where} cannot be read ({error.strerror or error}): run kvtui as root")
            return False

        def read() -> list[LogLine]:
            nonlocal first
            raw, first = (first, []) if first else (tail.read(), [])
            wanted = [line for line in raw if only is None or only.search(line)]
            known = self._secrets() if wanted else frozenset()
            return [line_of(line, self._clock(), known) for line in wanted]

        self._where, self._source = where, read
        return True

    def _log_file(self) -> bool:
        """``--log-file``: by what it has open, which tells also where its children's names were put in."""
        pids = (self._keepalived.children.vrrp, self._keepalived.children.checker, self._keepalived.pid)
        for pid in filter(None, pids):
            for number in self._open_files(pid):
                target = procfs.link(f"{self._proc}/{pid}/fd/{number}")
                if target.endswith(".log") and self._use(target, Tail(f"{self._proc}/{pid}/fd/{number}")):
                    return True
        self._missing.append("the file of --log-file is not seen open: run kvtui as root")
        return False

    def _open_files(self, pid: int) -> list[str]:
        try:
            return sorted(entry.name for entry in Path(f"{self._proc}/{pid}/fd").iterdir())
        except OSError:
            return []

    def _console(self) -> bool:
        """Standard error."""
        output = f"{self._proc}/{self._keepalived.pid}/fd/2"
        target = procfs.link(output)
        if target.startswith("socket:") and self._journal():
            return True
        if target.startswith("pipe:"):
            return self._container()
        if target.startswith(("/dev/pts/", "/dev/tty", "/dev/console")):
            self._missing.append(f"keepalived logs to the terminal {target}, which cannot be read from here")
        elif not target:
            self._missing.append("where keepalived logs cannot be told: run kvtui as root")
        elif target != "/dev/null" and not target.startswith("socket:"):
            return self._use(target, Tail(output))
        return False

    def _container(self) -> bool:
        """The other end of the pipe is the container's runtime."""
        container = pod.container_of(self._keepalived, self._proc)
        found = pod.find(container, self._proc, self._root) if container else None
        if found:
            path, container = found
            if self._use(f"log of pod {container.pod}" if container.pod else path, Tail(path)):
                return True
        self._missing.append(f"keepalived logs to a pipe, which its container's runtime reads: {advice(container)}")
        return False

    def _syslog(self) -> bool:
        if self._journal():
            return True
        for path in SYSLOGS:
            if _is_there(self._root + path) and self._use(path, Tail(self._root + path), only=_OURS):
                return True
        if _is_there(f"{self._keepalived.root or self._root}/dev/log"):
            self._missing.append(
                "keepalived logs to syslog, of which neither the journal nor /var/log/syslog, daemon.log or messages "
                "can be read here; on the node: journalctl -t Keepalived_vrrp -t Keepalived_healthcheckers"
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
        log = journald.JournalLog(self._keepalived, unit[1] if unit else None, KEPT)
        try:
            first = log.read(self._secrets())
        except OSError as error:
            self._missing.append(f"systemd's journal cannot be read: {error.strerror or error}")
            return False
        if not first:  # another machine's, or before it was started
            return False

        def read() -> list[LogLine]:
            nonlocal first
            lines, first = first, []
            return lines or log.read(self._secrets())

        self._where, self._source = log.where, read
        return True

    def _secrets(self) -> frozenset[str]:
        """Passwords of the config, on disk and running: keepalived repeats a line that it does not understand."""
        k = self._keepalived
        try:
            saved = copies.saved_lines(k.conf, root=k.root, config_id=k.instance_name)
        except OSError:
            saved = ()
        running = copies.running_lines(k.pid, config_id=k.instance_name) or ()
        self._known |= secrets_in([*saved, *running])  # one that was changed stays one
        return self._known


def _is_there(path: str) -> bool:
    """Also a link that leads nowhere, and what may not be looked at."""
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def advice(container: pod.Container | None) -> str:
    """Where to look instead."""
    if container and container.pod:
        namespace, _, name = container.pod.partition("/")
        where = f"kubectl logs -n {namespace} {name}"
    elif container and container.identity:
        where = f"crictl logs {container.identity[:13]} on its node"
    else:
        where = "kubectl logs, or docker logs, of that container"
    return f"{where}. kvtui shows it where it can see the node's /var/log/pods (a hostPath, or hostPID as root)"
