"""Something that happened on a node, for the time line."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from kvtui.model.finding import Severity


class EventKind(StrEnum):
    """What an event is about."""

    VIP = "vip"
    VRRP = "vrrp"
    CHECK = "check"
    """A real server that came, went, or changed its weight."""
    RELOAD = "reload"
    CONFIG = "config"
    FINDING = "finding"
    ACTION = "action"
    LOG = "log"


class Event(Struct, frozen=True):
    """One line of the time line.

    Attributes:
        at: seconds since the epoch; None for a log line without a time.
        text: one sentence; pass it through ``model.text.plain`` before printing.
        objects: the VIPs, instances and servers that it is about; the first is shown.
        lines: number of log lines that it stands for.
    """

    at: float | None
    kind: EventKind
    text: str
    objects: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    lines: int = 1
