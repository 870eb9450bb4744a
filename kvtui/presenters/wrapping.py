"""Wraps lines of text for a terminal."""

from __future__ import annotations

from textwrap import wrap


def hanging(line: str, width: int) -> list[str]:
    """Wraps one line; the following lines are indented two columns more than the first.

    Where the indent would leave too little room, the line is returned unwrapped.
    """
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    if len(line) <= width or width < 2 * len(indent) + 10:
        return [line]
    return wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]
