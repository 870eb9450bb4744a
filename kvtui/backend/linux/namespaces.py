"""Runs code in the namespaces of other processes, in threads that end afterwards."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kvtui.backend.linux import procfs
from kvtui.backend.linux.rooted import closing_fd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.backend.linux.procfs import Pid

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h


def netns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    """Inode of a process's network namespace; None when it is gone or unreadable (needs CAP_SYS_PTRACE)."""
    return procfs.namespace_inode(pid, "net", proc)


def open_in_network(pid: int | None, factory: Callable[[], T]) -> T:
    """Runs ``factory`` inside the network namespace of a process and returns what it returns.

    A socket keeps the namespace in which it was opened. The factory runs in a new thread that enters the namespace and
    then ends; in the calling thread when ``pid`` is None or in our network namespace.

    Raises:
        PermissionError: no permission to read (CAP_SYS_PTRACE) or enter (CAP_SYS_ADMIN) the namespace.
        ProcessLookupError: there is no such process.
    """
    with _other_network(pid) as fd:
        if pid is None or fd is None:
            return factory()
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms, rarely needed

        with ThreadPoolExecutor(1, thread_name_prefix="netns") as pool:
            pool.submit(enter, fd, pid).result()
            return pool.submit(factory).result()


def enter_network(pid: int | None) -> None:
    """Moves the calling thread: for one that does nothing else. Raises like ``open_in_network``."""
    with _other_network(pid) as fd:
        if pid is not None and fd is not None:
            enter(fd, pid)


@contextmanager
def _other_network(pid: int | None) -> Iterator[int | None]:
    """Opens the network namespace of a process; None when the calling thread is in it."""
    if pid is None:
        yield None
        return
    try:
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            f"no permission to open the network namespace of process {pid}: run kvtui as root or with CAP_SYS_PTRACE",
        ) from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(errno.ESRCH, f"process {pid} is gone, and its network namespace with it") from error
    with closing_fd(fd):
        is_own = os.fstat(fd).st_ino == Path("/proc/thread-self/ns/net").stat().st_ino
        yield None if is_own else fd


def enter(fd: int, pid: int) -> None:
    """Calls setns(2), as os.setns is Python 3.12+; raises OSError, which names the process."""
    import ctypes  # noqa: PLC0415 - loads libffi, rarely needed

    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) == 0:
        return
    number = ctypes.get_errno()
    name = f"the network namespace of process {pid}"
    if number in {errno.EPERM, errno.EACCES}:
        raise OSError(number, f"no permission to enter {name}: run kvtui as root or with CAP_SYS_ADMIN")
    raise OSError(number, f"{name} cannot be entered: {os.strerror(number)}")
