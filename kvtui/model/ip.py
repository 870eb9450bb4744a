"""IP addresses as text: one form in all layers, so that they can be compared."""

from __future__ import annotations

from ipaddress import ip_address


def canonical(text: str) -> str | None:
    """An IP address in canonical text; None when it is not one."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def canonical_or_same(text: str) -> str:
    """An IP address in canonical text; any other text as it is."""
    return canonical(text) or text
