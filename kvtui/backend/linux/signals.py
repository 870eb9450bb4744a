"""Signals to exactly the process that was found, and only while it handles them: their default action would end it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from kvtui.backend.linux import procfs
from kvtui.backend.linux.process import read_process

if TYPE_CHECKING:
    from kvtui.backend.linux.process import Process
    from kvtui.model.keepalived import Keepalived


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

    Linux before 5.3 has no pidfds: there a moment remains.

    Raises:
        ProcessLookupError: it is gone.
        SignalNotHandledError: it does not handle the signal.
        PermissionError: it may not be signalled (CAP_KILL).
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
