"""A packet socket that gets VRRP adverts and nothing else.

AF_PACKET with ETH_P_ALL is the only way to see one's own adverts beside those of others: ETH_P_IP misses outgoing
packets, and a raw socket for protocol 112 never sees one's own (packet(7), raw(7); measured).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Self

from kvtui.backend.adverts import filter as bpf
from kvtui.backend.adverts.decode import decode
from kvtui.backend.linux.namespaces import open_in_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.vrrp import Advert

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4  # linux/if_packet.h
SO_TIMESTAMP = 29  # asm-generic/socket.h
SOCKADDR_LL = struct.Struct("=HHiHBB8x")
"""Family, protocol (network order), interface index, device type, packet type, address length, address."""
TIMEVAL = struct.Struct("@ll")

SAME_PACKET = 0.005
"""Seconds within which the same bytes again are the same packet on its way (the shortest interval is 0.01)."""
MOST_RECENT = 64

LOST = "without adverts from the wire kvtui knows masters only from this node's keepalived, and finds no split brain"


class CaptureUnavailable(Exception):  # noqa: N818 - a state that is shown, more than an error
    """Adverts cannot be captured; the text says what is lost, why, and what would help."""


class Recent:
    """The last few packets, to know one again that shows up a second time."""

    def __init__(self) -> None:
        self._packets: dict[bytes, tuple[float, bool, set[str]]] = {}

    def again(self, packet: bytes, at: float, interface: str, *, outgoing: bool) -> tuple[bool, bool]:
        """Take a packet.

        Args:
            packet: its bytes from the IP header on.
            at: when it was seen (seconds).
            interface: where.
            outgoing: whether it left through there.

        Returns:
            Whether it was seen on that interface before (the loopback and multicast loops show it twice), and whether
            it is our own: it left this node, here or on another interface (a macvlan's packet on its parent).
        """
        earlier = self._packets.pop(packet, None)
        if earlier is None or at - earlier[0] > SAME_PACKET:
            earlier = (at, outgoing, set())
        first, own, seen = earlier
        repeated = interface in seen
        own = own or outgoing
        self._packets[packet] = (first, own, seen | {interface})
        if len(self._packets) > MOST_RECENT:
            del self._packets[next(iter(self._packets))]
        return repeated, own


class Capture:
    """Adverts as they pass through a network namespace, own ones and those of others.

    Ports of bridges and bonds are left out, since their bridge or bond shows the same packet. A VMAC's (macvlan's)
    adverts are seen both on it and on its parent, and come as two adverts: either may be the instance's interface.

    Args:
        opened: the packet socket, filtered and bound.
        is_port: whether an interface of that namespace is a port of a bridge or bond.
        interfaces: names to listen to; None for all but ports.
    """

    def __init__(
        self, opened: socket.socket, is_port: Callable[[str], bool], interfaces: frozenset[str] | None
    ) -> None:
        self._socket = opened
        self._is_port = is_port
        self._interfaces = interfaces
        self._recent = Recent()

    @classmethod
    def open(
        cls,
        pid: int | None,
        interfaces: frozenset[str] | None = None,
        is_port: Callable[[str], bool] = lambda _interface: False,
    ) -> Self:
        """Open it in the network namespace of a process.

        Args:
            pid: the process; None for our own namespace.
            interfaces: names to listen to; None for all.
            is_port: whether an interface is a port of a bridge or bond.

        Raises:
            CaptureUnavailable: no permission, or the kernel has no packet sockets.
        """
        try:
            opened = open_in_network(pid, _packet_socket)
        except OSError as error:
            raise CaptureUnavailable(f"adverts cannot be captured: {error.strerror or error}; {LOST}") from error
        return cls(opened, is_port, interfaces)

    def fileno(self) -> int:
        """For select, poll and ``add_reader``."""
        return self._socket.fileno()

    def read(self, most: int) -> Iterator[Advert]:
        """The adverts that are there, of at most ``most`` packets; never waits."""
        for _ in range(most):
            try:
                packet, ancillary, _flags, where = self._socket.recvmsg(bpf.LENGTH, socket.CMSG_SPACE(TIMEVAL.size))
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # ENETDOWN and the like are about one interface or one packet
                continue
            if advert := self._advert(packet, _received(ancillary), where[0], where[2]):
                yield advert

    def _advert(self, packet: bytes, at: float, interface: str, packet_type: int) -> Advert | None:
        if self._interfaces is not None:
            if interface not in self._interfaces:
                return None
        elif self._is_port(interface):
            return None
        repeated, own = self._recent.again(packet, at, interface, outgoing=packet_type == PACKET_OUTGOING)
        return None if repeated else decode(packet, received=at, interface=interface, outgoing=own)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _packet_socket() -> socket.socket:
    """Gets nothing before it is bound, and is bound after the filter is on: there is nothing to throw away."""
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
    """bind(2) to interface 0, which is every interface; Python's own bind knows names of single ones only."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = SOCKADDR_LL.pack(socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0)
    if libc.bind(opened.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _received(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel saw it (seconds since the epoch); now, should it not say."""
    for level, kind, data in ancillary:
        if (level, kind, len(data)) == (socket.SOL_SOCKET, SO_TIMESTAMP, TIMEVAL.size):
            seconds, microseconds = TIMEVAL.unpack(data)
            return float(seconds + microseconds / 1e6)
    return time.time()
