"""Errors of the IPVS table; their texts are for an operator."""


class IpvsError(OSError):
    """The table of a network namespace cannot be read or written; the text says why and what to do."""


class MalformedMessageError(ValueError):
    """The kernel's answer does not match include/uapi/linux/ip_vs.h."""


class NotInTableError(LookupError):
    """The kernel's table has no such virtual or real server."""
