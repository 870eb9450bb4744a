"""What follows from a change: the public JSON of ``plan.prediction``, ``plan.traffic`` and ``outcome.observed``."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Certainty(StrEnum):
    """How sure a prediction is of all in it that is not None."""

    CERTAIN = "certain"
    LIKELY = "likely"
    """It rests on what other nodes probably are: as this node, or as they were when they last advertised."""
    UNKNOWN = "unknown"
    """No source on this node knows what decides it."""


class StateChange(Struct, frozen=True):
    """The state on this node; ``then`` is None if unknown, and for an instance that is removed."""

    now: str | None
    then: str | None


class VipsChange(Struct, frozen=True):
    """The instance's VIPs that are on this node; None if unknown."""

    now: tuple[str, ...] | None
    then: tuple[str, ...] | None


class Prediction(Struct, frozen=True):
    """What follows for one instance of this node, or what came of it; unknown values are None."""

    instance: str
    state: StateChange
    vips_here: VipsChange
    owner_then: str | None
    """Address of the node that has the VIPs afterwards; None if no node has them, too."""
    two_owners: bool | None
    """Two nodes have a VIP of the instance afterwards."""
    within_seconds: float | None
    """Longest time until it has come; None if nothing changes."""
    certainty: Certainty
    why: str


class CountChange(Struct, frozen=True):
    now: int
    then: int


class NewConnections(StrEnum):
    SERVED = "served"
    PARTLY_REFUSED = "partly refused"
    """A hashing scheduler refuses the clients whose hash leads to a real server of weight 0."""
    REFUSED = "refused"
    SORRY_SERVER = "sorry server"


class Traffic(Struct, frozen=True):
    virtual_server: str
    real_servers: CountChange
    """Those that take new connections, without the sorry server."""
    weight: CountChange
    """The sum of theirs."""
    quorum: int
    quorum_met: bool
    """As keepalived counts it, which does not see a weight that is set in the kernel."""
    sorry_server: str | None
    """Its address and port if it takes the connections then."""
    new_connections: NewConnections
