"""Builds adverts byte by byte by the RFCs and keepalived's vrrp_auth_hmac.h, and Hypothesis strategies for them."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from hypothesis import strategies as st

VRRP, AH = 112, 51


def checksum(data: bytes) -> int:
    """Returns the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclass(frozen=True)
class Built:
    """The fields of an advert and its bytes."""

    six: bool
    version: int
    vrid: int
    priority: int
    interval: int  # as on the wire
    source: str
    destination: str
    ttl: int
    addresses: tuple[str, ...]
    trailer: tuple[int, int, int, int] | None  # scheme, key id, reserved, sequence
    ah: bool
    padding: int

    @property
    def family(self) -> int:
        return socket.AF_INET6 if self.six else socket.AF_INET

    def packed(self, address: str) -> bytes:
        return socket.inet_pton(self.family, address)

    def message(self) -> bytes:
        timing = self.interval if self.version == 3 else self.interval & 0xFF
        head = struct.pack("!BBBBH", self.version << 4 | 1, self.vrid, self.priority, len(self.addresses), timing)
        rest = b"".join(map(self.packed, self.addresses)) + (b"" if self.version == 3 or self.six else b"password")
        signed = struct.pack("!BBHQ", *self.trailer) + b"\xa5" * 16 if self.trailer else b""
        summed = head + b"\0\0" + rest + (signed if self.six else b"")
        ends = self.packed(self.source) + self.packed(self.destination)
        if self.six:
            pseudo = ends + struct.pack("!II", len(summed), VRRP)
        else:
            pseudo = ends + struct.pack("!BBH", 0, VRRP, len(summed)) if self.version == 3 else b""
        return head + struct.pack("!H", checksum(pseudo + summed)) + rest + signed

    def packet(self) -> bytes:
        payload, protocol = self.message(), VRRP
        if self.ah:
            payload, protocol = struct.pack("!BBHII", VRRP, 4, 0, 1, 2) + bytes(12) + payload, AH
        ends = self.packed(self.source) + self.packed(self.destination)
        if self.six:
            header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, self.ttl) + ends
        else:
            header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(payload), 0, 0, self.ttl, protocol, 0) + ends
        return header + payload + bytes(self.padding)


def texts(*, six: bool) -> st.SearchStrategy[str]:
    return st.ip_addresses(v=6 if six else 4).map(str)


@st.composite
def built(draw: st.DrawFn) -> Built:
    six, version = draw(st.booleans()), draw(st.sampled_from((2, 3)))
    trailer = st.tuples(st.integers(0, 255), st.integers(0, 255), st.sampled_from((0, 0, 1)), st.integers(0, 2**64 - 1))
    groups = ("ff02::12", "ff05::99") if six else ("224.0.0.18", "224.0.0.99")
    return Built(
        six=six,
        version=version,
        vrid=draw(st.integers(1, 255)),
        priority=draw(st.sampled_from((0, 1, 100, 255))),
        interval=draw(st.integers(0, 0xFFF if version == 3 else 0xFF)),
        source=draw(texts(six=six)),
        destination=draw(st.sampled_from(groups) | texts(six=six)),
        ttl=draw(st.sampled_from((255, 255, 64, 0))),
        addresses=tuple(draw(st.lists(texts(six=six), max_size=draw(st.sampled_from((1, 3, 255)))))),
        trailer=draw(st.none() | trailer),
        ah=draw(st.booleans()),
        padding=draw(st.sampled_from((0, 14, 18))),
    )


@st.composite
def damaged(draw: st.DrawFn, packets: st.SearchStrategy[bytes]) -> bytes:
    """Draws a packet with some bytes changed, missing or repeated."""
    packet = bytearray(draw(packets))
    for _ in range(draw(st.integers(0, 4))):
        packet[draw(st.integers(0, len(packet) - 1))] = draw(st.integers(0, 255))
    start = draw(st.integers(0, len(packet)))
    return bytes(draw(st.sampled_from((packet, packet[:start], packet[:start] + packet[start // 2 :]))))
