"""Decodes an IP packet into a VRRP advert.

Why not scapy (GPL): its import takes 0.13 s of CPU, an advert 74 µs (6 µs here), and it knows one checksum, while
routers send four variants.

Layouts: RFC 3768 section 5 (version 2), RFC 5798 section 5 (version 3), RFC 4302 section 2 (AH). keepalived also
sends version 2 over IPv6, without the 8 bytes of authentication data (vrrp.c, ``vrrp_pkt_len``), and since 2.4 appends
a trailer of 28 bytes with auth_hmac, in both versions. CARP has the protocol number, version and type of version 2.
"""

from __future__ import annotations

import socket
import struct

from msgspec import Struct

from kvtui.model.ip import canonical_or_same
from kvtui.model.vrrp import Advert, HmacTrailer

VRRP = 112
AUTHENTICATION_HEADER = 51
TTL = 255
HEADER = struct.Struct("!BBBBHH")
"""version and type · VRID · priority · count · (v2: authentication type, interval | v3: interval) · checksum."""

HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS = 0, 43, 60
MORE_FRAGMENTS_OR_OFFSET = 0x3FFF
CARP_FIRST_BYTE, CARP_LENGTH, CARP_AUTH_LENGTH = 0x21, 36, 7  # FreeBSD's netinet/ip_carp.h
PASSWORD_BYTES = 8
TRAILER = struct.Struct("!BBHQ16x")
"""auth_hmac's: scheme · key id · reserved · sequence · HMAC (vrrp_auth_hmac.h)."""
MAX_EXTENSION_HEADERS = 4
V4_GROUP = socket.inet_aton("224.0.0.18")

CARP_ERROR = "this is CARP (OpenBSD, FreeBSD, pfSense, OPNsense), which shares VRRP's protocol number"
WITHOUT_PSEUDO_HEADER = (
    "v3 checksum without pseudo-header (VRRPv2-style: v3_checksum_as_v2, RFC 9568 or another vendor's router)"
)
WITH_GROUP_ADDRESS = "v3 checksum over the multicast group instead of the unicast peer (keepalived < 1.3.6)"
CHECKSUM_VARIANTS = frozenset((WITHOUT_PSEUDO_HEADER, WITH_GROUP_ADDRESS))
"""Errors of adverts that some peers accept: their sender is a working router."""


class VrrpPacket(Struct, frozen=True):
    """A VRRP message with what its IP header says; addresses are packed."""

    source: bytes
    destination: bytes
    ttl: int
    authenticated: bool
    message: bytes
    """Without Ethernet's padding."""
    missing: int
    """Bytes by which the packet is shorter than its IP header says."""


def decode(packet: bytes, *, received: float, interface: str, outgoing: bool) -> Advert | None:
    """Returns the advert in a packet (from the IP header on); never raises.

    Its ``error`` is set when it is malformed or its checksum is wrong. None: the packet is not VRRP, or is a fragment.
    Version 2's authentication data is never read.
    """
    vrrp = _from_ip(packet)
    if vrrp is None:
        return None
    message, size = vrrp.message, len(vrrp.source)
    first, vrid, priority, count, timing, checksum = HEADER.unpack(message[: HEADER.size].ljust(HEADER.size, b"\0"))
    version = first >> 4
    carp = first == CARP_FIRST_BYTE and len(message) == CARP_LENGTH and count == CARP_AUTH_LENGTH
    body = HEADER.size + count * size + (PASSWORD_BYTES if version == 2 and size == 4 else 0)
    error = CARP_ERROR if carp else _malformed(vrrp, version, first & 0x0F, vrid, count, body)
    checksum_ok: bool | None = None
    if not error:
        error = _checksum_error(vrrp, version, checksum, message[:body])
        checksum_ok = not error
    complete = not error or checksum_ok is False
    addresses = [message[at : at + size] for at in range(HEADER.size, HEADER.size + count * size, size)]
    return Advert(
        received=received,
        interface=interface,
        source=_text(vrrp.source),
        destination=_text(vrrp.destination),
        outgoing=outgoing,
        version=version,
        vrid=vrid,
        priority=priority,
        interval=(timing & 0x0FFF) / 100 if version == 3 else float(timing & 0xFF),
        addresses=tuple(_text(a) for a in addresses) if complete else (),
        auth_type=timing >> 8 if version == 2 and not carp else None,
        ttl=vrrp.ttl,
        checksum_ok=checksum_ok,
        authentication_header=vrrp.authenticated,
        error=error,
        hmac=_trailer(message, body) if complete and len(message) == body + TRAILER.size else None,
        carp=carp,
    )


def _trailer(message: bytes, at: int) -> HmacTrailer:
    scheme, key_id, reserved, sequence = TRAILER.unpack_from(message, at)
    return HmacTrailer(scheme, key_id, sequence, reserved)


def believable(advert: Advert) -> bool:
    """Whether an advert counts in the election.

    A TTL below 255 is an error for multicast only: adverts to a unicast peer may cross routers, and keepalived does not
    check theirs (vrrp.c, ``check_in_vrrp``). Some peers accept the checksums in ``CHECKSUM_VARIANTS``.
    """
    if advert.ttl != TTL and multicast(advert.destination):
        return False
    return not advert.error or advert.error in CHECKSUM_VARIANTS


def multicast(address: str) -> bool:
    if ":" in address:
        return address.startswith("ff")
    return 224 <= int(address.partition(".")[0]) <= 239


def _text(address: bytes) -> str:
    if len(address) == 4:
        return socket.inet_ntop(socket.AF_INET, address)
    text = socket.inet_ntop(socket.AF_INET6, address)
    return canonical_or_same(text) if "." in text else text  # glibc writes ::1:2 as ::0.1.0.2


def _from_ip(packet: bytes) -> VrrpPacket | None:
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _from_ipv4(packet)
    return _from_ipv6(packet) if version == 6 else None


def _from_ipv4(packet: bytes) -> VrrpPacket | None:
    start = (packet[0] & 0x0F) * 4
    if start < 20 or len(packet) < start:
        return None
    length, fragment = struct.unpack_from("!H2xH", packet, 2)
    if length < start or fragment & MORE_FRAGMENTS_OR_OFFSET:
        return None
    return _unwrap(packet, packet[9], start, length, source=packet[12:16], destination=packet[16:20], ttl=packet[8])


def _from_ipv6(packet: bytes) -> VrrpPacket | None:
    """Skips up to ``MAX_EXTENSION_HEADERS`` (RFC 8200)."""
    if len(packet) < 40:
        return None
    following, start, length = packet[6], 40, 40 + struct.unpack_from("!H", packet, 4)[0]
    for _ in range(MAX_EXTENSION_HEADERS):
        if following not in (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS):
            break
        if len(packet) < start + 8:
            return None
        following, start = packet[start], start + (packet[start + 1] + 1) * 8
    return _unwrap(packet, following, start, length, source=packet[8:24], destination=packet[24:40], ttl=packet[7])


def _unwrap(
    packet: bytes, protocol: int, start: int, length: int, *, source: bytes, destination: bytes, ttl: int
) -> VrrpPacket | None:
    """Returns the message at ``start``, or after an authentication header there."""
    authenticated = protocol == AUTHENTICATION_HEADER
    if authenticated:
        if len(packet) < start + 2:
            return None
        protocol, start = packet[start], start + (packet[start + 1] + 2) * 4
    if protocol != VRRP:
        return None
    return VrrpPacket(source, destination, ttl, authenticated, packet[start:length], max(0, length - len(packet)))


def _malformed(vrrp: VrrpPacket, version: int, kind: int, vrid: int, count: int, body: int) -> str:
    """Returns why a message is malformed; empty when it is not. ``body``: its length without a trailer."""
    length = len(vrrp.message)
    if vrrp.missing:
        return f"truncated: {vrrp.missing} bytes are missing"
    if length < HEADER.size:
        return f"only {length} bytes long, a VRRP header has {HEADER.size}"
    if version not in (2, 3):
        return f"unknown VRRP version {version}"
    if kind != 1:
        return f"type {kind} is not an advertisement (1)"
    if length not in (body, body + TRAILER.size):
        return f"{length} bytes long, but {body} are needed for the {count} addresses it announces"
    return "VRID 0 is not valid" if vrid == 0 else ""


def _checksum_error(vrrp: VrrpPacket, version: int, found: int, body: bytes) -> str:
    """Returns why the checksum is wrong; empty when it is right: the sum is then all ones.

    keepalived leaves a trailer out of the sum. Over IPv6 the kernel computes it (IPV6_CHECKSUM): over the whole
    message, always with the pseudo-header.
    """
    ipv6 = len(vrrp.source) == 16
    plain = _sum(body)
    summed = vrrp.message if ipv6 else body
    pseudo = _sum(_pseudo_header(vrrp.source, vrrp.destination, len(summed)) + summed)
    valid = (pseudo, plain) if version == 2 and ipv6 else (pseudo,) if version == 3 else (plain,)
    if 0xFFFF in valid:
        return ""
    if version == 3 and not ipv6:
        if plain == 0xFFFF:
            return WITHOUT_PSEUDO_HEADER
        if _sum(_pseudo_header(vrrp.source, V4_GROUP, len(body)) + body) == 0xFFFF:
            return WITH_GROUP_ADDRESS
    return f"checksum {found:#06x} is wrong"  # not the right one: it depends on version 2's password


def _pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """RFC 793 section 3.1 for IPv4 (as in keepalived for version 3), RFC 8200 section 8.1 for IPv6."""
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, VRRP, length)
    return source + destination + struct.pack("!II", length, VRRP)


def _sum(data: bytes) -> int:
    """Returns the one's complement sum of 16-bit words (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
