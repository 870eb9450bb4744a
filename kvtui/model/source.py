"""A data source of a snapshot: its state and its age."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class SourceName(StrEnum):
    """The sources of a snapshot, in display order."""

    KEEPALIVED = "keepalived"
    CONF = "conf"
    VRRP = "vrrp"
    IPVS = "ipvs"
    ADDRESSES = "addresses"
    ADVERTS = "adverts"
    KUBERNETES = "kubernetes"
    HOST = "host"


class SourceState(StrEnum):
    """Whether a source works."""

    OK = "ok"
    DEGRADED = "degraded"
    """Some data is missing or old: ``detail`` says what and why."""
    UNAVAILABLE = "unavailable"
    """No data: ``detail`` says why and what helps."""


class UnavailableReason(StrEnum):
    """Why an unavailable source is not an error."""

    ABSENT = "absent"
    """It does not exist on this node."""
    UNWANTED = "unwanted"
    """The operator disabled it."""
    PENDING = "pending"
    """Its first answer has not arrived yet."""


class Source(Struct, frozen=True):
    """One source's state.

    Attributes:
        detail: one sentence for the operator: the loss, its cause, the next step. Empty if there is no problem.
        read_at: when its data was read (seconds since the epoch); None if never.
        reason: why it is unavailable without an error; None otherwise.
    """

    name: SourceName
    state: SourceState
    detail: str = ""
    read_at: float | None = None
    reason: UnavailableReason | None = None

    def age(self, now: float) -> float | None:
        return None if self.read_at is None else max(0.0, now - self.read_at)
