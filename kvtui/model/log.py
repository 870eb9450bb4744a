"""The end of keepalived's log, as far as it can be had from here."""

from __future__ import annotations

from msgspec import Struct


class LogLine(Struct, frozen=True):
    """One line.

    Attributes:
        text: without its time and without secrets; data, so ``model.text.plain`` comes before any terminal.
        at: seconds since the epoch; None when the line does not say.
    """

    text: str
    at: float | None = None


class LogTail(Struct, frozen=True):
    """The last lines.

    Attributes:
        lines: oldest first; their end only.
        where: what they are read from, in a few words; empty when nothing is.
        trouble: why there is nothing (more), and where to look instead; else empty.
        first: how many lines came before the first of these and are not kept.
    """

    lines: tuple[LogLine, ...] = ()
    where: str = ""
    error: str = ""
    first: int = 0
