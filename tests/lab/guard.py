"""Starts the kernel and makes sure that none of its processes outlives the caller.

    guard.py LIFELINE_FD FOLDER COMMAND…

User-mode Linux is many processes: the kernel, and one for each address space inside. When the kernel is killed, the
others stay for ever. The guard is their subreaper, so they become its children, and it ends only after all of them. The
caller has the other end of the lifeline, a pipe. When the caller ends (by SIGKILL too), the pipe closes, and the guard
also removes the private folder. A byte in the pipe asks the guard to stop and keep the folder.
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
    """Makes orphaned descendants children of this process, see prctl(2)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def start(argv: list[str]) -> int:
    """Forks the kernel into its own session, so that the terminal's Ctrl-C does not reach it directly."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # hostfs keeps each file that the guest used open
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        os.execv(argv[0], argv)  # noqa: S606 - there is no shell on purpose
    return child


def kill_all(kernel: int) -> None:
    """Kills the kernel's process group and waits until no child is left, adopted ones included."""
    while True:
        with contextlib.suppress(ProcessLookupError):  # only zombies may be left
            os.killpg(kernel, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def wait(kernel: int, lifeline: int, wake: int) -> tuple[int, bool]:
    """Waits until the kernel ends or must end. Returns its exit status, and whether the caller is gone."""
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
    """Runs the kernel until it ends, a signal arrives, or the lifeline is closed or written to."""
    become_subreaper()
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - its signature
    wake, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_writer)  # from now on a signal is a byte in this pipe
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
