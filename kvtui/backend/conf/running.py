"""The running config: keepalived's consolidated copy in an anonymous file.

Since 2.2.0 the parent writes the config to ``memfd:/keepalived/consolidated_configuration``, which its children read
(``init_data`` in ``lib/parser.c``). Measured with 2.2.7: ``# FILE`` opens a file and ``!`` closes it; ``#! TEXT``
reports an include that failed; each other line is a line of the file without comment and outer blanks (empty for a
comment or an ``include``), so line numbers are kept. ``$``, ``@`` and ``~`` are as written. Passwords are in plain
text; kvtui uses them for the digest only.

A file's digest (``reader.read``) is of the same lines: both are equal until the file is edited.
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
"""Start of the link in ``/proc/PID/fd``; `` (deleted)`` follows."""

_MAX_ATTEMPTS = 10
_RETRY_SECONDS = 0.01
"""A reload writes a new copy: in 7 ms a small one, in 110 ms a large one."""


def read_running(pid: int, *, now: float, proc: str = "/proc", config_id: str | None = None) -> Conf | None:
    """Returns what the parent ``pid`` runs (arguments as in ``reader.read``).

    None when there is no copy (keepalived before 2.2.0), without permission to trace the process (root or
    CAP_SYS_PTRACE), or when the copy stays incomplete.
    """
    text = read_copy(pid, proc)
    if text is None:
        return None
    expander = Expander(config_id)
    return conf_of(expander, expander.consolidated(text), now=now)


def read_copy(pid: int, proc: str = "/proc") -> str | None:
    """Returns the text of the copy, with passwords; None as with ``read_running``."""
    path = _copy_of(f"{proc}/{pid}/fd")
    return None if path is None else _complete(path)


def mark(pid: int, proc: str = "/proc") -> tuple[int, int, int] | None:
    """Returns inode, size and mtime (ns) of the copy, which change with each reload; None without a copy."""
    path = _copy_of(f"{proc}/{pid}/fd")
    if path is None:
        return None
    try:
        copy = os.stat(path)  # noqa: PTH116 - once a tick
    except OSError:  # closed meanwhile
        return None
    return (copy.st_ino, copy.st_size, copy.st_mtime_ns)


def _copy_of(folder: str) -> str | None:
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
    for attempt in range(_MAX_ATTEMPTS):
        if attempt:
            time.sleep(_RETRY_SECONDS)
        try:
            text = read_text(path)
        except OSError:
            return None
        if _is_complete(text):
            return text
    return None


def _is_complete(text: str) -> bool:
    """Whether all files that a copy opens are closed."""
    depth = 0
    for line in text.split("\n"):
        if line.startswith("# "):
            depth += 1
        elif line.startswith("!"):
            depth -= 1
    return depth == 0 and bool(text)
