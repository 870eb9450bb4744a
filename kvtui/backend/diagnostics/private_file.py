"""Files that only their owner reads, in folders where others may write."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def open_private(path: Path, *, new: bool = False) -> int:
    """Opens a file for appending, with mode 0600.

    Raises OSError when it cannot be written, or is a link, no regular file, or somebody else's.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(path, flags | (os.O_EXCL if new else 0), 0o600)
    try:
        _check(os.fstat(fd), path)
        os.fchmod(fd, 0o600)
    except OSError:
        os.close(fd)
        raise
    return fd


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is not a regular file")
    if found.st_nlink != 1:
        raise OSError(f"{path} has another name, as a hard link")
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user")


def folders(state: Path | None) -> tuple[Path, ...]:
    """Returns where such files may be kept, the best folder first; the last one always exists.

    kvtui's state folder is used only if it exists: the first action makes it, not a crash.
    """
    found = [state] if state is not None and os.access(state, os.W_OK) else []
    if home := os.environ.get("XDG_STATE_HOME"):
        path = Path(home) / "kvtui"
        with suppress(OSError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found.append(path)
    return (*found, Path(tempfile.gettempdir()))
