"""The colours of a plan's lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.presenters.cells import Line

TONES = (
    (re.compile(r"(WARNING|CHANGED)\b"), Tone.WARN),
    (re.compile(r"(UNSAFE|REFUSED|FAILED)\b"), Tone.BAD),
    (re.compile(r"DONE\b"), Tone.GOOD),
    (re.compile(r"note: "), Tone.DIM),
    (re.compile(r"  (---|\+\+\+) "), Tone.STRONG),
    (re.compile(r"  @@ "), Tone.FOCUS),
    (re.compile(r"  \+|\* "), Tone.GOOD),
    (re.compile(r"  -|- "), Tone.BAD),
    (re.compile(r"m more: "), Tone.FOCUS),
    (re.compile(r"[A-Z][a-z ]+:$"), Tone.STRONG),
)
"""By the beginning of a line; warnings, results, and the lines of a diff."""


def tone_of(line: str) -> Tone:
    return next((tone for pattern, tone in TONES if pattern.match(line)), Tone.NORMAL)


def plan_lines(lines: Iterable[str], width: int, *, first: Tone | None = None) -> list[Line]:
    """Returns these lines in their colours, wrapped; the ``first`` one can have a tone of its own."""
    tones = [
        (line, first if n == 0 and first and tone_of(line) is Tone.NORMAL else tone_of(line))
        for n, line in enumerate(lines)
    ]
    return [part for line, tone in tones for part in wrapped((Cell(plain(line), tone),), width)]
