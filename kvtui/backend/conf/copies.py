"""keepalived's consolidated copies: the config on disk and the running config as lines that can be compared.

Since 2.2.0 the parent writes the config to ``memfd:/keepalived/consolidated_configuration``, which its children read
(``init_data`` in ``lib/parser.c``). Measured with 2.2.7: ``# FILE`` opens a file and ``!`` closes it; ``#! TEXT``
reports an include that failed; each other line is a line of the file without comment and outer blanks (empty for a
comment or an ``include``), so line numbers are kept. ``$``, ``@`` and ``~`` are as written.

A file's digest (``reader.read``) is of the same lines: both are equal until the file is edited. The lines contain
passwords: mask them before you show them (``model.secrets``).
"""

from __future__ import annotations

import difflib
import os
import re
import time
from collections import deque
from typing import TYPE_CHECKING

from kvtui.backend.conf.expand import ConfigFile, Expander
from kvtui.backend.conf.includes import MAX_FILE_BYTES, Includes
from kvtui.backend.conf.reader import conf_of
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.linux.files import read_text
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.backend.conf.tree import Piece
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

MEMFD = "/memfd:/keepalived/consolidated_configuration"  # start of the link in /proc/PID/fd; " (deleted)" follows

_MAX_ATTEMPTS = 10
_RETRY_SECONDS = 0.01  # a reload writes a new copy: in 7 ms a small one, in 110 ms a large one
_QUOTED = re.compile(r'"[^"]*"')


def read_running(pid: int, *, now: float, proc: str = "/proc", config_id: str | None = None) -> Conf | None:
    """Returns what the parent ``pid`` runs (arguments as in ``reader.read``); None as with ``read_copy``."""
    text = read_copy(pid, proc)
    if text is None:
        return None
    expander = Expander(config_id)
    return conf_of(expander, expander.consolidated(text), now=now)


def read_copy(pid: int, proc: str = "/proc") -> str | None:
    """Returns the text of the running copy.

    None when there is no copy (keepalived before 2.2.0), without permission to trace the process (root or
    CAP_SYS_PTRACE), or when the copy stays incomplete.
    """
    path = _copy_of(f"{proc}/{pid}/fd")
    for attempt in range(_MAX_ATTEMPTS if path else 0):
        if attempt:
            time.sleep(_RETRY_SECONDS)
        try:
            text = read_text(path or "")
        except OSError:
            return None
        if _is_complete(text):
            return text
    return None


def mark(pid: int, proc: str = "/proc") -> tuple[int, int, int] | None:
    """Returns inode, size and mtime (ns) of the running copy, which change with each reload; None without a copy."""
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


def _is_complete(text: str) -> bool:
    """Whether all files that a copy opens are closed."""
    lines = text.split("\n")
    opened, closed = (sum(line.startswith(start) for line in lines) for start in ("# ", "!"))
    return opened == closed and bool(text)


def saved_lines(path: str, *, root: str = "", config_id: str | None = None) -> tuple[str, ...]:
    """Returns the lines on disk; arguments and errors as in ``reader.read``."""
    opened = ConfigFile(path, read_text(path, MAX_FILE_BYTES, root=root))
    return lines_of(opened, root=root, config_id=config_id)


def lines_of(opened: ConfigFile, *, root: str = "", config_id: str | None = None) -> tuple[str, ...]:
    expander = Expander(config_id)
    expander.include = Includes(root, expander.problems)
    return _lines(expander, expander.file(opened))


def running_lines(pid: int, *, config_id: str | None = None) -> tuple[str, ...] | None:
    """None as with ``read_copy``."""
    text = read_copy(pid)
    expander = Expander(config_id)
    return None if text is None else _lines(expander, expander.consolidated(text))


def _lines(expander: Expander, pieces: Iterator[Piece]) -> tuple[str, ...]:
    deque(pieces, maxlen=0)  # the expander's copy is complete after the last piece
    return tuple(expander.copy)


def saved_secrets(keepalived: Keepalived) -> frozenset[str]:
    """Returns the passwords in the config on disk; none when it cannot be read."""
    config_id = parse_arguments(keepalived.argv).config_id
    try:
        return secrets_in(saved_lines(keepalived.conf, root=keepalived.root, config_id=config_id))
    except OSError:
        return frozenset()


def difference(before: Iterable[str], after: Iterable[str], *, names: tuple[str, str]) -> str:
    """Returns a unified diff, indented by blocks. Passwords are masked after the comparison, so a changed one shows."""
    old, new = _indented(before), _indented(after)
    known = secrets_in([*old, *new])
    return "".join(f"{masked(line, known)}\n" for line in difflib.unified_diff(old, new, *names, lineterm=""))


def _indented(lines: Iterable[str]) -> list[str]:
    shown = []
    depth = 0
    for line in lines:
        bare = _QUOTED.sub("", line)
        shown.append("  " * max(0, depth - bare.startswith("}")) + line)
        depth = max(0, depth + bare.count("{") - bare.count("}"))
    return shown
