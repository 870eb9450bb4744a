"""The classic BPF program that passes VRRP and drops all other traffic.

Codes: linux/bpf_common.h and linux/filter.h; Documentation/networking/filter.rst. On a packet socket of type
SOCK_DGRAM offsets count from the IP header.
"""

from __future__ import annotations

import array
import socket
import struct

from kvtui.backend.adverts.decode import AUTHENTICATION_HEADER, DESTINATION_OPTIONS, HOP_BY_HOP, ROUTING, VRRP

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
MAX_PACKET_BYTES = 8192  # of a packet; 255 IPv6 addresses take half of it

LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30
LOAD_BYTE_BEHIND, HEADER_LENGTH = 0x50, 0xB1  # byte at X + k; X = 4 × (byte at k & 15)
EQUAL, ANY_BIT, RETURN = 0x15, 0x45, 0x06
PROTOCOL, VLAN_TAG = 0xFFFFF000, 0xFFFFF000 + 48  # SKF_AD_OFF + …: in the packet's sk_buff
FRAGMENT = 0x3FFF

Step = tuple[str, int, int, str, str]
"""Label, code, operand, next step if true, if false; empty: the following one."""

STEPS: tuple[Step, ...] = (
    # The VLAN's own device, on which VRRP runs, shows a tagged packet again without its tag.
    ("", LOAD_WORD, VLAN_TAG, "", ""),
    ("", EQUAL, 0, "", "drop"),
    ("", LOAD_WORD, PROTOCOL, "", ""),
    ("", EQUAL, ETH_P_IPV6, "ipv6", ""),
    ("", EQUAL, ETH_P_IP, "", "drop"),
    ("", LOAD_HALF, 6, "", ""),
    ("", ANY_BIT, FRAGMENT, "drop", ""),
    ("", LOAD_BYTE, 9, "", ""),
    ("", EQUAL, VRRP, "accept", ""),
    ("", EQUAL, AUTHENTICATION_HEADER, "", "drop"),
    ("", HEADER_LENGTH, 0, "", ""),
    ("", LOAD_BYTE_BEHIND, 0, "", ""),
    ("", EQUAL, VRRP, "accept", "drop"),
    # After one extension header at most; nobody sends more.
    ("ipv6", LOAD_BYTE, 6, "", ""),
    ("", EQUAL, VRRP, "accept", ""),
    ("", EQUAL, AUTHENTICATION_HEADER, "extension", ""),
    ("", EQUAL, HOP_BY_HOP, "extension", ""),
    ("", EQUAL, DESTINATION_OPTIONS, "extension", ""),
    ("", EQUAL, ROUTING, "extension", "drop"),
    ("extension", LOAD_BYTE, 40, "", ""),
    ("", EQUAL, VRRP, "accept", ""),
    ("", EQUAL, AUTHENTICATION_HEADER, "accept", "drop"),
    ("accept", RETURN, MAX_PACKET_BYTES, "", ""),
    ("drop", RETURN, 0, "", ""),
)


def program() -> bytes:
    """Returns ``STEPS`` as an array of sock_filter."""
    places = {label: place for place, (label, *_) in enumerate(STEPS) if label}

    def jump(target: str, place: int) -> int:
        return places[target] - place - 1 if target else 0

    return b"".join(
        struct.pack("=HBBI", code, jump(yes, place), jump(no, place), operand)
        for place, (_, code, operand, yes, no) in enumerate(STEPS)
    )


def attach(to: socket.socket) -> None:
    code = array.array("B", program())
    address, length = code.buffer_info()
    to.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", length // 8, address))
