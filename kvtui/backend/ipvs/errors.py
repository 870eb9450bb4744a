"""What can go wrong with the IPVS table, in words for an operator."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why the table cannot be read or written."""

    NOT_LOADED = "not-loaded"
    NOT_PERMITTED = "not-permitted"
    NO_PROCESS = "no-process"
    CHANGING = "changing"
    FAILED = "failed"


class IpvsUnavailable(OSError):  # noqa: N818 - named for what it tells the operator
    """The table of a network namespace cannot be reached; the text is one sentence and the next step."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class MalformedMessage(ValueError):  # noqa: N818 - as above
    """The kernel's answer does not have the form that include/uapi/linux/ip_vs.h promises."""


class NotInTable(LookupError):  # noqa: N818 - as above
    """The virtual or real server that was named is not in the kernel's table."""
