"""Wraps lines of text for a terminal."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.presenters.cells import Cell, line_text

if TYPE_CHECKING:
    from kvtui.presenters.cells import Line, Tone


def hanging(line: str, width: int, indent: int | None = None) -> list[str]:
    """Wraps one line; the following lines have this indent, by default two columns more than the first.

    Where the indent would leave too little room, the line is returned unwrapped.
    """
    blanks = " " * (len(line) - len(line.lstrip()) + 2 if indent is None else indent)
    if len(line) <= width or width < 2 * len(blanks) + 10:
        return [line]
    return wrap(line, width, subsequent_indent=blanks, break_on_hyphens=False) or [""]


def wrapped(line: Line, width: int) -> list[Line]:
    """Wraps a line of cells as ``hanging`` does; each part keeps its tone."""
    text = line_text(line)
    pieces = hanging(text, width)
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
