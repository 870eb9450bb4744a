from __future__ import annotations

from kvtui.model.ip import canonical
from kvtui.model.vrrp import VirtualAddress

MAX_DIGITS = 20  # of keepalived's 64-bit counters


class IncompleteDumpError(Exception):
    """keepalived may still be writing the dump. The message never quotes the text."""


def whole_number(text: str) -> int | None:
    """Returns the number at the start of the text, up to white space or a comma."""
    word = text.replace(",", " ").split(maxsplit=1)
    digits = word[0].removeprefix("-") if word else ""
    return int(word[0]) if digits.isdecimal() and digits.isascii() and len(digits) <= MAX_DIGITS else None


def decimal(text: str) -> float | None:
    word = text.split(maxsplit=1)
    if not word or not word[0].replace(".", "", 1).isdecimal() or not word[0].isascii():
        return None
    return float(word[0]) if len(word[0]) <= 2 * MAX_DIGITS else None


def virtual_address(text: str, *, excluded: bool = False) -> VirtualAddress | None:
    """Parses an address of keepalived's ipaddresstos(): ``10.0.0.1/24 dev eth0 scope global label eth0:v set``.

    A VMAC is ``dev vrrp.51@eth0``; no prefix length means all bits; ``set``: keepalived added the address.
    """
    words = text.split()
    if not words:
        return None
    host, _, length = words[0].partition("/")
    address = canonical(host)
    if address is None:
        return None
    bits = 128 if ":" in address else 32
    prefixlen = whole_number(length) if length else bits
    if prefixlen is None or not 0 <= prefixlen <= bits:
        return None
    interface = words[words.index("dev") + 1].partition("@")[0] if "dev" in words[:-1] else None
    return VirtualAddress(address, prefixlen, interface, installed=words[-1] == "set", excluded=excluded)
