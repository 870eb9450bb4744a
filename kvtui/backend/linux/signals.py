"""Signals: to exactly the keepalived that was found, and to all processes that descend from one of kvtui's own.

A keepalived gets a signal only while it handles it: the default action would end it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from kvtui.backend.linux import procfs
from kvtui.backend.linux.process import read_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.backend.linux.process import Process
    from kvtui.model.keepalived import Keepalived


MAX_ROUNDS = 100
"""Looks for what was started while the others were killed; a whole process group is killed at once."""


class SignalNotHandledError(OSError):
    """The process neither blocks nor catches the signal (yet)."""


def is_same_process(process: Process | None, keepalived: Keepalived) -> bool:
    """Whether a process is the keepalived that was found, by PID and exact start time, and runs."""
    identity = (keepalived.pid, keepalived.start_ticks)
    return process is not None and not process.zombie and (process.pid, process.start_ticks) == identity


def has_ended(keepalived: Keepalived, proc: str = "/proc") -> bool:
    """Whether it no longer runs.

    A process that ends has neither program nor root long before it is a zombie (do_exit in kernel/exit.c): PID 1 of a
    container waits then for all other processes of the container (zap_pid_ns_processes in kernel/pid_namespace.c).
    """
    is_same = is_same_process(read_process(keepalived.pid, proc), keepalived)
    return not is_same or procfs.program(keepalived.pid, proc) == ""


def send_signal(keepalived: Keepalived, number: int, proc: str = "/proc") -> None:
    """Opens the pidfd first and compares the process then, so that a PID that another process gets does no harm.

    Linux before 5.3 has no pidfds: there a moment remains. Raises ProcessLookupError, SignalNotHandledError, or
    PermissionError (CAP_KILL).
    """
    try:
        fd = os.pidfd_open(keepalived.pid)
    except ProcessLookupError:
        raise
    except OSError:
        fd = -1
    try:
        process = read_process(keepalived.pid, proc)
        if process is None or not is_same_process(process, keepalived):
            raise ProcessLookupError
        if not process.handles(number):
            raise SignalNotHandledError
        if fd >= 0:
            signal.pidfd_send_signal(fd, number)
        else:
            os.kill(keepalived.pid, number)
    finally:
        if fd >= 0:
            os.close(fd)


def signal_descendants(pid: int, number: signal.Signals) -> int:
    """Sends a signal to all that descend from a process, not to itself; returns how many there were."""
    count, groups = 0, {0, os.getpgid(0), _group(pid)}
    for found in _descendants(pid):
        count += 1
        group = _group(found)
        with suppress(ProcessLookupError, PermissionError):
            if group not in groups:
                groups.add(group)
                os.killpg(group, number)
            elif group == _group(pid):
                os.kill(found, number)
    return count


def kill_descendants(pid: int) -> None:
    """Kills all that descend from a process that is the parent of their orphans (``PR_SET_CHILD_SUBREAPER``)."""
    for _ in range(MAX_ROUNDS):
        if not signal_descendants(pid, signal.SIGKILL):
            return


def _descendants(pid: int) -> Iterator[int]:
    with suppress(psutil.Error):
        for found in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if found.status() != psutil.STATUS_ZOMBIE:
                    yield found.pid


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0
