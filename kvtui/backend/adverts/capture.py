"""A packet socket that receives VRRP adverts only.

Only AF_PACKET with ETH_P_ALL shows this node's own adverts too: ETH_P_IP misses outgoing packets, and a raw socket for
protocol 112 never receives its own node's (packet(7), raw(7); measured).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from kvtui.backend.adverts import filter as bpf
from kvtui.backend.adverts.decode import decode
from kvtui.backend.linux.namespaces import open_in_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.vrrp import Advert

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4  # linux/if_packet.h
SO_TIMESTAMP = 29  # asm-generic/socket.h
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/socket.h, linux/if_packet.h
SOCKADDR_LL = struct.Struct("=HHiHBB8x")
"""Family, protocol (network order), interface index, device type, packet type, address length, address."""
TIMEVAL = struct.Struct("@ll")

SAME_PACKET_SECONDS = 0.005
"""The same bytes within this time are one packet seen twice (the shortest advert interval is 0.01 s)."""
MAX_RECENT_PACKETS = 64

CONSEQUENCE = "without adverts kvtui knows masters only from this node's keepalived and cannot detect split brain"


class CaptureError(Exception):
    """Adverts cannot be captured; the text says why, what is missing without them, and what to do."""


class Sighting(NamedTuple):
    """A packet on an interface.

    Attributes:
        first: it was seen on no interface before.
        repeated: it was seen on that interface before: the loopback and multicast loops show it twice.
        own: it left this node, here or on another interface (a macvlan's packet on its parent).
    """

    first: bool
    repeated: bool
    own: bool


class RecentPackets:
    """The last packets, to recognise one that is seen twice."""

    def __init__(self) -> None:
        self._packets: dict[bytes, tuple[float, bool, set[str]]] = {}

    def add(self, packet: bytes, at: float, interface: str, *, outgoing: bool) -> Sighting:
        """Adds a packet (from the IP header on, seen at ``at`` s)."""
        earlier = self._packets.pop(packet, None)
        if earlier is None or at - earlier[0] > SAME_PACKET_SECONDS:
            earlier = (at, outgoing, set())
        first, own, seen = earlier
        own = own or outgoing
        self._packets[packet] = (first, own, seen | {interface})
        if len(self._packets) > MAX_RECENT_PACKETS:
            del self._packets[next(iter(self._packets))]
        return Sighting(first=not seen, repeated=interface in seen, own=own)


class Capture:
    """Adverts sent and received in a network namespace.

    Ports of bridges and bonds are skipped: their bridge or bond shows the same packet, apart from those that this node
    sends on the port itself: its instance still has the interface that became a port. A VMAC's (macvlan's) adverts
    are seen both on it and on its parent, and count as two adverts: either may be the instance's interface.

    ``is_port`` says whether an interface of that namespace is a port.
    """

    def __init__(self, opened: socket.socket, is_port: Callable[[str], bool]) -> None:
        self.socket = opened
        self._is_port = is_port
        self._recent = RecentPackets()
        self.packets = 0  # that were read so far

    @classmethod
    def open(cls, pid: int | None, is_port: Callable[[str], bool] = lambda _interface: False) -> Self:
        """Raises CaptureError: no permission, or the kernel has no packet sockets. ``pid``: None is our own network."""
        try:
            opened = open_in_network(pid, _packet_socket)
        except OSError as error:
            raise CaptureError(f"adverts cannot be captured: {error.strerror or error}; {CONSEQUENCE}") from error
        return cls(opened, is_port)

    def fileno(self) -> int:
        return self.socket.fileno()

    def read(self, max_packets: int) -> Iterator[Advert]:
        space = socket.CMSG_SPACE(TIMEVAL.size)
        for _ in range(max_packets):
            try:
                packet, ancillary, _flags, where = self.socket.recvmsg(bpf.MAX_PACKET_BYTES, space)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # ENETDOWN and the like are about one interface or one packet
                continue
            self.packets += 1
            if advert := self._advert(packet, _received(ancillary), where[0], where[2]):
                yield advert

    def _advert(self, packet: bytes, at: float, interface: str, packet_type: int) -> Advert | None:
        outgoing = packet_type == PACKET_OUTGOING
        sighting = self._recent.add(packet, at, interface, outgoing=outgoing)
        if sighting.repeated or (self._is_port(interface) and not (sighting.first and outgoing)):
            return None
        return decode(packet, received=at, interface=interface, outgoing=sighting.own)

    def dropped(self) -> int:
        """Returns how many adverts the kernel has dropped since the last call, because the socket's buffer was full."""
        dropped: int = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        return dropped

    def close(self) -> None:
        self.socket.close()


def _packet_socket() -> socket.socket:
    """Binds only after the filter is attached, so that no other packet is ever queued."""
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
    except PermissionError as error:
        help_ = "CAP_NET_RAW is missing: run kvtui as root, or give its container the capability NET_RAW"
        raise PermissionError(error.errno, help_) from error
    try:
        bpf.attach(opened)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        opened.settimeout(0)  # never blocks
        _bind_to_all(opened)
    except OSError:
        opened.close()
        raise
    return opened


def _bind_to_all(opened: socket.socket) -> None:
    """Binds to interface 0, which is every interface; Python's bind accepts only the name of one."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = SOCKADDR_LL.pack(socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0)
    if libc.bind(opened.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _received(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Returns when the kernel received the packet (seconds since the epoch), or the present time."""
    for level, kind, data in ancillary:
        if (level, kind, len(data)) == (socket.SOL_SOCKET, SO_TIMESTAMP, TIMEVAL.size):
            seconds, microseconds = TIMEVAL.unpack(data)
            return float(seconds + microseconds / 1e6)
    return time.time()
