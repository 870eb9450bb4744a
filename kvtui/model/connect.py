"""One TCP connect to a VIP, made on request."""

from __future__ import annotations

from msgspec import Struct

TIMEOUT = 3.0
"""Seconds until a connect counts as unanswered: a SYN that was lost is sent again after 1 s, and after 3 s."""


class Connect(Struct, frozen=True):
    """What came of it.

    Attributes:
        address: of the VIP.
        port: of the VIP.
        at: when it began (seconds since the epoch).
        seconds: until it was accepted, refused or given up.
        error: why it failed; None when it was accepted.
        source: the address that the kernel chose for it; None when it got none.
    """

    address: str
    port: int
    at: float
    seconds: float
    error: str | None = None
    source: str | None = None
