"""Whether there is a terminal that the UI can draw on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Self

from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Streams:
    """Which of the standard streams are terminals."""

    stdin: bool
    stdout: bool
    stderr: bool

    @classmethod
    def ours(cls) -> Self:
        """This process's; a closed stream is no terminal."""

        def is_terminal(number: int) -> bool:
            try:
                return os.isatty(number)
            except OSError:
                return False

        return cls(*(is_terminal(n) for n in (0, 1, 2)))


def why_plain(env: Mapping[str, str], streams: Streams) -> str | None:
    """Why plain text must do instead of the terminal UI; None when the UI can run.

    Textual reads stdin and draws on stderr or stdout: without ``kubectl exec -t`` it would print escape codes into a
    pipe and exit 0. ``TERM=dumb`` cannot move a cursor (measured: Textual sends it 24-bit colour all the same).
    """
    missing = [name for name in ("stdin", "stdout", "stderr") if not getattr(streams, name)]
    if missing:
        names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        return f"{names} {'are' if missing[1:] else 'is'} no terminal (with kubectl exec, add -it)"
    if env.get("TERM") == "dumb":
        return "TERM=dumb cannot draw (set TERM=xterm-256color if this is a real terminal)"
    return None


def size() -> tuple[int, int]:
    """Columns and rows of the terminal, 80 by 24 where it does not know (kubectl exec can say 0 by 0)."""
    try:
        found = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    except (OSError, ValueError):
        return (80, 24)
    return (found.columns or 80, found.lines or 24)
