"""Wraps lines of text for a terminal."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.presenters.cells import Cell, line_text

if TYPE_CHECKING:
    from kvtui.presenters.cells import Line, Tone


LABEL = re.compile(r" *\S+(?: \S+)*  +(?=\S)")
"""What stands before the second column of a line: at least two blanks end it."""
MAX_LABEL = 24
MIN_ROOM = 12
"""Columns behind the indent."""


def hanging(line: str, width: int, indent: int | None = None) -> list[str]:
    """Wraps one line; the following lines have this indent, by default that of the line's second column.

    A line without a short label hangs by two columns more than it begins with. What stands behind the last two blanks
    stays together if it fits. Where the indent would leave too little room, the line is returned unwrapped.
    """
    blanks = " " * (_indent(line, width) if indent is None else indent)
    if len(line) <= width or width < len(blanks) + MIN_ROOM:
        return [line]
    first, _, last = line.rpartition("  ")
    if len(blanks) < len(first.rstrip()) <= width and len(blanks) + len(last) <= width:
        return [first.rstrip(), blanks + last]
    return wrap(line, width, subsequent_indent=blanks, break_on_hyphens=False) or [""]


def _indent(line: str, width: int) -> int:
    label = LABEL.match(line[: MAX_LABEL + 1])
    if label and label.end() <= min(MAX_LABEL, width // 2 - 1):
        return label.end()
    return len(line) - len(line.lstrip()) + 2


def wrapped(line: Line, width: int, indent: int | None = None) -> list[Line]:
    """Wraps a line of cells as ``hanging`` does; each part keeps its tone."""
    text = line_text(line)
    pieces = hanging(text, width, indent)
    if len(pieces) == 1:
        return [line]
    tones = [tone for cell in line for tone in _tones(cell)]
    lines: list[Line] = []
    position = 0
    for piece in pieces:
        words = piece.lstrip() if lines else piece
        position = max(position, text.find(words, position))
        cells = _cells(words, tones[position : position + len(words)])
        lines.append((Cell(piece[: len(piece) - len(words)]), *cells) if len(piece) > len(words) else cells)
        position += len(words)
    return lines


def _tones(cell: Cell) -> list[Tone]:
    tones = [tone for length, tone in cell.runs for _ in range(length)]
    return [*tones, *[cell.tone] * (len(cell.text) - len(tones))]


def _cells(text: str, tones: list[Tone]) -> Line:
    cells: list[Cell] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or tones[end] is not tones[start]:
            cells.append(Cell(text[start:end], tones[start]))
            start = end
    return tuple(cells)
