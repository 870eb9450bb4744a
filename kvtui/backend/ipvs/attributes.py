"""Reads and writes netlink attributes: type, length, value, padded to 4 bytes (include/net/netlink.h)."""

from __future__ import annotations

import socket
from struct import Struct
from typing import TYPE_CHECKING

from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.model.ip import canonical_or_same

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = Struct("=HH")
HEADER_SIZE = 4
TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

Buffer = bytes | bytearray | memoryview


def aligned(length: int) -> int:
    return (length + 3) & ~3


def attributes(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields type, start and end of the value of each attribute; raises MalformedMessageError when one does not fit."""
    while start < end:
        if end - start < HEADER_SIZE:
            raise MalformedMessageError(f"{end - start} stray bytes after the last attribute at offset {start}")
        length, kind = HEADER.unpack_from(buffer, start)
        if length < HEADER_SIZE or length > end - start:
            raise MalformedMessageError(
                f"attribute {kind & TYPE_MASK} at offset {start} claims {length} bytes of {end - start}"
            )
        yield kind & TYPE_MASK, start + HEADER_SIZE, start + length
        start += aligned(length)


def nested(buffer: Buffer, start: int, end: int, wanted: int) -> tuple[int, int]:
    """Returns start and end of the value of the wanted attribute; raises MalformedMessageError when there is none."""
    if end - start >= HEADER_SIZE and HEADER.unpack_from(buffer, start) == (end - start, wanted):  # the usual case
        return start + HEADER_SIZE, end
    for kind, first, last in attributes(buffer, start, end):
        if kind == wanted:
            return first, last
    raise MalformedMessageError(f"a message without attribute {wanted}")


def pack(kind: int, value: bytes) -> bytes:
    return HEADER.pack(HEADER_SIZE + len(value), kind) + value + b"\0" * (aligned(len(value)) - len(value))


def address_text(family: int, raw: bytes) -> str:
    """Returns the canonical text of an address in the kernel's 16-byte union (``union nf_inet_addr``)."""
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if family == socket.AF_INET6:
        return canonical_or_same(socket.inet_ntop(socket.AF_INET6, raw))
    raise MalformedMessageError(f"address family {family}")


def address_bytes(text: str) -> tuple[int, bytes]:
    """Returns the family and the 16-byte union of an address; raises OSError when the text is not one."""
    family = int(socket.AF_INET6 if ":" in text else socket.AF_INET)
    return family, socket.inet_pton(family, text).ljust(16, b"\0")
