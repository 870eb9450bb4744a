"""The last lines of keepalived's log."""

from __future__ import annotations

from msgspec import Struct


class LogLine(Struct, frozen=True):
    text: str  # without timestamp and secrets; pass it through `model.text.plain` before printing
    at: float | None = None  # seconds since the epoch; None if the line has no timestamp


class LogTail(Struct, frozen=True):
    lines: tuple[LogLine, ...] = ()
    where: str = ""  # their source, in a few words
    error: str = ""  # why lines are missing, and where to find them
    first: int = 0  # number of earlier lines that are not kept
