"""Runs code in the namespaces of other processes, in threads that end afterwards."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kvtui.backend.linux import procfs

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.linux.procfs import Pid

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h


def netns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    """Inode of a process's network namespace; None when it is gone or unreadable (needs CAP_SYS_PTRACE)."""
    return procfs.namespace_inode(pid, "net", proc)


def mntns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    return procfs.namespace_inode(pid, "mnt", proc)


def pidns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    return procfs.namespace_inode(pid, "pid", proc)


def open_in_network(pid: int | None, factory: Callable[[], T]) -> T:
    """Runs ``factory`` inside the network namespace of a process and returns what it returns.

    A socket keeps the namespace in which it was opened. The factory runs in a new thread that enters the namespace and
    then ends; in the calling thread when ``pid`` is None or in our network namespace.

    Raises:
        PermissionError: no permission to read (CAP_SYS_PTRACE) or enter (CAP_SYS_ADMIN) the namespace.
        ProcessLookupError: there is no such process.
        Exception: whatever ``factory`` raises.
    """
    if pid is None:
        return factory()
    fd = _open_network(pid)
    try:
        if os.fstat(fd).st_ino == Path("/proc/thread-self/ns/net").stat().st_ino:
            return factory()
        return _in_thread(fd, pid, factory)
    finally:
        os.close(fd)


def enter_network(pid: int | None) -> None:
    """Moves the calling thread into the network namespace of a process: for a thread that does nothing else.

    Raises:
        PermissionError: no permission to read (CAP_SYS_PTRACE) or enter (CAP_SYS_ADMIN) the namespace.
        ProcessLookupError: there is no such process.
    """
    if pid is None:
        return
    fd = _open_network(pid)
    try:
        if os.fstat(fd).st_ino != Path("/proc/thread-self/ns/net").stat().st_ino:
            enter(fd, pid)
    finally:
        os.close(fd)


def set_namespace(fd: int, kind: int) -> None:
    """Calls setns(2) for this thread; os.setns is Python 3.12+.

    Raises:
        OSError: it may not be entered.
    """
    _call("setns", fd, kind)


def unshare(flags: int) -> None:
    """Gives the calling thread its own file system context, for one; os.unshare is Python 3.12+.

    Raises:
        OSError: it is not permitted.
    """
    _call("unshare", flags)


def _call(name: str, *arguments: int) -> None:
    import ctypes  # noqa: PLC0415 - loads libffi, rarely needed

    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open_network(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            f"the network namespace of process {pid} may not be opened: run kvtui as root or with CAP_SYS_PTRACE",
        ) from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(errno.ESRCH, f"process {pid} is gone, and its network namespace with it") from error


def _in_thread(fd: int, pid: int, factory: Callable[[], T]) -> T:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms, rarely needed

    with ThreadPoolExecutor(1, thread_name_prefix="netns") as pool:
        pool.submit(enter, fd, pid).result()
        return pool.submit(factory).result()


def enter(fd: int, pid: int) -> None:
    """Moves the calling thread into the network namespace that ``fd`` has open.

    Raises:
        PermissionError: it may not; names the process ``pid``.
    """
    try:
        set_namespace(fd, CLONE_NEWNET)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            f"the network namespace of process {pid} may not be entered: run kvtui as root or with CAP_SYS_ADMIN",
        ) from error
    except OSError as error:
        raise OSError(
            error.errno, f"the network namespace of process {pid} cannot be entered: {error.strerror}"
        ) from error
