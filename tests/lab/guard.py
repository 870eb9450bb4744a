"""Starts the kernel and makes sure that nothing of it outlives whoever asked for it.

    guard.py LIFELINE_FD FOLDER COMMAND…

User-mode Linux is not one process but many: the kernel, and one for each address space inside. When the kernel is
killed the others stay behind for ever. The guard is their subreaper, so they become its children, and it does not
leave before all of them are gone. The caller holds the other end of the lifeline, a pipe: when the caller ends,
however it ends (SIGKILL too), the pipe closes, and the guard also removes the private folder. A byte before that
means: stop, but I still need the folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import shutil
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def become_subreaper() -> None:
    """Make orphans among our descendants our own children, see prctl(2)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def start(argv: list[str]) -> int:
    """Fork the kernel into a session of its own, so that the terminal's Ctrl-C never reaches it directly."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # hostfs keeps each file open that the guest knows
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        os.execv(argv[0], argv)  # noqa: S606 - there is no shell on purpose
    return child


def kill_all(kernel: int) -> None:
    """Kill the kernel's process group and wait until no child is left, adopted ones included."""
    while True:
        with contextlib.suppress(ProcessLookupError):  # the group may be empty already, with zombies that wait for us
            os.killpg(kernel, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def wait(kernel: int, lifeline: int, wake: int) -> tuple[int, bool]:
    """Wait until the kernel ends or must end: its exit status, and whether the caller is gone."""
    while True:
        ready, _, _ = select.select([wake, lifeline], [], [])
        pid, code = os.waitpid(kernel, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(code), False
        if lifeline in ready:
            return 1, os.read(lifeline, 1) == b""
        if any(number in STOPPING for number in os.read(wake, 4096)):
            return 1, False


def guard(lifeline: int, folder: str, argv: list[str]) -> int:
    """Run the kernel until it ends, a signal comes, or the lifeline says so."""
    become_subreaper()
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - that is its signature
    wake, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(tell)  # from here on a signal is a byte in this pipe
    for number in (*STOPPING, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    kernel = start(argv)
    status, orphaned = wait(kernel, lifeline, wake)
    kill_all(kernel)
    if orphaned:
        shutil.rmtree(folder, ignore_errors=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
