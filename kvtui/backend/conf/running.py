"""The configuration that keepalived runs: its consolidated copy in an anonymous file.

Since 2.2.0 the parent writes what it has read into ``memfd:/keepalived/consolidated_configuration`` and its
children read that (``init_data`` in ``lib/parser.c``). Measured with 2.2.7: ``# FILE`` opens a file and ``!``
closes it; ``#! TEXT`` reports an include that failed; each other line is a line of the file without comment and
outer blanks, empty where there was a comment, an ``include`` or nothing, so line numbers are kept. ``$``, ``@``
and ``~`` are as written. Passwords are in it in clear: they count in the digest and go no further.

A file's digest (``reader.read``) is made of the same lines, so both are equal when nothing was edited since.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from kvtui.backend.conf.expand import Expander
from kvtui.backend.conf.reader import conf_of
from kvtui.backend.linux.files import read_text

if TYPE_CHECKING:
    from kvtui.model.conf import Conf

MEMFD = "/memfd:/keepalived/consolidated_configuration"
"""How the link in ``/proc/PID/fd`` starts; `` (deleted)`` follows."""

_ATTEMPTS = 10
_PAUSE = 0.01
"""Seconds between attempts: a reload writes the copy anew, 7 ms for a small one and 110 ms for a large one."""


def read_running(pid: int, *, now: float, proc: str = "/proc", config_id: str | None = None) -> Conf | None:
    """The configuration that a keepalived parent runs.

    Args:
        pid: of the parent (its children have the copy open as well).
        now: seconds since the epoch.
        proc: where procfs is.
        config_id: its ``-i``; None for its default, the first label of the node's name.

    Returns:
        None when there is none (keepalived before 2.2.0), when it cannot be read (needs the right to trace the
        process: root, or CAP_SYS_PTRACE), or when it is being written all the time.
    """
    text = read_copy(pid, proc)
    if text is None:
        return None
    expander = Expander(config_id)
    return conf_of(expander, expander.consolidated(text), now=now)


def read_copy(pid: int, proc: str = "/proc") -> str | None:
    """The text of the copy, passwords and all; None as with ``read_running``."""
    path = _copy_of(f"{proc}/{pid}/fd")
    return None if path is None else _complete(path)


def mark(pid: int, proc: str = "/proc") -> tuple[int, int, int] | None:
    """What changes when another configuration runs: inode, size and mtime (ns) of the copy; None without a copy."""
    path = _copy_of(f"{proc}/{pid}/fd")
    if path is None:
        return None
    try:
        copy = os.stat(path)  # noqa: PTH116 - once a tick
    except OSError:  # closed meanwhile
        return None
    return (copy.st_ino, copy.st_size, copy.st_mtime_ns)


def _copy_of(folder: str) -> str | None:
    """The descriptor of the copy; None when there is none or the process cannot be looked into."""
    try:
        descriptors = os.listdir(folder)  # noqa: PTH208 - text in, text out
    except OSError:
        return None
    for descriptor in sorted(descriptors, key=lambda d: (len(d), d)):
        path = f"{folder}/{descriptor}"
        try:
            target = os.readlink(path)  # noqa: PTH115 - text in, text out
        except OSError:  # closed meanwhile
            continue
        if target.startswith(MEMFD):
            return path
    return None


def _complete(path: str) -> str | None:
    """The copy's text once every file in it is closed; None when that does not come to pass."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        try:
            text = read_text(path)
        except OSError:
            return None
        if _is_complete(text):
            return text
    return None


def _is_complete(text: str) -> bool:
    """Whether all files opened in a copy are closed again."""
    depth = 0
    for line in text.split("\n"):
        if line.startswith("# "):
            depth += 1
        elif line.startswith("!"):
            depth -= 1
    return depth == 0 and bool(text)
