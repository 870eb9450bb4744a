"""A TCP connect to a VIP, made on request."""

from __future__ import annotations

from msgspec import Struct

TIMEOUT = 3.0
"""Seconds. The kernel resends a lost SYN after 1 s and after 3 s."""


class Connect(Struct, frozen=True):
    """The result of a connect.

    Attributes:
        at: start (seconds since the epoch).
        seconds: until it was accepted, was refused or timed out.
        error: why it failed; None if it was accepted.
        source: source address that the kernel chose; None if it chose none.
    """

    address: str
    port: int
    at: float
    seconds: float
    error: str | None = None
    source: str | None = None
