"""Reads regular files only, and only so much of them: in other roots, and in folders where any user can write."""

from __future__ import annotations

import errno
import os
import stat

from kvtui.backend.linux.rooted import closing_fd, file_system, open_path

MAX_TEXT_BYTES = 16 << 20
KINDS = {
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISDIR: "a folder",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
KERNEL_FILE_SIZES = frozenset({0, 4096})  # what stat(2) says of most files of /proc and /sys
KERNEL_FILE_SYSTEMS = frozenset(
    {0x9FA0, 0x62656572, 0x64626720, 0x74726163, 0x27E0EB, 0x63677270, 0x73636673, 0xF97CFF8C, 0xCAFE4A11}
)
"""proc, sysfs, debugfs, tracefs, cgroup, cgroup2, securityfs, selinuxfs, bpf (linux/magic.h)."""


class NotRegularFileError(OSError):
    """A FIFO, a device or a folder lies where a file is expected."""


def open_regular(path: str, *, root: str = "", follow: bool = True) -> int:
    """Opens a regular file for reading; anything else is inspected (O_PATH) but never opened, as a FIFO would wait.

    The caller closes the descriptor. ``root`` as in ``rooted.open_path``. Raises OSError, ELOOP for a link that is not
    followed, and NotRegularFileError also for a file of /proc, /sys and the like, which may never end.
    """
    with closing_fd(open_path(path, root, follow=follow)) as handle:
        return reopen_regular(handle, path)


def reopen_regular(handle: int, path: str) -> int:
    """Opens what an O_PATH descriptor stands for, for reading; raises like ``open_regular``."""
    state = os.fstat(handle)
    if stat.S_ISLNK(state.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    kind = next((name for is_kind, name in KINDS.items() if is_kind(state.st_mode)), "")
    if not kind and state.st_size in KERNEL_FILE_SIZES and file_system(handle) in KERNEL_FILE_SYSTEMS:
        kind = "a file of the kernel (/proc, /sys)"
    if kind:
        raise NotRegularFileError(errno.EINVAL, f"it is {kind}, not a regular file", path)
    return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)


def read_bytes(path: str, limit: int = MAX_TEXT_BYTES, *, root: str = "") -> bytes:
    """Raises OSError like ``open_regular``, and where the file has more than ``limit`` bytes (EFBIG)."""
    return read_open(open_regular(path, root=root), path, limit)


def read_text(path: str, limit: int = MAX_TEXT_BYTES, *, root: str = "") -> str:
    """Keeps all bytes: UTF-8 with surrogate escapes, ends of lines untouched; raises OSError like ``read_bytes``."""
    return read_bytes(path, limit, root=root).decode("utf-8", "surrogateescape")


def read_open(fd: int, path: str, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Reads an open file from its start, and closes it; raises OSError like ``read_bytes``."""
    with open(fd, "rb") as stream:
        data = b"" if os.fstat(fd).st_size > limit else stream.read(limit + 1)
        too_large = os.fstat(fd).st_size > limit or len(data) > limit
    if too_large:
        size = f"{limit >> 20} MiB" if limit >> 20 else f"{limit} bytes"
        raise OSError(errno.EFBIG, f"it has more than {size}", path)
    return data
