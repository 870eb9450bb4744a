"""A TCP connect to a VIP, made on request."""

from __future__ import annotations

from msgspec import Struct

TIMEOUT = 3.0
"""Seconds. The kernel resends a lost SYN after 1 s and after 3 s."""


class Connect(Struct, frozen=True):
    """The result of a connect; ``error`` is None if it was accepted."""

    address: str
    port: int
    at: float  # start (seconds since the epoch)
    seconds: float  # until it was accepted, was refused or timed out
    error: str | None = None
    source: str | None = None  # source address, if the kernel chose one
