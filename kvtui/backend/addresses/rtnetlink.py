"""A NETLINK_ROUTE socket, and the four messages of it that kvtui reads (rtnetlink(7)).

pyroute2 is where one would reach for this, and it is a dependency; but importing it costs 160 ms of the 250 ms that a
one-shot command may take, for four messages whose layout is part of the kernel's ABI (linux/rtnetlink.h,
linux/if_link.h, linux/if_addr.h).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
ERROR, DONE = 2, 3
REQUEST, DUMP, INTERRUPTED = 0x01, 0x300, 0x10
GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""

UP, RUNNING = 0x1, 0x40  # net/if.h
TENTATIVE, DAD_FAILED = 0x40, 0x08  # linux/if_addr.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_EXT_MASK = 1, 3, 4, 5, 10, 18, 29
IFLA_LINK_NETNSID = 37
INFO_KIND, INFO_SLAVE_KIND = 1, 4
SKIP_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_FLAGS = 1, 2, 3, 8
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}  # iproute2's rt_scopes

HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence number, port id."""
LINK = struct.Struct("=BxHiII")
"""ifinfomsg: family, device type, index, flags, change mask."""
ADDRESS = struct.Struct("=BBBBI")
"""ifaddrmsg: family, prefix length, flags, scope, index."""
ATTRIBUTE = struct.Struct("=HH")
NUMBER = struct.Struct("=I")

BUFFER = 1 << 16
"""Bytes of one receive: the kernel's dump chunks are 32 KiB at most."""
PATIENCE = 5.0
"""Seconds for the kernel's answer; it comes within the system call."""
ATTEMPTS = 5
"""Dumps that the kernel says changed under its hands, before we take the last one as it is."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as RTM_NEWLINK has it.

    Attributes:
        master: index of the bridge, bond or VRF it belongs to; 0 for none.
        parent: index of the device below a VLAN or macvlan, when that is in the same namespace; 0 for none.
        port: what it is to its master: ``bridge``, ``bond``, ``vrf``, …; None without a master.
    """

    index: int
    name: str
    up: bool
    running: bool
    mtu: int
    mac: str | None
    kind: str | None
    master: int
    parent: int
    port: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """An address as RTM_NEWADDR has it; ``key`` is what the kernel tells two of them apart by."""

    key: tuple[int, int, bytes, bytes, int]
    """Interface index, family, local address, peer address, prefix length."""
    address: str
    label: str | None
    scope: str
    tentative: bool

    @property
    def index(self) -> int:
        """Of its interface."""
        return self.key[0]

    @property
    def prefixlen(self) -> int:
        """Of its own network, or of the peer's where it has a peer."""
        return self.key[4]


Message = tuple[int, Link | Address | None]
"""Message type, and what it is about; None for one that is of no use here."""


def open_socket(groups: int = 0) -> socket.socket:
    """A socket in the calling thread's network namespace; ``groups`` of events to subscribe to.

    Raises:
        OSError: the kernel refuses it (seccomp, mostly). No capability is needed.
    """
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        opened.bind((0, groups))
    except OSError:
        opened.close()
        raise
    return opened


def dump(via: socket.socket) -> tuple[list[Link], list[Address]]:
    """All links and all addresses, over a socket without subscriptions.

    Raises:
        OSError: the kernel's answer is an error, or none came.
    """
    via.settimeout(PATIENCE)
    links = [m for _, m in _ask(via, GETLINK, LINK.pack(0, 0, 0, 0, 0) + _without_statistics()) if isinstance(m, Link)]
    addresses = [m for _, m in _ask(via, GETADDR, ADDRESS.pack(0, 0, 0, 0, 0)) if isinstance(m, Address)]
    return links, addresses


def link_named(via: socket.socket, name: str) -> Link | None:
    """One interface; None when there is none of that name.

    Raises:
        OSError: the kernel's answer is another error, or none came.
    """
    via.settimeout(PATIENCE)
    body = LINK.pack(0, 0, 0, 0, 0) + _attribute(IFLA_IFNAME, name.encode() + b"\0") + _without_statistics()
    via.send(_request(GETLINK, 0, body))
    try:
        found = [m for _, m in messages(via.recv(BUFFER)) if isinstance(m, Link)]
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    return found[0] if found else None


def _request(kind: int, flags: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, REQUEST | flags, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    size = ATTRIBUTE.size + len(value)
    return ATTRIBUTE.pack(size, kind) + value + b"\0" * (-size % 4)


def _without_statistics() -> bytes:
    """A third of the dump's size, for nothing that we read."""
    return _attribute(IFLA_EXT_MASK, NUMBER.pack(SKIP_STATISTICS))


def _ask(via: socket.socket, kind: int, body: bytes) -> list[Message]:
    """One dump, again when it changed while it was made (NLM_F_DUMP_INTR)."""
    found: list[Message] = []
    for _ in range(ATTEMPTS):
        via.send(_request(kind, DUMP, body))
        found, done, interrupted = [], False, False
        while not done:
            chunk = via.recv(BUFFER)
            found += messages(chunk)
            for kind_of, flags, _body in _split(chunk):
                done |= kind_of == DONE
                interrupted |= bool(flags & INTERRUPTED)
        if not interrupted:
            break
    return found


def messages(chunk: bytes) -> Iterator[Message]:
    """The messages of one receive, decoded.

    Raises:
        OSError: one of them is an error.
    """
    for kind, _flags, body in _split(chunk):
        if kind in (NEWLINK, DELLINK):
            yield kind, link(body)
        elif kind in (NEWADDR, DELADDR):
            yield kind, address(body)
        elif kind in (ERROR, DONE) and len(body) >= 4:
            (code,) = struct.unpack_from("=i", body)
            if code:
                raise OSError(-code, f"rtnetlink: {os.strerror(-code)}")


def _split(chunk: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and body of each message; stops at what is no whole message."""
    at = 0
    while at + HEADER.size <= len(chunk):
        length, kind, flags, _sequence, _port = HEADER.unpack_from(chunk, at)
        if length < HEADER.size or at + length > len(chunk):
            return
        yield kind, flags, chunk[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """Attribute type → value; the flag bits of the type (nested, byte order) are cut off."""
    found: dict[int, bytes] = {}
    at = 0
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size or at + length > len(data):
            break
        found[kind & 0x3FFF] = data[at + ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def link(body: bytes) -> Link | None:
    """Decode RTM_NEWLINK or RTM_DELLINK; None for a bridge's own notices about its ports (family AF_BRIDGE)."""
    if len(body) < LINK.size:
        return None
    family, _device, index, flags, _change = LINK.unpack_from(body)
    found = attributes(body[LINK.size :])
    if family != socket.AF_UNSPEC or IFLA_IFNAME not in found:
        return None
    info = attributes(found.get(IFLA_LINKINFO, b""))
    mac = found.get(IFLA_ADDRESS, b"")
    return Link(
        index=index,
        name=_text(found[IFLA_IFNAME]),
        up=bool(flags & UP),
        running=bool(flags & RUNNING),
        mtu=_number(found.get(IFLA_MTU)),
        mac=mac.hex(":") if len(mac) == 6 else None,  # tunnels have an IP address there
        kind=_text(info[INFO_KIND]) if INFO_KIND in info else None,
        master=_number(found.get(IFLA_MASTER)),
        parent=0 if IFLA_LINK_NETNSID in found else _number(found.get(IFLA_LINK)),
        port=_text(info[INFO_SLAVE_KIND]) if INFO_SLAVE_KIND in info else None,
    )


def address(body: bytes) -> Address | None:
    """Decode RTM_NEWADDR or RTM_DELADDR; None for another family than IPv4 and IPv6."""
    if len(body) < ADDRESS.size:
        return None
    family, prefixlen, flags, scope, index = ADDRESS.unpack_from(body)
    found = attributes(body[ADDRESS.size :])
    # On a point-to-point link IFA_ADDRESS is the peer's; IPv6 has IFA_LOCAL only there (linux/if_addr.h)
    peer = found.get(IFA_ADDRESS, b"")
    local = found.get(IFA_LOCAL, peer)
    if (family, len(local)) not in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
        return None
    flags = _number(found.get(IFA_FLAGS)) if IFA_FLAGS in found else flags
    return Address(
        key=(index, family, local, peer, prefixlen),
        address=socket.inet_ntop(family, local),
        label=_text(found[IFA_LABEL]) if IFA_LABEL in found else None,
        scope=SCOPES.get(scope, str(scope)),
        tentative=bool(flags & (TENTATIVE | DAD_FAILED)),
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes | None) -> int:
    return NUMBER.unpack_from(value)[0] if value is not None and len(value) >= 4 else 0
