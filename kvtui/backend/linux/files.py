"""Files of processes with another root, and files in folders where any user can write."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_LINKS = 40
"""Symbolic links that are followed: the kernel's own limit (MAXSYMLINKS)."""


class NotRegularFileError(OSError):
    """A FIFO, a device or a folder lies where a file is expected."""


def open_regular(path: str, *, follow: bool = True) -> int:
    """Opens a regular file for reading; never waits, as opening a FIFO does.

    Returns:
        A descriptor; the caller closes it.

    Raises:
        NotRegularFileError: it is something else.
        OSError: it cannot be opened; ELOOP for a link that is not followed.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotRegularFileError(None, "it is not a regular file", path)
    except OSError:
        os.close(fd)
        raise
    return fd


def read_text(path: str) -> str:
    """Returns the text of a file with its bytes kept: UTF-8 with surrogate escapes, ends of lines untouched.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:  # noqa: PTH123 - a path of /proc/PID/root, as text
        return stream.read()


def resolve_inside(root: str, path: str) -> str:
    """Returns where we can open what a process with another root names ``path``.

    Symbolic links are followed inside that root: ``/proc/PID/root/var/run/x`` alone would be wrong, since the kernel
    follows an absolute link such as ``/var/run`` → ``/run`` from *our* root. What does not exist stays as it is, so
    that opening it says so.

    Args:
        root: prefix such as ``/proc/123/root``; empty for our own root.
        path: absolute path inside it.

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
        target = _target("/".join([root, *done, part]))
        if not target:
            done.append(part)
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, f"too many symbolic links in {path}")
        if target.startswith("/"):
            done.clear()
        todo += target.split("/")[::-1]
    return "/".join([root, *done]) if done else root or "/"


def _target(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: not a link
            raise
        return ""
