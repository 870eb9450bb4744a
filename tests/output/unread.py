"""Runs kvtui with output that nobody reads."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROJECT = Path(__file__).parents[2]
TIMEOUT = 180.0
"""Seconds until a wait fails; long, because the machine may be busy."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DRAW_SECONDS = 0.2
PAGE = 4096
WRITE = {"1", "64"}
"""write(2) on x86-64 and on arm64, as /proc/PID/task/TID/syscall shows it."""


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT:g} s: {what}"
        time.sleep(0.02)


def until_full(pid: int, draw: Callable[[], None]) -> None:
    """Lets the terminal UI draw until its terminal accepts no more output.

    Waits for it to draw each time: it draws only when it has nothing else to do.
    """
    drawn = 0.0

    def is_full() -> bool:
        nonlocal drawn
        if time.monotonic() - drawn > DRAW_SECONDS:
            draw()
            drawn = time.monotonic()
        return is_stuck(pid, 2)

    until(is_full, "the terminal is full")


def is_stuck(pid: int, fd: int) -> bool:
    """Returns whether a thread of the process waits in write(2) to this descriptor."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            call = (task / "syscall").read_text().split()
        except FileNotFoundError:  # the thread has ended
            continue
        if call[0] in WRITE and call[1] == hex(fd):
            return True
    return False


def catches(pid: int, number: signal.Signals) -> bool:
    """Returns whether the process has a handler for the signal, as while an action runs."""
    caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def default_signals() -> None:
    """Restores signals in the child: a background script passes ignored signals on to its children."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


class Pipe:
    """A pipe of one page that nobody reads until ``read_all``.

    Args:
        filled: whether the pipe is full from the start.
    """

    def __init__(self, *, filled: bool = True) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PAGE)
        if filled:
            os.write(self.writer, b"." * PAGE)

    def close(self) -> None:
        os.close(self.reader)


@contextmanager
def kvtui(
    *arguments: str,
    stdout: Pipe | None = None,
    stderr: Pipe | None = None,
    env: Mapping[str, str] | None = None,
    module: str = "kvtui",
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs kvtui with its output in these pipes, or discarded."""
    kept = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout.writer if stdout else subprocess.DEVNULL,
        stderr=stderr.writer if stderr else subprocess.DEVNULL,
        cwd=PROJECT,
        env={**kept, "LANG": "C.UTF-8", **(env or {})},
        preexec_fn=default_signals,  # noqa: PLW1509 - no threads run here
    )
    for pipe in {stdout, stderr} - {None}:
        assert pipe is not None
        os.close(pipe.writer)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in {stdout, stderr} - {None}:
            assert pipe is not None
            pipe.close()


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends the signal and waits for the end; a process that waits for a reader would never end."""
    process.send_signal(number)
    until(lambda: process.poll() is not None, f"the end by {number.name}")
