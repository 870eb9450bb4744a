"""Resolves paths of processes with another root, by the kernel: no swap of a folder with a link leads out of the root.

``openat2(2)`` with RESOLVE_IN_ROOT (Linux 5.6) follows each link, ``..`` and absolute path inside the root. Where the
kernel or a seccomp filter does not know it, a walk by descriptors does the same: each folder is opened once, without
following links (O_NOFOLLOW), and ``..`` goes back to a descriptor that is held.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ctypes import CDLL

AT_FDCWD = -100
OPENAT2 = 437  # its number on every architecture (include/uapi/asm-generic/unistd.h)
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
MAX_LINKS = 40  # symbolic links that are followed: the kernel's own limit (MAXSYMLINKS)
MAX_ATTEMPTS = 100  # the kernel gives up (EAGAIN) when a folder on the way is moved while it resolves ``..``
PROC_FILE_SYSTEM = 0x9FA0
STATFS_BYTES = 256  # more than a struct statfs has
UNKNOWN_CALL = frozenset({errno.ENOSYS, errno.EPERM})
"""From an old kernel, and from an old container runtime's seccomp filter."""

has_openat2: bool | None = None  # whether the kernel has openat2 (since 5.6); None until the first call


@contextmanager
def closing_fd(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def open_path(path: str, root: str = "", *, follow: bool = True) -> int:
    """Opens what a process with another root names ``path``, only as a place (O_PATH): nothing is read or waited for.

    The caller closes the descriptor. Raises OSError: it is not there, cannot be reached, or has too many links (ELOOP).

    Args:
        path: absolute inside the root; with an empty root any path.
        root: prefix such as ``/proc/123/root``; empty for our own root.
        follow: whether the last part may be a link.
    """
    flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    if not root:
        return os.open(path, flags)
    with closing_fd(os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as top:
        try:
            return _resolve(top, path, flags) if _knows_openat2() else _walk(top, path, follow=follow)
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), path) from None


def stat_path(path: str, root: str = "", *, follow: bool = True) -> os.stat_result:
    """Raises OSError like ``open_path``."""
    if not root:
        return os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - once a tick for each file
    with closing_fd(open_path(path, root, follow=follow)) as fd:
        return os.fstat(fd)


def list_folder(path: str, root: str = "") -> list[str]:
    """Raises OSError like ``open_folder``."""
    with closing_fd(open_folder(path, root)) as fd:
        return os.listdir(fd)  # noqa: PTH208 - a descriptor


def open_folder(path: str, root: str = "") -> int:
    """Opens a folder for reading; raises OSError like ``open_path``, and where it is no folder (ENOTDIR)."""
    with closing_fd(open_path(path, root)) as place:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)


def real_path(path: str, root: str = "") -> str:
    """Returns the path inside the root without links, for people; it may be another one a moment later."""
    found, top = _name(open_path(path, root)), _name(os.open(root or "/", os.O_PATH | os.O_CLOEXEC))
    return found.removeprefix(top) if top != "/" else found


def _name(fd: int) -> str:
    with closing_fd(fd):
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - text


def file_system(fd: int) -> int:
    """Returns ``f_type`` of statfs(2), its first field; 0 if it is unknown."""
    import ctypes  # noqa: PLC0415 - loads libffi, rarely needed

    buffer = ctypes.create_string_buffer(STATFS_BYTES)
    is_known = ctypes.CDLL(None).fstatfs(fd, buffer) == 0
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF if is_known else 0


def _knows_openat2() -> bool:
    global has_openat2  # noqa: PLW0603 - a fact about the kernel
    if has_openat2 is None:
        try:
            os.close(_openat2(AT_FDCWD, "/", os.O_PATH | os.O_CLOEXEC))
        except OSError as error:
            if error.errno not in UNKNOWN_CALL:
                raise
            has_openat2 = False
        else:
            has_openat2 = True
    return has_openat2


def _resolve(top: int, path: str, flags: int) -> int:
    for _ in range(MAX_ATTEMPTS):
        with suppress(BlockingIOError):
            return _openat2(top, path, flags)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@cache
def _libc() -> CDLL:
    """Loaded once: the files and folders of a config are checked each second."""
    import ctypes  # noqa: PLC0415 - as below

    return ctypes.CDLL(None, use_errno=True)


def _openat2(top: int, path: str, flags: int) -> int:
    import ctypes  # noqa: PLC0415 - loads libffi: only for processes with another root

    how = struct.pack("QQQ", flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    fd: int = _libc().syscall(ctypes.c_long(OPENAT2), top, os.fsencode(path), how, ctypes.c_size_t(len(how)))
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return fd


def _walk(top: int, path: str, *, follow: bool) -> int:
    """Does the same without openat2; a link of /proc, which may lead anywhere, is not followed."""
    todo = path.split("/")[::-1]
    held = [os.dup(top)]
    links = 0
    try:
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if len(held) > 1:
                    os.close(held.pop())
                continue
            fd = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held[-1])
            if not stat.S_ISLNK(os.fstat(fd).st_mode) or not (follow or any(todo)):
                held.append(fd)
                continue
            links += 1
            with closing_fd(fd):
                if links > MAX_LINKS or file_system(fd) == PROC_FILE_SYSTEM:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = os.readlink("", dir_fd=fd)
            if target.startswith("/"):
                while len(held) > 1:
                    os.close(held.pop())
            todo += target.split("/")[::-1]
        return held.pop()
    finally:
        for fd in held:
            os.close(fd)
