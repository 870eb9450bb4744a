"""The last lines of keepalived's log."""

from __future__ import annotations

from msgspec import Struct


class LogLine(Struct, frozen=True):
    text: str
    """Without timestamp and secrets; pass it through ``model.text.plain`` before printing."""
    at: float | None = None
    """Seconds since the epoch; None if the line has no timestamp."""


class LogTail(Struct, frozen=True):
    lines: tuple[LogLine, ...] = ()
    where: str = ""
    """Their source, in a few words."""
    error: str = ""
    """Why lines are missing, and where to find them."""
    first: int = 0
    """Number of earlier lines that are not kept."""
