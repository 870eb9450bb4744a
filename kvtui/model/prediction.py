"""What follows from a change: the public JSON of ``plan.prediction``, ``plan.traffic`` and ``outcome.observed``."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Certainty(StrEnum):
    """How sure a prediction is of all in it that is not None."""

    CERTAIN = "certain"
    LIKELY = "likely"
    """It rests on what other nodes probably are: as this node, or as they were when they last advertised."""
    UNKNOWN = "unknown"  # no source on this node knows what decides it


class StateChange(Struct, frozen=True):
    """The state on this node; ``then`` is None if unknown, and for an instance that is removed."""

    now: str | None
    then: str | None


class VipsChange(Struct, frozen=True):
    """The instance's VIPs that are on this node; None if unknown."""

    now: tuple[str, ...] | None
    then: tuple[str, ...] | None


class Prediction(Struct, frozen=True):
    """What follows for one instance of this node, or what came of it.

    Attributes:
        owner_then: address of the node that has the VIPs afterwards; None if unknown, or if it is no node.
        two_owners: two nodes have a VIP of the instance afterwards; None if unknown.
        within_seconds: longest time until it has come; None if nothing changes.
    """

    instance: str
    state: StateChange
    vips_here: VipsChange
    owner_then: str | None
    two_owners: bool | None
    within_seconds: float | None
    certainty: Certainty
    why: str


class CountChange(Struct, frozen=True):
    """A number before and after."""

    now: int
    then: int


class NewConnections(StrEnum):
    """What becomes of clients that connect."""

    SERVED = "served"
    PARTLY_REFUSED = "partly refused"
    """A hashing scheduler refuses the clients whose hash leads to a real server of weight 0."""
    REFUSED = "refused"
    SORRY_SERVER = "sorry server"


class Traffic(Struct, frozen=True):
    """What is left of a virtual server for clients.

    Attributes:
        real_servers: those that take new connections, without the sorry server.
        weight: the sum of theirs.
        quorum_met: as keepalived counts it, which does not see a weight that is set in the kernel.
        sorry_server: its address and port if it takes the connections then.
    """

    virtual_server: str
    real_servers: CountChange
    weight: CountChange
    quorum: int
    quorum_met: bool
    sorry_server: str | None
    new_connections: NewConnections
