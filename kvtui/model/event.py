"""Something that happened on a node, for the time line."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from kvtui.model.finding import Severity


class EventKind(StrEnum):
    VIP = "vip"
    VRRP = "vrrp"
    CHECK = "check"  # a real server that came, went, or changed its weight
    RELOAD = "reload"
    CONFIG = "config"
    FINDING = "finding"
    ACTION = "action"
    LOG = "log"


class Event(Struct, frozen=True):
    at: float | None  # seconds since the epoch; None for a log line without a time
    kind: EventKind
    text: str  # one sentence; pass it through `model.text.plain` before printing
    objects: tuple[str, ...] = ()  # the VIPs, instances and servers that it is about; the first is shown
    severity: Severity = Severity.INFO
    lines: int = 1  # number of log lines that it stands for
