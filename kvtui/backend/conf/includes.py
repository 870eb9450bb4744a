"""Opens included files from outside of keepalived's mount namespace."""

from __future__ import annotations

import fnmatch
import glob
import os
import posixpath
import re
import stat
from typing import TYPE_CHECKING

from kvtui.backend.conf.expand import ConfigFile
from kvtui.backend.linux.files import open_regular, read_open
from kvtui.backend.linux.rooted import open_folder, stat_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.backend.conf.tree import Problems
    from kvtui.model.conf import Location

MAX_FILE_BYTES = 4 << 20
MAX_FILES = 1000
MAX_DEPTH = 30
MAX_ENTRIES = 100_000
_MAX_ALTERNATIVES = 1000
_INNERMOST_BRACES = re.compile(r"([^}]*)\{([^{}]*)\}")


def is_skipped(mode: int) -> bool:
    """Whether keepalived would skip the file: not a regular one, or with an execute bit (``check_glob_file``)."""
    return not stat.S_ISREG(mode) or bool(mode & 0o111)


class Includes:
    """Opens included files for an ``Expander``; adds to ``problems`` what cannot be read."""

    def __init__(self, root: str, problems: Problems) -> None:
        self.root = root
        self.problems = problems
        self._left = MAX_FILES
        self._bytes = MAX_FILE_BYTES
        self._entries_left = MAX_ENTRIES

    def __call__(self, keyword: str, pattern: str, open_files: tuple[str, ...], at: Location) -> list[ConfigFile]:
        """Returns the files that ``keyword pattern`` names, in the order in which keepalived reads them."""
        folder = posixpath.dirname(open_files[-1]) if open_files else ""
        names = [name for part in _braces(pattern) for name in self._matching(posixpath.join(folder, part))]
        wild = glob.has_magic(pattern)
        if len(open_files) > MAX_DEPTH:
            self.problems.include(f"Includes are more than {MAX_DEPTH} files deep: kvtui skips '{pattern}'", at)
            return []
        if len(names) > self._left:
            self.problems.include(f"More than {MAX_FILES} files are included: kvtui skips the rest of '{pattern}'", at)
            names = names[: self._left]
        self._left -= len(names)
        if not names and (not wild or keyword in ("includew", "includea")):
            self.problems.include(f"No file matches '{pattern}'", at)
        return [opened for name in names if (opened := self._open(name, open_files, at)) is not None]

    def _matching(self, name: str) -> list[str]:
        """Returns the names that exist, as glob(3) does."""
        name = posixpath.normpath(name)
        base, rest = _fixed_part(name)
        if not rest:
            try:
                stat_path(name, self.root)
            except OSError:
                return []
            return [name]
        found = [base]
        for part in rest.split("/"):
            found = [entry for parent in found for entry in self._entries(parent, part)]
        return sorted(found)

    def _entries(self, parent: str, pattern: str) -> Iterator[str]:
        """Yields what matches in a folder; looks at ``MAX_ENTRIES`` entries of all folders at most."""
        matches = re.compile(fnmatch.translate(pattern)).match
        try:
            folder = open_folder(parent or ".", self.root)
        except OSError:  # no folder, or unreadable
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._entries_left -= 1
                    if self._entries_left < 0:
                        return
                    if matches(entry.name) and (pattern.startswith(".") or not entry.name.startswith(".")):
                        yield posixpath.join(parent, entry.name)
        except OSError:  # it went just now
            return
        finally:
            os.close(folder)

    def _open(self, name: str, open_files: tuple[str, ...], at: Location) -> ConfigFile | None:
        if name in open_files:
            self.problems.include(f"'{name}' includes itself", at)
            return None
        try:
            if is_skipped(stat_path(name, self.root).st_mode):
                self.problems.include(f"keepalived skips '{name}': not a regular file, or executable", at)
                return None
            data = read_open(open_regular(name, root=self.root), name, self._bytes)
            self._bytes -= len(data)
        except OSError as error:
            self.problems.include(f"'{name}' cannot be read: {error.strerror or error}", at)
            return None
        return ConfigFile(name, data.decode("utf-8", "surrogateescape"))


def _fixed_part(pattern: str) -> tuple[str, str]:
    """Splits a pattern before its first component with a wildcard."""
    parts = pattern.split("/")
    wild = next((i for i, part in enumerate(parts) if glob.has_magic(part)), None)
    if wild is None:
        return pattern, ""
    return "/".join(parts[:wild]) or ("/" if pattern.startswith("/") else ""), "/".join(parts[wild:])


def _braces(pattern: str) -> list[str]:
    """Expands ``{a,b}`` alternatives (GLOB_BRACE)."""
    done: list[str] = []
    todo = [pattern]
    while todo and len(done) + len(todo) <= _MAX_ALTERNATIVES:
        current = todo.pop(0)
        if match := _INNERMOST_BRACES.match(current):
            todo[:0] = [match[1] + part + current[match.end() :] for part in match[2].split(",")]
        else:
            done.append(current)
    return list(dict.fromkeys(done))
