"""Numbers as keepalived reads them (``read_unsigned`` and the like in its ``lib/parser.c``).

Where it is lenient it takes the digits in front (``5abc`` is 5, ``abc`` is 0), as long as they are in range.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_UNSIGNED = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]*)(.*)", re.DOTALL)
_SECONDS = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]*(?:\.[0-9]*)?)")
_DECIMALS = 6
_MAX_DIGITS = 20


def unsigned(text: str | None, low: int, high: int, *, lenient: bool = False) -> int | None:
    """Returns a number from ``low`` to ``high``; None when keepalived does not take it."""
    match = _UNSIGNED.match(text) if text is not None else None
    if match is None or len(match[1]) > _MAX_DIGITS or (match[2] and not lenient) or match[2].startswith("-"):
        return None
    value = int(match[1] or 0)
    return value if low <= value <= high else None


def integer(text: str | None, low: int, high: int) -> int | None:
    """The same with a sign, always lenient."""
    bare = text.lstrip(" \t\n\v\f\r") if text is not None else ""
    if bare.startswith("-"):
        value = unsigned(bare[1:], 0, max(0, -low), lenient=True)
        return None if value is None or not low <= -value <= high else -value
    return unsigned(text, max(0, low), high, lenient=True)


def last_taken(values: Iterable[T | None]) -> T | None:
    """Returns the last value that keepalived takes: it ignores an invalid one (None)."""
    return next((value for value in reversed(list(values)) if value is not None), None)


def seconds(text: str | None, low: float, high: float) -> float | None:
    """Returns seconds with up to six decimals; more round, and text after the digits makes them invalid."""
    match = _SECONDS.fullmatch(text) if text is not None and len(text) <= _MAX_DIGITS else None
    if match is None:
        return None
    value = round(float(f"0{match[1]}"), _DECIMALS)
    return value if low <= value <= high else None
