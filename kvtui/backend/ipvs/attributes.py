"""Netlink attributes (type, length, value, padded to 4 bytes): reading and writing them (include/net/netlink.h)."""

from __future__ import annotations

import socket
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING

from kvtui.backend.ipvs.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = Struct("=HH")
HEADER_SIZE = 4
TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

Buffer = bytes | bytearray | memoryview


def aligned(length: int) -> int:
    """A length with its padding (NLA_ALIGN, NLMSG_ALIGN)."""
    return (length + 3) & ~3


def attributes(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The attributes between two offsets: (type, start of the value, end of the value).

    Raises:
        MalformedMessage: an attribute does not fit, or bytes are left over.
    """
    while start < end:
        if end - start < HEADER_SIZE:
            raise MalformedMessage(f"{end - start} stray bytes after the last attribute at offset {start}")
        length, kind = HEADER.unpack_from(buffer, start)
        if length < HEADER_SIZE or length > end - start:
            raise MalformedMessage(
                f"attribute {kind & TYPE_MASK} at offset {start} claims {length} bytes of {end - start}"
            )
        yield kind & TYPE_MASK, start + HEADER_SIZE, start + length
        start += aligned(length)


def nested(buffer: Buffer, start: int, end: int, wanted: int) -> tuple[int, int]:
    """Where the value of the wanted attribute lies.

    Raises:
        MalformedMessage: there is none.
    """
    for kind, first, last in attributes(buffer, start, end):
        if kind == wanted:
            return first, last
    raise MalformedMessage(f"a message without attribute {wanted}")


def pack(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return HEADER.pack(HEADER_SIZE + len(value), kind) + value + b"\0" * (aligned(len(value)) - len(value))


@lru_cache(maxsize=1 << 16)
def address_text(family: int, raw: bytes) -> str:
    """An address of the kernel's 16-byte union (``union nf_inet_addr``) as canonical text.

    Raises:
        MalformedMessage: the family is neither AF_INET nor AF_INET6.
    """
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, raw)
    raise MalformedMessage(f"address family {family}")


def address_bytes(text: str) -> tuple[int, bytes]:
    """The family and the 16-byte union of an address's text.

    Raises:
        OSError: the text is no address.
    """
    family = int(socket.AF_INET6 if ":" in text else socket.AF_INET)
    return family, socket.inet_pton(family, text).ljust(16, b"\0")
