"""The last lines of keepalived's log."""

from __future__ import annotations

from msgspec import Struct


class LogLine(Struct, frozen=True):
    """One line.

    Attributes:
        text: without timestamp and secrets; pass it through ``model.text.plain`` before printing.
        at: seconds since the epoch; None if the line has no timestamp.
    """

    text: str
    at: float | None = None


class LogTail(Struct, frozen=True):
    """The last lines.

    Attributes:
        where: their source, in a few words; empty if there is none.
        error: why lines are missing, and where to find them; else empty.
        first: number of earlier lines that are not kept.
    """

    lines: tuple[LogLine, ...] = ()
    where: str = ""
    error: str = ""
    first: int = 0
