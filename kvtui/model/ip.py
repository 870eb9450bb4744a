"""IP addresses as canonical text, so that layers can be compared."""

from __future__ import annotations

from ipaddress import ip_address


def canonical(text: str) -> str | None:
    """Returns an IP address in canonical text; None if ``text`` is not an IP address."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def canonical_or_same(text: str) -> str:
    """Returns an IP address in canonical text; any other text unchanged."""
    return canonical(text) or text
