"""The text of ``--watch``: a terminal is redrawn in place, a pipe gets the lines that changed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from kvtui.cli.output import is_read, is_redrawn, terminal_height

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.observation import Observation

HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class WatchedText:
    """Makes the text to print from one observation after another; ``view`` makes the whole view."""

    def __init__(self, view: Callable[[Observation], str]) -> None:
        self._view = view
        self._before: list[str] | None = None

    def text(self, seen: Observation) -> str | None:
        """Returns what to print now; None where nothing changed, or the reader is behind."""
        if is_redrawn():
            return timed(seen.snapshot.time, self._view(seen))
        if not is_read():
            return None  # the next difference shows what changes
        before, self._before = self._before, self._view(seen).splitlines()
        lines = self._before if before is None else changed_lines(before, self._before)
        return timed(seen.snapshot.time, "".join(f"{line}\n" for line in lines)) if before is None or lines else None


def timed(at: float, text: str) -> str:
    """Returns a text below the time of day; on a terminal it replaces the screen without blanking it."""
    text = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S\n") + text
    if not is_redrawn():
        return text
    lines, height = text.splitlines(), terminal_height()
    if len(lines) >= height:
        kept = max(1, height - 2)
        lines = [*lines[:kept], f"... {len(lines) - kept} more lines; a higher terminal shows them"]
    return HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW


def changed_lines(before: list[str], now: list[str]) -> list[str]:
    """Returns the lines that are new or changed, and those that are gone, by their first cell."""
    old = set(before)
    names = {_name(line) for line in now}
    gone = [f"gone: {line.strip()}" for line in before if line.strip() and _name(line) not in names]
    return [line for line in now if line.strip() and line not in old] + gone


def _name(line: str) -> str:
    return re.split(r"  +", line.strip(), maxsplit=1)[0]
