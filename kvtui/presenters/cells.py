"""A cell of a table: its text, and what its colour means."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from kvtui.model.finding import Severity
from kvtui.model.vrrp import VrrpState


class Tone(StrEnum):
    """The meaning of a colour. A word or mark in the same cell always says the same."""

    NORMAL = "normal"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


class Cell(Struct, frozen=True):
    """Plain text with a tone. Changes of a ``volatile`` cell (sparkline, age) are not highlighted."""

    text: str
    tone: Tone = Tone.NORMAL
    volatile: bool = False


SEVERITY_TONES = {Severity.CRITICAL: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.INFO: Tone.NORMAL}

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
