"""IP addresses as canonical text, so that layers can be compared."""

from __future__ import annotations

from ipaddress import ip_address

_OCTETS = frozenset(map(str, range(256)))


def canonical(text: str) -> str | None:
    octets = text.split(".", 4)
    if len(octets) == 4 and _OCTETS.issuperset(octets):  # a config has thousands: a tenth of what ipaddress takes
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def canonical_or_same(text: str) -> str:
    return canonical(text) or text
