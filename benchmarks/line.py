# ruff: noqa: INP001 - part of the benchmarks, which are scripts
"""A command on a pseudo-terminal of 80 by 24: its output and its cost."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TICKS = os.sysconf("SC_CLK_TCK")
KVTUI = (sys.executable, "-m", "kvtui", "--no-kube")


class Line:
    """Runs the command until the ``with`` block ends.

    Args:
        argv: the command.
        env: added to the environment.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.began = time.perf_counter()
        self.sent = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})}
        self._process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._ours, keys.encode())

    def until(self, *texts: str, timeout: float = 60.0) -> float:
        """Returns the seconds until all these texts were sent since the last call of ``forget``.

        Raises:
            TimeoutError: the texts do not come.
        """
        began = time.perf_counter()
        wanted = [text.encode() for text in texts]
        while not all(text in self.sent for text in wanted):
            if time.perf_counter() - began > timeout:
                raise TimeoutError(f"{texts} did not come; the last of {len(self.sent)} bytes: {self.sent[-600:]!r}")
            self._take(0.5)
        return time.perf_counter() - began

    def forget(self) -> None:
        """Drops what was sent so far."""
        self.sent = b""

    def during(self, seconds: float) -> tuple[int, float]:
        """Returns the bytes sent and the CPU seconds of the command and its children in this time."""
        self.forget()
        before, end = self.cpu(), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._take(left)
        return len(self.sent), self.cpu() - before

    def wait(self, seconds: float) -> None:
        """Reads the next output."""
        self._take(seconds)

    def rows(self) -> list[str]:
        """Returns the terminal's rows after all that was sent since the last call of ``forget``."""
        screen = pyte.Screen(80, 24)
        pyte.ByteStream(screen).feed(self.sent)
        return list(screen.display)

    def _take(self, seconds: float) -> None:
        if select.select([self._ours], [], [], seconds)[0]:
            self.sent += os.read(self._ours, 65536)

    def cpu(self) -> float:
        """Returns the CPU seconds so far, including those of children that have ended."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / TICKS

    def key_seconds(self, key: str, *, quiet: float = 0.15, timeout: float = 60.0) -> float:
        """Returns the seconds from a key until the terminal gets output; presses the key while no output comes."""
        while select.select([self._ours], [], [], quiet)[0]:
            os.read(self._ours, 65536)
        began = time.perf_counter()
        self.type(key)
        if not select.select([self._ours], [], [], timeout)[0]:
            raise TimeoutError(f"nothing came after the key {key!r}")
        return time.perf_counter() - began

    def wakeups(self) -> int:
        """Returns how often its threads have begun to wait so far."""
        files = Path(f"/proc/{self._process.pid}/task").glob("*/status")
        lines = (line for file in files for line in file.read_text().splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

    def resident(self) -> float:
        """Returns the resident memory in MB."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
