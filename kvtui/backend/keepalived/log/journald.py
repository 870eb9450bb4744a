"""keepalived's lines in systemd's journal, read by journalctl(1), which needs no running journald."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.keepalived.log.lines import without_secrets
from kvtui.model.log import LogLine

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

FOLDERS = ("/run/log/journal", "/var/log/journal")
TIMEOUT = 5.0  # seconds, for a large journal on a slow disk


def is_here(root: str = "") -> bool:
    return any(_has_files(root + folder) for folder in FOLDERS) and shutil.which("journalctl") is not None


def _has_files(folder: str) -> bool:
    """Whether a folder has files; without permission True, and journalctl reports the error."""
    try:
        return any(Path(folder).iterdir())
    except PermissionError:
        return True
    except OSError:
        return False


class JournalLog:
    def __init__(self, keepalived: Keepalived, unit: str | None, max_lines: int) -> None:
        children = keepalived.children
        pids = (keepalived.pid, children.vrrp, children.checker, children.bfd)
        # matches of the same field are alternatives
        self._matches = [f"_SYSTEMD_UNIT={unit}"] if unit else [f"_PID={pid}" for pid in pids if pid]
        self._max_lines = max_lines
        self._cursor = ""
        self.where = "systemd's journal" + (f", {unit}" if unit else "")

    def read(self, known: frozenset[str]) -> list[LogLine]:
        since = [f"--after-cursor={self._cursor}"] if self._cursor else []
        options = ["--quiet", "--no-pager", "--output=json", f"--lines={self._max_lines}"]
        try:
            done = subprocess.run(
                ["journalctl", *options, *since, *self._matches],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"journalctl took longer than {TIMEOUT:.0f} s") from late
        if done.returncode:
            raise OSError(None, (done.stderr.strip().splitlines() or ["it failed"])[-1], "journalctl")
        found = []
        for line in done.stdout.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                self._cursor = str(entry["__CURSOR"])
                at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
                found.append(LogLine(without_secrets(_message(entry), known), at))
        return found


def _message(entry: dict[str, object]) -> str:
    """Returns the message with its identifier; one that is not UTF-8 comes as a list of bytes."""
    message = entry.get("MESSAGE")
    text = bytes(message).decode("utf-8", "replace") if isinstance(message, list) else str(message or "")
    return f"{entry.get('SYSLOG_IDENTIFIER') or 'keepalived'}: {text}"
