"""IP addresses as canonical text, so that layers can be compared."""

from __future__ import annotations

from ipaddress import ip_address


def canonical(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def canonical_or_same(text: str) -> str:
    return canonical(text) or text
