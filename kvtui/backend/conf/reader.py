"""Reads a keepalived.conf from disk, possibly through the root of another mount namespace.

The digest is made of the lines of keepalived's *consolidated copy* (see ``running``): each line of each file in
the order of reading, comment and outer blanks stripped, blanks between words folded (not inside quotes), empty
lines and ``include`` lines left out. Macros and conditions stay as written, as in the copy. A line that uses
``${_PWD}`` also counts the folder of its file, relative to the main one. So a file and the copy of it that
keepalived runs have the same digest until somebody edits the file, or one that it includes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import stat
from typing import TYPE_CHECKING

from kvtui.backend.conf import servers, vrrp
from kvtui.backend.conf.expand import Expander, Opened
from kvtui.backend.conf.includes import Includes, executable, inside
from kvtui.backend.conf.statements import Statement, build
from kvtui.backend.conf.tree import read_text
from kvtui.model.conf import Conf, Location, Problem, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOP_LEVEL = {
    "net_namespace",
    "net_namespace_ipvs",
    "namespace_with_ipsets",
    "instance",
    "use_pid_dir",
    "linkbeat_use_polling",
    "child_wait_time",
}
"""Global keywords that stand outside of ``global_defs`` (``global_parser.c``)."""

_SECRET = re.compile(r"pass|secret|auth|key", re.IGNORECASE)


def read(path: str, *, root: str = "", config_id: str | None = None, now: float) -> Conf:
    """Reads a configuration and all that it includes.

    Args:
        path: as keepalived names it.
        root: prefix of its mount namespace, such as ``/proc/42/root``; empty for kvtui's own.
        config_id: its ``-i``; None for its default, the first label of the node's name.
        now: seconds since the epoch.

    Raises:
        OSError: the main file cannot be read, or is no file (a FIFO, a device).
    """
    outside = inside(root, path)
    state = os.stat(outside)  # noqa: PTH116 - text in, numbers out
    if stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode):  # opening one may wait for ever
        raise OSError(errno.EINVAL, "Not a regular file", path)
    text = read_text(outside)
    includes = Includes(root)
    if executable(outside):
        message = "keepalived refuses this file: not a regular file, or executable"
        includes.problems.append(Problem(ProblemKind.INCLUDE, message, Location(path, 1)))
    expander = Expander(config_id if config_id is not None else default_config_id(), includes)
    problems: list[Problem] = []
    statements = build(expander.file(Opened(path, text)), problems)
    return conf_of(
        statements,
        path=path,
        now=now,
        modified=state.st_mtime,
        files=expander.files,
        copy=expander.copy,
        problems=expander.problems + includes.problems + problems,
    )


def default_config_id() -> str:
    """What keepalived compares ``@id`` with when it has no ``-i``: the first label of the node's name."""
    return platform.node().partition(".")[0]


def conf_of(
    statements: Statement,
    *,
    path: str,
    now: float,
    modified: float | None,
    files: Iterable[str],
    copy: Iterable[str],
    problems: list[Problem],
) -> Conf:
    """The model of statements that were read; ``problems`` come sorted by file and line."""
    files = tuple(dict.fromkeys(files))
    instances = vrrp.instances(statements, problems)
    virtual_servers = servers.virtual_servers(statements, problems)
    order = {name: number for number, name in enumerate(files)}
    problems.sort(key=lambda p: (order.get(p.at.file, len(order)), p.at.line, p.at.column))
    return Conf(
        path=path,
        read_at=now,
        modified=modified,
        digest=digest(copy),
        files=files,
        globals=_globals(statements),
        instances=instances,
        sync_groups=vrrp.sync_groups(statements),
        track_files=vrrp.track_files(statements),
        virtual_servers=virtual_servers,
        problems=tuple(problems),
    )


def digest(copy: Iterable[str]) -> str:
    """sha256 of the lines of a consolidated copy, in hexadecimal."""
    return hashlib.sha256("\n".join(copy).encode("utf-8", "surrogatepass")).hexdigest()


def _globals(root: Statement) -> dict[str, str]:
    """Single-line entries of ``global_defs``, and those that may stand outside of it (``net_namespace``, …)."""
    lines = [line for line in root.children or () if line.children is None and line.keyword in _TOP_LEVEL]
    for block in root.each("global_defs"):
        lines += [line for line in block.children or () if line.children is None]
    return {
        line.keyword: " ".join(line.words[1:]) for line in lines if line.keyword and not _SECRET.search(line.keyword)
    }
