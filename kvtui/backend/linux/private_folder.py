"""A folder that only its owner reads and writes, by a descriptor: no link that another user made leads there."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kvtui.backend.linux.rooted import closing_fd

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST_ROOT = "/proc/1/root"  # a link of the kernel: the host's root from a pod that shares its PID namespace
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def open_private_folder(path: str, *, make: bool = False) -> Iterator[int]:
    """Opens the folder; with ``make`` it is made where it is missing, and becomes 0700.

    Raises PermissionError: it belongs to another user, others may write in it, or another user could lead the way
    elsewhere; the text says what to do.
    """
    with closing_fd(_walk(os.path.abspath(path), make=make)) as fd:  # noqa: PTH100 - text
        _require_private(fd, path, make=make)
        yield fd


def open_own_file(folder: int, name: str, flags: int) -> int:
    """Opens a file in it, which becomes 0600 when it is opened for writing; ``flags`` as in open(2).

    Raises OSError: it is a link or no regular file, belongs to another user, or has another name as a hard link.
    """
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        state = os.fstat(fd)
        _require_own(state, name)
        if flags & (os.O_WRONLY | os.O_RDWR) and state.st_mode & 0o077:
            os.fchmod(fd, 0o600)
    except OSError:
        os.close(fd)
        raise
    return fd


def _require_own(state: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, f"{name} is not a regular file")
    if state.st_uid not in _trusted() or state.st_nlink > 1:
        raise PermissionError(errno.EPERM, f"{name} belongs to another user, or has another name as a hard link")


def _trusted() -> frozenset[int]:
    return frozenset({0, os.geteuid()})


def _require_private(fd: int, path: str, *, make: bool) -> None:
    state = os.fstat(fd)
    if state.st_uid not in _trusted() or (make and state.st_uid != os.geteuid()):
        raise PermissionError(errno.EPERM, f"{path} belongs to user {state.st_uid}, not to the user that runs kvtui")
    if state.st_mode & OTHERS_WRITE:
        why = f"others may write in {path} ({stat.filemode(state.st_mode)}): look at what is in it, then chmod 700"
        raise PermissionError(errno.EPERM, why)
    if make and state.st_mode & 0o077:
        os.fchmod(fd, 0o700)


def _walk(path: str, *, make: bool) -> int:
    start = HOST_ROOT if path.startswith(f"{HOST_ROOT}/") else "/"
    parts = [part for part in path.removeprefix(start).split("/") if part]
    fd = os.open(start, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, part in enumerate(parts):
        with closing_fd(fd):
            fd = _enter(fd, part, None if not make else 0o755 if number + 1 < len(parts) else 0o700)
    return fd


def _enter(folder: int, part: str, make: int | None) -> int:
    """Opens a folder in a folder; a missing one is made with the mode ``make``."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(part, flags | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if make is None:
            raise
        os.mkdir(part, make, dir_fd=folder)
        return os.open(part, flags | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError:  # a link, or no folder
        link, above = os.stat(part, dir_fd=folder, follow_symlinks=False), os.fstat(folder)
        open_to_all = above.st_uid not in _trusted() or above.st_mode & OTHERS_WRITE
        if stat.S_ISLNK(link.st_mode) and (link.st_uid not in _trusted() or open_to_all):
            why = f"{part} is a link that another user may have made: name the folder itself"
            raise PermissionError(errno.ELOOP, why) from None
        return os.open(part, flags, dir_fd=folder)
