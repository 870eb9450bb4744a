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
    DEGRADED = "degraded"  # some data is missing or old: `detail` says what and why
    UNAVAILABLE = "unavailable"  # no data: `detail` says why and what helps


class UnavailableReason(StrEnum):
    """Why an unavailable source is not an error."""

    ABSENT = "absent"  # it does not exist on this node
    UNWANTED = "unwanted"  # the operator disabled it
    PENDING = "pending"  # its first answer has not arrived yet


class Source(Struct, frozen=True):
    name: SourceName
    state: SourceState
    detail: str = ""  # one sentence for the operator: the loss, its cause, the next step
    read_at: float | None = None  # seconds since the epoch
    reason: UnavailableReason | None = None

    def age(self, now: float) -> float | None:
        return None if self.read_at is None else max(0.0, now - self.read_at)
