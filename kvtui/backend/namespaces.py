"""Network, PID and mount namespaces of other processes: see into them without ever moving ourselves."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from kvtui.backend import procfs

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Pid = int | Literal["self"]

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
MOST_LINKS = 40  # the kernel's own limit (MAXSYMLINKS)


def netns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    """Inode of a process's network namespace; None when it is gone or unreadable (needs CAP_SYS_PTRACE)."""
    return _inode(pid, "net", proc)


def mntns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    """Inode of a process's mount namespace; None when it is gone or unreadable (needs CAP_SYS_PTRACE)."""
    return _inode(pid, "mnt", proc)


def pidns_inode(pid: Pid = "self", proc: str = "/proc") -> int | None:
    """Inode of a process's PID namespace; None when it is gone or unreadable (needs CAP_SYS_PTRACE)."""
    return _inode(pid, "pid", proc)


def _inode(pid: Pid, kind: str, proc: str) -> int | None:
    match = re.fullmatch(r"\w+:\[(\d+)\]", procfs.link(f"{proc}/{pid}/ns/{kind}"))
    return int(match[1]) if match else None


def ns_pids(pid: Pid, proc: str = "/proc") -> tuple[int, ...]:
    """A process's PIDs, from the PID namespace of the /proc mount down to its own (``NSpid``, proc(5)).

    Kernels before 4.1 do not have the line: then it is the PID alone. Empty when the process is gone.
    """
    lines = procfs.text(f"{proc}/{pid}/status").splitlines()
    for name in ("NSpid:", "Pid:"):
        for line in lines:
            if line.startswith(name):
                return tuple(int(word) for word in line.split()[1:] if word.isdecimal())
    return ()


def outside_pid(ns_pid: int, of: int, proc: str = "/proc") -> int | None:
    """The PID, as we see it, of what is PID ``ns_pid`` in the PID namespace of the process ``of`` (a PID of ours).

    None when there is no such process. Processes whose namespace cannot be read are compared by their depth of
    nesting alone, which two containers may share: as root the answer is exact.
    """
    depth = len(ns_pids(of, proc))
    namespace = pidns_inode(of, proc)
    if depth == 0:
        return None
    for pid in procfs.pids(proc):
        numbers = ns_pids(pid, proc)
        if len(numbers) == depth and numbers[-1] == ns_pid and pidns_inode(pid, proc) == namespace:
            return pid
    return None


def resolve_inside(root: str, path: str) -> str:
    """Where we can open what a process with another root names ``path``, symbolic links followed inside that root.

    ``/proc/PID/root/var/run/x`` alone would be wrong: an absolute link such as ``/var/run`` → ``/run`` is
    followed by the kernel from *our* root, not from that of the process.

    Args:
        root: prefix such as ``/proc/123/root``; empty for our own root.
        path: absolute path inside it.

    Returns:
        A path of ours. What does not exist stays as it is, so that opening it says so.

    Raises:
        OSError: ELOOP, too many links.
        PermissionError: a folder on the way cannot be read.
    """
    todo = path.split("/")[::-1]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            del done[-1:]
            continue
        try:
            target = str(Path("/".join([root, *done, part])).readlink())
        except (FileNotFoundError, NotADirectoryError):
            target = ""
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: it is no link
                raise
            target = ""
        if not target:
            done.append(part)
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, f"too many symbolic links in {path}")
        if target.startswith("/"):
            done.clear()
        todo += target.split("/")[::-1]
    return "/".join([root, *done]) if done else root or "/"


def open_in_network(pid: int | None, factory: Callable[[], T]) -> T:
    """Run ``factory`` inside the network namespace of a process and give back what it returns.

    A socket belongs for ever to the namespace it was opened in, so a factory that opens one is all that is needed.
    It runs in a thread of its own which enters the namespace and then ends; no other thread ever leaves its own.
    Nothing is entered when ``pid`` is None or is in our network namespace already.

    Raises:
        PermissionError: the namespace may not be looked at (CAP_SYS_PTRACE) or entered (CAP_SYS_ADMIN).
        ProcessLookupError: there is no such process.
        Exception: whatever ``factory`` raises.
    """
    if pid is None:
        return factory()
    try:
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            f"the network namespace of process {pid} may not be opened: run kvtui as root or with CAP_SYS_PTRACE",
        ) from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(errno.ESRCH, f"process {pid} is gone, and its network namespace with it") from error
    try:
        if os.fstat(fd).st_ino == Path("/proc/thread-self/ns/net").stat().st_ino:
            return factory()
        return _in_thread(fd, pid, factory)
    finally:
        os.close(fd)


def _in_thread(fd: int, pid: int, factory: Callable[[], T]) -> T:
    """Enter and run in a thread that ends afterwards."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms, seldom needed

    with ThreadPoolExecutor(1, thread_name_prefix="netns") as pool:
        pool.submit(_enter, fd, pid).result()
        return pool.submit(factory).result()


def _enter(fd: int, pid: int) -> None:
    """setns(2) for the calling thread; os.setns is Python 3.12+."""
    import ctypes  # noqa: PLC0415 - loads libffi, seldom needed

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) == 0:
        return
    number = ctypes.get_errno()
    if number == errno.EPERM:
        raise PermissionError(
            number,
            f"the network namespace of process {pid} may not be entered: run kvtui as root or with CAP_SYS_ADMIN",
        )
    raise OSError(number, f"the network namespace of process {pid} cannot be entered: {os.strerror(number)}")
