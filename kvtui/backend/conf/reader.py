"""Reads a keepalived.conf from disk, possibly through the root of another mount namespace.

The digest is of the lines of keepalived's *consolidated copy* (see ``copies``): each line of each file in the order
of reading, without comments, outer blanks, empty lines and ``include`` lines, blanks between words folded (not inside
quotes). Macros and conditions stay as written. A line that uses ``${_PWD}`` has the folder of its file appended,
relative to the main one. So a file and keepalived's running copy of it have the same digest until somebody edits the
file or one of its includes.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from kvtui.backend.conf import checkers, servers, vrrp
from kvtui.backend.conf.blocks import MAX_PROBLEMS, Nester
from kvtui.backend.conf.expand import ConfigFile, Expander
from kvtui.backend.conf.grammar import GLOBAL_LINES
from kvtui.backend.conf.includes import MAX_FILE_BYTES, Includes, is_skipped
from kvtui.backend.conf.tree import Problems, balanced
from kvtui.backend.linux.files import open_regular, read_open
from kvtui.model.conf import Conf, Location, Problem, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.backend.conf.tree import Piece, Statement

_SECRET = re.compile(r"pass|secret|auth|key", re.IGNORECASE)


def read(path: str, *, root: str = "", config_id: str | None = None, now: float) -> Conf:
    """Reads a configuration and all that it includes.

    Args:
        path: as keepalived names it.
        root: prefix of its mount namespace, such as ``/proc/42/root``; empty for kvtui's own.
        config_id: its ``-i``; None for its default, the first label of the node's name.
        now: seconds since the epoch.

    Raises:
        OSError: the main file cannot be read, is no regular file, or has more than ``MAX_FILE_BYTES``.
    """
    fd = open_regular(path, root=root)
    state = os.fstat(fd)
    text = read_open(fd, path, MAX_FILE_BYTES).decode("utf-8", "surrogateescape")
    expander = Expander(config_id)
    expander.include = Includes(root, expander.problems)
    if is_skipped(state.st_mode):
        message = "keepalived refuses this file: it is not a regular file, or is executable"
        expander.problems.include(message, Location(path, 1))
    return conf_of(expander, expander.file(ConfigFile(path, text)), now=now, modified=state.st_mtime)


def conf_of(expander: Expander, pieces: Iterable[Piece], *, now: float = 0.0, modified: float | None = None) -> Conf:
    """Sorts the problems by file and line."""
    unbalanced = Problems()
    every = list(balanced(pieces, unbalanced))
    all_problems = Problems((*expander.problems, *unbalanced))
    nesters = [Nester(process) for process in ("parent", "vrrp", "checker")]
    common, statements, checked = (nester.nest(every) for nester in nesters)
    instances = vrrp.instances(statements, vrrp.Defaults.of(common), all_problems)
    used, ignored = servers.virtual_servers(checked, all_problems)
    files = tuple(dict.fromkeys(expander.files))
    order = {name: number for number, name in enumerate(files)}
    all_problems += [problem for nester in nesters for problem in nester.problems]
    all_problems.sort(key=lambda p: (order.get(p.at.file, len(order)), p.at.line, p.at.column))
    return Conf(
        path=files[0] if files else "",
        read_at=now,
        modified=modified,
        digest=hashlib.sha256("\n".join(expander.copy).encode("utf-8", "surrogatepass")).hexdigest(),
        files=files,
        globals=_globals(common),
        instances=instances,
        sync_groups=vrrp.sync_groups(statements),
        track_files=vrrp.track_files(statements),
        scripts=vrrp.scripts(statements),
        virtual_servers=used,
        ignored_servers=ignored,
        checks=checkers.checks(statements, checked, instances),
        problems=_first(dict.fromkeys(all_problems)),
    )


def _first(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Leaves out the less important ones of very many."""
    ranked = sorted(problems, key=lambda p: p.kind is ProblemKind.VALUE)
    if len(ranked) <= MAX_PROBLEMS:
        return tuple(problems)
    kept = set(ranked[: MAX_PROBLEMS - 1])
    more = Problem(ProblemKind.VALUE, f"{len(ranked) - len(kept)} more problems", ranked[-1].at)
    return (*(p for p in problems if p in kept), more)


def _globals(root: Statement) -> dict[str, str]:
    """Returns the single-line entries of ``global_defs`` and outside of it, without secrets."""
    lines = [*root.each(*GLOBAL_LINES), *root.entries("global_defs")]
    lines = [line for line in lines if line.children is None and line.keyword and not _SECRET.search(line.keyword)]
    return {line.keyword: " ".join(line.words[1:]) for line in lines}
