"""A source of knowledge about the node, its state and the age of what it said."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class SourceName(StrEnum):
    """The sources of a snapshot, in the order in which they are shown."""

    KEEPALIVED = "keepalived"
    CONF = "conf"
    VRRP = "vrrp"
    IPVS = "ipvs"
    ADDRESSES = "addresses"
    ADVERTS = "adverts"
    KUBERNETES = "kubernetes"
    HOST = "host"


class SourceState(StrEnum):
    """How far a source can be believed."""

    OK = "ok"
    DEGRADED = "degraded"
    """It answers, but less than it could: ``detail`` says what is lost and why."""
    UNAVAILABLE = "unavailable"
    """It says nothing: ``detail`` says why and what would help."""


class UnavailableReason(StrEnum):
    """Why a source that says nothing is no trouble."""

    ABSENT = "absent"
    """There is none here."""
    UNWANTED = "unwanted"
    """The operator said not to ask it."""
    PENDING = "pending"
    """It has been asked for the first time, and the answer has not come yet."""


class Source(Struct, frozen=True):
    """One source's state.

    Attributes:
        name: which source.
        state: whether to believe it.
        detail: one sentence for an operator: what is lost, the cause, the next step. Empty when all is well.
        read_at: when its data was read from the world (seconds since the epoch); None when it never was.
        reason: why nothing is amiss though it is unavailable; None where something is, or where it is there.
    """

    name: SourceName
    state: SourceState
    detail: str = ""
    read_at: float | None = None
    reason: UnavailableReason | None = None

    def age(self, now: float) -> float | None:
        """Seconds since the data was read, or None when nothing was ever read."""
        return None if self.read_at is None else max(0.0, now - self.read_at)
