"""Errors of the IPVS table; their texts are for an operator."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why the table cannot be read or written."""

    NOT_LOADED = "not-loaded"
    NOT_PERMITTED = "not-permitted"
    NO_PROCESS = "no-process"
    CHANGING = "changing"
    FAILED = "failed"


class IpvsError(OSError):
    """The table of a network namespace cannot be read or written; the text says why and what to do."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class MalformedMessageError(ValueError):
    """The kernel's answer does not match include/uapi/linux/ip_vs.h."""


class NotInTableError(LookupError):
    """The kernel's table has no such virtual or real server."""
