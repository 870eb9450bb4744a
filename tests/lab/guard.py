"""Starts the kernel and makes sure that nothing of it outlives whoever asked for it.

User-mode Linux is not one process but many: one for the kernel, and one for each address space inside. When the kernel is killed the others
stay behind, stopped for ever. The guard is their subreaper, so they become its children, and it does not leave before all of them
are gone. Its standard input is a pipe that the caller holds open: when the caller ends, however it ends (SIGKILL too), the pipe closes.

    guard.py LIFELINE_FD COMMAND…
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def become_subreaper() -> None:
    """Make orphans among our descendants our own children, see prctl(2)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def start(argv: list[str]) -> int:
    """Fork the kernel into a session of its own, so that the terminal's Ctrl-C never reaches it directly."""
    child = os.fork()
    if child:
        return child
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.setsid()
    os.execv(argv[0], argv)


def kill_all(kernel: int) -> None:
    """Kill the kernel's process group and wait until no child is left, adopted ones included."""
    while True:
        try:
            os.killpg(kernel, signal.SIGKILL)
        except ProcessLookupError:
            pass  # the group may be empty already, while the zombies still wait for us
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def guard(lifeline: int, argv: list[str]) -> int:
    """Run the kernel until it ends, a signal comes, or the lifeline closes."""
    become_subreaper()
    signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    wake, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(tell)
    stop = []
    for number in signals - {signal.SIGCHLD}:
        signal.signal(number, lambda got, _frame: stop.append(got))
    signal.signal(signal.SIGCHLD, lambda _got, _frame: None)
    os.set_inheritable(lifeline, False)
    kernel = start(argv)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    status = 1
    while True:
        ready, _, _ = select.select([wake, lifeline], [], [])
        if wake in ready:
            os.read(wake, 4096)
        pid, code = os.waitpid(kernel, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(code)
            break
        if stop or lifeline in ready:
            break
    kill_all(kernel)
    return status if status >= 0 else 128 - status


def main() -> NoReturn:
    """Entry point."""
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))


if __name__ == "__main__":
    main()
