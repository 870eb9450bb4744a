"""The last lines of keepalived's log."""

from __future__ import annotations

from kvtui.model.record import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line.

    Attributes:
        text: without timestamp and secrets; pass it through ``model.text.plain`` before printing.
        at: seconds since the epoch; None if the line has no timestamp.
    """

    text: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class LogTail:
    """The last lines.

    Attributes:
        lines: oldest first.
        where: their source, in a few words; empty if there is none.
        error: why lines are missing, and where to find them; else empty.
        first: number of earlier lines that are not kept.
    """

    lines: tuple[LogLine, ...] = ()
    where: str = ""
    error: str = ""
    first: int = 0
