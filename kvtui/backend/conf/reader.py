"""Reads a keepalived.conf from disk, possibly through the root of another mount namespace.

The digest is of the lines of keepalived's *consolidated copy* (see ``running``): each line of each file in the order
of reading, without comments, outer blanks, empty lines and ``include`` lines, blanks between words folded (not inside
quotes). Macros and conditions stay as written. A line that uses ``${_PWD}`` has the folder of its file appended,
relative to the main one. So a file and keepalived's running copy of it have the same digest until somebody edits the
file or one of its includes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

from kvtui.backend.conf import checkers, servers, vrrp
from kvtui.backend.conf.expand import Expander, Opened
from kvtui.backend.conf.includes import Includes, is_skipped, outside
from kvtui.backend.conf.tree import Piece, Statement, build
from kvtui.backend.linux.files import read_text
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
"""Global keywords that may be outside of ``global_defs`` (``global_parser.c``)."""

_SECRET = re.compile(r"pass|secret|auth|key", re.IGNORECASE)


def read(path: str, *, root: str = "", config_id: str | None = None, now: float) -> Conf:
    """Reads a configuration and all that it includes.

    Args:
        path: as keepalived names it.
        root: prefix of its mount namespace, such as ``/proc/42/root``; empty for kvtui's own.
        config_id: its ``-i``; None for its default, the first label of the node's name.
        now: seconds since the epoch.

    Raises:
        OSError: the main file cannot be read, or is a FIFO or a device.
    """
    ours = outside(root, path)
    state = os.stat(ours)  # noqa: PTH116 - text in, numbers out
    if stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode):  # opening one may block
        raise OSError(errno.EINVAL, "Not a regular file", path)
    text = read_text(ours)
    includes = Includes(root)
    if is_skipped(ours):
        message = "keepalived refuses this file: it is not a regular file, or is executable"
        includes.problems.append(Problem(ProblemKind.INCLUDE, message, Location(path, 1)))
    expander = Expander(config_id, includes)
    pieces = expander.file(Opened(path, text))
    return conf_of(expander, pieces, now=now, modified=state.st_mtime, problems=includes.problems)


def conf_of(
    expander: Expander,
    pieces: Iterable[Piece],
    *,
    now: float = 0.0,
    modified: float | None = None,
    problems: Iterable[Problem] = (),
) -> Conf:
    """Sorts the problems by file and line; those of the caller are complete when the last piece is read."""
    syntax: list[Problem] = []
    statements = build(pieces, syntax)
    all_problems = [*expander.problems, *problems, *syntax]
    files = tuple(dict.fromkeys(expander.files))
    instances = vrrp.instances(statements, all_problems)
    virtual_servers = servers.virtual_servers(statements, all_problems)
    order = {name: number for number, name in enumerate(files)}
    all_problems.sort(key=lambda p: (order.get(p.at.file, len(order)), p.at.line, p.at.column))
    return Conf(
        path=files[0] if files else "",
        read_at=now,
        modified=modified,
        digest=digest(expander.copy),
        files=files,
        globals=_globals(statements),
        instances=instances,
        sync_groups=vrrp.sync_groups(statements),
        track_files=vrrp.track_files(statements),
        scripts=vrrp.scripts(statements),
        virtual_servers=virtual_servers,
        checks=checkers.checks(statements, instances),
        problems=tuple(all_problems),
    )


def digest(copy: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(copy).encode("utf-8", "surrogatepass")).hexdigest()


def _globals(root: Statement) -> dict[str, str]:
    """Returns the single-line entries of ``global_defs`` and of ``_TOP_LEVEL``, without secrets."""
    lines = [line for line in root.children or () if line.children is None and line.keyword in _TOP_LEVEL]
    for block in root.each("global_defs"):
        lines += [line for line in block.children or () if line.children is None]
    return {
        line.keyword: " ".join(line.words[1:]) for line in lines if line.keyword and not _SECRET.search(line.keyword)
    }
