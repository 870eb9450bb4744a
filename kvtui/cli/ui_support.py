"""Whether the standard streams can show the terminal UI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMS = ("stdin", "stdout", "stderr")


def why_plain(env: Mapping[str, str]) -> str | None:
    """Returns why the terminal UI cannot run here; None when it can.

    Textual reads stdin and draws on stderr or stdout. Without ``kubectl exec -t`` it prints escape sequences into a
    pipe and exits with 0. With ``TERM=dumb`` it sends 24-bit colours (measured).
    """
    others = [name for fd, name in enumerate(STREAMS) if not _is_terminal(fd)]
    if others:
        names = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
        return f"{names} {'are not terminals' if others[1:] else 'is not a terminal'} (with kubectl exec, add -it)"
    if env.get("TERM") == "dumb":
        return "TERM=dumb cannot draw (if this is a real terminal, set TERM=xterm-256color)"
    return None


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:  # closed
        return False
