"""Files of processes with another root, and files in folders where any user can write."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_TEXT_BYTES = 16 << 20
STATFS_BYTES = 256  # more than a struct statfs has
KINDS = {
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISDIR: "a folder",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
KERNEL_FILE_SIZES = frozenset({0, 4096})
"""What stat(2) says of most files of /proc and /sys."""
KERNEL_FILE_SYSTEMS = frozenset(
    {0x9FA0, 0x62656572, 0x64626720, 0x74726163, 0x27E0EB, 0x63677270, 0x73636673, 0xF97CFF8C, 0xCAFE4A11}
)
"""proc, sysfs, debugfs, tracefs, cgroup, cgroup2, securityfs, selinuxfs, bpf (linux/magic.h)."""

MAX_LINKS = 40
"""Symbolic links that are followed: the kernel's own limit (MAXSYMLINKS)."""


class NotRegularFileError(OSError):
    """A FIFO, a device or a folder lies where a file is expected."""


def open_regular(path: str, *, follow: bool = True) -> int:
    """Opens a regular file for reading. Anything else is looked at (O_PATH) but never opened, as a FIFO would wait.

    Returns:
        A descriptor; the caller closes it.

    Raises:
        NotRegularFileError: it is something else, or a file of /proc, /sys and the like, which may never end.
        OSError: it cannot be opened; ELOOP for a link that is not followed.
    """
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        state = os.fstat(handle)
        if stat.S_ISLNK(state.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        kind = next((name for is_kind, name in KINDS.items() if is_kind(state.st_mode)), "")
        if not kind and state.st_size in KERNEL_FILE_SIZES and _file_system(handle) in KERNEL_FILE_SYSTEMS:
            kind = "a file of the kernel (/proc, /sys)"
        if kind:
            raise NotRegularFileError(None, f"it is {kind}, not a regular file", path)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(handle)


def _file_system(fd: int) -> int:
    """Returns ``f_type`` of statfs(2), its first field; 0 if it is unknown."""
    import ctypes  # noqa: PLC0415 - loads libffi, rarely needed

    buffer = ctypes.create_string_buffer(STATFS_BYTES)
    if ctypes.CDLL(None).fstatfs(fd, buffer) != 0:
        return 0
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF


def read_text(path: str, limit: int = MAX_TEXT_BYTES) -> str:
    """Returns the text of a regular file with its bytes kept: UTF-8 with surrogate escapes, ends of lines untouched.

    Raises:
        NotRegularFileError: it is something else.
        OSError: the file cannot be read, or has more than ``limit`` bytes (EFBIG).
    """
    with open(open_regular(path), "rb") as stream:
        data = b"" if os.fstat(stream.fileno()).st_size > limit else stream.read(limit + 1)
        too_large = os.fstat(stream.fileno()).st_size > limit or len(data) > limit
    if too_large:
        raise OSError(errno.EFBIG, f"it has more than {limit >> 20} MiB", path)
    return data.decode("utf-8", "surrogateescape")


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
