"""Cells: parts of table rows and lines of text, with the meaning of their colours; wraps lines of them."""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tone(StrEnum):
    """The meaning of a colour, which a word or mark in the same cell has too. A chip is a filled block."""

    NORMAL = "normal"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"
    FOCUS = "focus"
    CHIP_LIVE = "chip-live"
    CHIP_LAB = "chip-lab"
    CHIP_DEMO = "chip-demo"
    CHIP_PAST = "chip-past"


class Cell(Struct, frozen=True):
    """Plain text with a tone; ``runs`` are lengths and tones of parts at its beginning.

    Changes of a ``volatile`` cell (sparkline, age) are not highlighted.
    """

    text: str
    tone: Tone = Tone.NORMAL
    volatile: bool = False
    runs: tuple[tuple[int, Tone], ...] = ()


Line = tuple[Cell, ...]

SEVERITY_TONES = {Severity.CRITICAL: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.INFO: Tone.DIM}
STATE_TONES = {
    VrrpState.MASTER: Tone.GOOD,
    VrrpState.BACKUP: Tone.NORMAL,
    VrrpState.FAULT: Tone.BAD,
    VrrpState.INIT: Tone.WARN,
    VrrpState.UNKNOWN: Tone.WARN,
}


def state_cell(state: VrrpState) -> Cell:
    return Cell("?" if state is VrrpState.UNKNOWN else state.value, STATE_TONES[state])


def share_cell(good: int, total: int) -> Cell:
    return Cell(f"{good}/{total}", Tone.BAD if not good else Tone.WARN if good < total else Tone.NORMAL)


def or_unknown(value: int | None) -> str:
    return "?" if value is None else str(value)


def line_text(line: Line) -> str:
    return "".join(cell.text for cell in line)


def text_lines(text: str) -> list[Line]:
    return [(Cell(plain(line)),) for line in text.split("\n")]


# --- wrapping

LABEL = re.compile(r" *\S+(?: \S+)*  +(?=\S)")
"""The text before the second column of a line; at least two blanks end it."""
MAX_LABEL = 24
MIN_ROOM = 12  # columns behind the indent


def hanging(line: str, width: int, indent: int | None = None) -> list[str]:
    """Wraps one line; the following lines have this indent, by default that of the line's second column.

    A line without a short label hangs by two columns more than it begins with. The text behind the last two blanks
    stays together if it fits. Where the indent would leave too little room, the line is returned unwrapped.
    """
    if indent is None:
        label = LABEL.match(line[: MAX_LABEL + 1])
        has_label = label and label.end() <= min(MAX_LABEL, width // 2 - 1)
        indent = label.end() if label and has_label else len(line) - len(line.lstrip()) + 2
    blanks = " " * indent
    if len(line) <= width or width < len(blanks) + MIN_ROOM:
        return [line]
    first, _, last = line.rpartition("  ")
    if len(blanks) < len(first.rstrip()) <= width and len(blanks) + len(last) <= width:
        return [first.rstrip(), blanks + last]
    return wrap(line, width, subsequent_indent=blanks, break_on_hyphens=False) or [""]


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
    runs = groupby(zip(text, tones, strict=True), key=lambda pair: pair[1])
    return tuple(Cell("".join(character for character, _tone in run), tone) for tone, run in runs)


# --- the lines of a plan

PLAN_TONES = (
    (r"(WARNING|CHANGED)\b", Tone.WARN),
    (r"(UNSAFE|REFUSED|FAILED)\b", Tone.BAD),
    (r"DONE\b", Tone.GOOD),
    (r"note: ", Tone.DIM),
    (r"  (---|\+\+\+) ", Tone.STRONG),
    (r"  @@ ", Tone.FOCUS),
    (r"  \+|\* ", Tone.GOOD),
    (r"  -|- ", Tone.BAD),
    (r"m more: ", Tone.FOCUS),
    (r"[A-Z][a-z ]+:$", Tone.STRONG),
)
"""By the beginning of a line; warnings, results, and the lines of a diff."""


def plan_lines(lines: Iterable[str], width: int, *, first: Tone | None = None) -> list[Line]:
    """Returns these lines in their colours, wrapped; the ``first`` one can have a tone of its own."""
    drawn: list[Line] = []
    for n, line in enumerate(lines):
        usual = first if n == 0 and first else Tone.NORMAL
        tone = next((tone for pattern, tone in PLAN_TONES if re.match(pattern, line)), usual)
        drawn += wrapped((Cell(plain(line), tone),), width)
    return drawn
