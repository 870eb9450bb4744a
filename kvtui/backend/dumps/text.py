"""What all readers of dumps share: addresses, numbers, and the exception for a text that ends too early."""

from __future__ import annotations

from kvtui.model.ip import canonical
from kvtui.model.vrrp import AddressFamily, VirtualAddress

LARGEST_NUMBER = 20  # digits; more is no counter of keepalived's (64 bits)


class Incomplete(Exception):  # noqa: N818 - a state of the text, not a fault of it
    """The text is not (yet) a whole dump: keepalived may still be writing it. The message never quotes the text."""


def whole_number(text: str) -> int | None:
    """The number at the start of the text, up to blank space or a comma."""
    word = text.replace(",", " ").split(maxsplit=1)
    digits = word[0].removeprefix("-") if word else ""
    return int(word[0]) if digits.isdecimal() and digits.isascii() and len(digits) <= LARGEST_NUMBER else None


def decimal(text: str) -> float | None:
    """The decimal number at the start of the text."""
    word = text.split(maxsplit=1)
    if not word or not word[0].replace(".", "", 1).isdecimal() or not word[0].isascii():
        return None
    return float(word[0]) if len(word[0]) <= 2 * LARGEST_NUMBER else None


def virtual_address(text: str) -> VirtualAddress | None:
    """An address as ipaddresstos() of keepalived writes it: ``10.0.0.1/24 dev eth0 scope global label eth0:v set``.

    No prefix length means all bits. A trailing ``set`` means that keepalived has put it on the interface.
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
    interface = words[words.index("dev") + 1] if "dev" in words[:-1] else None
    return VirtualAddress(address, prefixlen, interface, installed=words[-1] == "set")


def family_of(address: str) -> AddressFamily:
    """IP version of a canonical address."""
    return AddressFamily.V6 if ":" in address else AddressFamily.V4
