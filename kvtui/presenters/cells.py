"""A cell of a table: its text, and what its colour means. A line of text consists of such cells too."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.model.vrrp import VrrpState


class Tone(StrEnum):
    """The meaning of a colour. A word or mark in the same cell always says the same.

    A chip is a filled block of the header.
    """

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
    """Plain text with a tone. Changes of a ``volatile`` cell (sparkline, age) are not highlighted.

    Attributes:
        runs: lengths and tones of parts at the beginning of the text; the rest has ``tone``.
    """

    text: str
    tone: Tone = Tone.NORMAL
    volatile: bool = False
    runs: tuple[tuple[int, Tone], ...] = ()


Line = tuple[Cell, ...]
"""A line of text, in parts."""


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
