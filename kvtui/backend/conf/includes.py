"""Finding included files as keepalived sees them, from outside its mount namespace."""

from __future__ import annotations

import errno
import glob
import os
import posixpath
import stat
from typing import TYPE_CHECKING

from kvtui.backend.conf.expand import Opened
from kvtui.backend.conf.tree import read_text
from kvtui.model.conf import Location, Problem, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINKS_LIMIT = 40
"""Symbolic links on one path, as the kernel allows (MAXSYMLINKS)."""

_ALTERNATIVES_LIMIT = 1000


def inside(root: str, path: str) -> str:
    """Where to open what a process with root directory ``root`` calls ``path``.

    Absolute symbolic links lead to that root again, and ``..`` not above it: opened as it stands,
    ``/proc/PID/root/link`` would be followed in kvtui's own root.

    Raises:
        OSError: ELOOP, too many symbolic links.
    """
    if not root:
        return path
    done: list[str] = []
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        try:
            target = os.readlink("/".join([root, *done, part]))  # noqa: PTH115 - text in, text out
        except OSError:  # not a link, or not there: opening it will tell
            done.append(part)
            continue
        links += 1
        if links > _LINKS_LIMIT:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            done.clear()
        todo += target.split("/")[::-1]
    return "/".join([root.rstrip("/"), *done])


def executable(path: str) -> bool:
    """Whether keepalived would skip the file: not a regular one, or with an execute bit (``check_glob_file``).

    Raises:
        OSError: it cannot be looked at.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116 - text in, numbers out
    return not stat.S_ISREG(mode) or bool(mode & 0o111)


class Includes:
    """Opens included files for an ``Expander``.

    Attributes:
        problems: what could not be read.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.problems: list[Problem] = []

    def __call__(self, keyword: str, pattern: str, open_files: tuple[str, ...], at: Location) -> list[Opened]:
        """The files that ``keyword pattern`` names, in the order in which keepalived reads them."""
        folder = posixpath.dirname(open_files[-1]) if open_files else ""
        names = [name for part in _braces(pattern) for name in self._matching(posixpath.join(folder, part))]
        wild = glob.has_magic(pattern)
        if not names and (not wild or keyword in ("includew", "includea")):
            self._problem(f"No file matches '{pattern}'", at)
        return [opened for name in names if (opened := self._open(name, open_files, at)) is not None]

    def _matching(self, name: str) -> list[str]:
        """The names that match; those that cannot be there are not matched, as with glob(3)."""
        name = posixpath.normpath(name)
        if not glob.has_magic(name):
            return [name] if os.path.exists(inside(self.root, name)) else []  # noqa: PTH110 - text in
        base, rest = _fixed_part(name)
        found = glob.glob(rest, root_dir=inside(self.root, base) or ".")  # noqa: PTH207 - relative names are wanted
        return [posixpath.join(base, match) for match in sorted(found)]

    def _open(self, name: str, open_files: tuple[str, ...], at: Location) -> Opened | None:
        if name in open_files:
            self._problem(f"'{name}' includes itself", at)
            return None
        try:
            path = inside(self.root, name)
            if executable(path):
                self._problem(f"keepalived skips '{name}': not a regular file, or executable", at)
                return None
            text = read_text(path)
        except OSError as error:
            self._problem(f"'{name}' cannot be read: {error.strerror or error}", at)
            return None
        return Opened(name, text)

    def _problem(self, message: str, at: Location) -> None:
        self.problems.append(Problem(ProblemKind.INCLUDE, message, at))


def _fixed_part(pattern: str) -> tuple[str, str]:
    """A pattern cut before its first component with a wildcard."""
    parts = pattern.split("/")
    wild = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:wild]) or ("/" if pattern.startswith("/") else ""), "/".join(parts[wild:])


def _braces(pattern: str) -> list[str]:
    """``{a,b}`` alternatives written out (GLOB_BRACE); at most a thousand."""
    done: list[str] = []
    todo = [pattern]
    while todo and len(done) + len(todo) <= _ALTERNATIVES_LIMIT:
        current = todo.pop(0)
        span = _innermost(current)
        if span is None:
            done.append(current)
            continue
        start, end = span
        todo[:0] = [current[:start] + part + current[end + 1 :] for part in current[start + 1 : end].split(",")]
    return list(_once(done))


def _innermost(text: str) -> tuple[int, int] | None:
    end = text.find("}")
    start = text.rfind("{", 0, end) if end >= 0 else -1
    return (start, end) if start >= 0 else None


def _once(names: list[str]) -> Iterator[str]:
    return iter(dict.fromkeys(names))
