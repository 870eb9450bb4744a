"""Sends forged adverts from a namespace of the lab, as another router or an attacker would."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


ROGUE = """
import socket, struct, sys, time
device, interval, count, message = sys.argv[1:]
through = struct.pack("=4x4xi", socket.if_nametoindex(device))  # ip_mreqn
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, through)
for _ in range(int(count)):
    s.sendto(bytes.fromhex(message), ("224.0.0.18", 0))
    time.sleep(float(interval))
"""


def advert_v2(vrid: int, priority: int, password: bytes = b"") -> bytes:
    """Returns a version 2 advert for 10.4.0.50 with an interval of 1 s, and with authentication PASS if given."""
    head = bytes([0x21, vrid, priority, 1, 1 if password else 0, 1, 0, 0])
    message = head + socket.inet_aton("10.4.0.50") + password.ljust(8, b"\0")
    total = sum(struct.unpack("!10H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return message[:6] + struct.pack("!H", total ^ 0xFFFF) + message[8:]


@contextmanager
def sending(
    netns: str, message: bytes, *, device: str = "eth0", count: int = 1000, interval: float = 1.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Multicasts the message repeatedly from that namespace."""
    argv = ["-c", ROGUE, device, str(interval), str(count), message.hex()]
    with subprocess.Popen(["ip", "netns", "exec", netns, sys.executable, *argv]) as rogue:
        try:
            yield rogue
        finally:
            rogue.kill()
