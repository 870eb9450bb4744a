"""The config on disk and the running config as lines that can be compared, for a diff.

Both are the lines of keepalived's consolidated copy (see ``reader``): no comments, includes followed. They contain
passwords: mask them before you show them (``model.secrets``).
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from kvtui.backend.conf.expand import Expander, Opened
from kvtui.backend.conf.includes import MAX_FILE_BYTES, Includes
from kvtui.backend.conf.running import read_copy
from kvtui.backend.linux.files import read_text
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kvtui.backend.conf.tree import Piece

_QUOTED = re.compile(r'"[^"]*"')


def saved_lines(path: str, *, root: str = "", config_id: str | None = None) -> tuple[str, ...]:
    """Returns the lines on disk. Arguments as in ``reader.read``.

    Raises:
        OSError: the main file cannot be read.
    """
    opened = Opened(path, read_text(path, MAX_FILE_BYTES, root=root))
    return lines_of(opened, root=root, config_id=config_id)


def lines_of(opened: Opened, *, root: str = "", config_id: str | None = None) -> tuple[str, ...]:
    expander = Expander(config_id, Includes(root))
    return _copy(expander, expander.file(opened))


def running_lines(pid: int, *, config_id: str | None = None) -> tuple[str, ...] | None:
    """Returns None when they cannot be read (``running.read_copy``)."""
    text = read_copy(pid)
    if text is None:
        return None
    expander = Expander(config_id)
    return _copy(expander, expander.consolidated(text))


def _copy(expander: Expander, pieces: Iterator[Piece]) -> tuple[str, ...]:
    for _piece in pieces:
        pass
    return tuple(expander.copy)


def difference(before: Iterable[str], after: Iterable[str], *, names: tuple[str, str]) -> str:
    """Returns a unified diff, indented by blocks. Passwords are masked after the comparison, so a changed one shows."""
    old, new = _indented(before), _indented(after)
    known = secrets_in([*old, *new])
    return "".join(f"{masked(line, known)}\n" for line in difflib.unified_diff(old, new, *names, lineterm=""))


def _indented(lines: Iterable[str]) -> Sequence[str]:
    shown = []
    depth = 0
    for line in lines:
        bare = _QUOTED.sub("", line)
        closes_first = bare.startswith("}")
        shown.append("  " * max(0, depth - closes_first) + line)
        depth = max(0, depth + bare.count("{") - bare.count("}"))
    return shown
