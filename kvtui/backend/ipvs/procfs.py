"""Parses ``/proc/<pid>/net/ip_vs`` and ``ip_vs_conn``, which any user may read (ip_vs_ctl.c, ip_vs_conn.c).

Each shows the network namespace of the process in its path. Ports are hexadecimal; so are IPv4 addresses, while
IPv6 addresses are written out, in brackets in ``ip_vs`` only.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.ipvs.decode import prefix_length
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.model.ipvs import Connection, ForwardingMethod, IpvsTable, Protocol, RealServer, VirtualServer

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.ipvs import ServiceKey

METHODS = {  # ip_vs_fwd_name(); it has no word for bypass and calls it Masq
    "Masq": ForwardingMethod.MASQ,
    "Local": ForwardingMethod.LOCAL,
    "Tunnel": ForwardingMethod.TUNNEL,
    "Route": ForwardingMethod.DIRECT,
}
CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; it ticks with the kernel's HZ
CONNECTION_COLUMNS = 9


def read_table(net: Path) -> IpvsTable:
    """Reads the table without counters, thresholds and persistent connections (``complete`` is False).

    The kernel does not print the family of a fwmark service: it follows from its real servers or its persistence mask,
    and is IPv4 where it has neither. Raises OSError, and MalformedMessageError: a line is not in the kernel's format.
    """
    read_at, monotonic = time.time(), time.monotonic()
    services = parse_table((net / "ip_vs").read_text("ascii"))
    return IpvsTable(services, complete=False, read_at=read_at, monotonic=monotonic)


def parse_table(text: str, ticks: int | None = None) -> tuple[VirtualServer, ...]:
    """Returns the virtual servers in the text of ``/proc/net/ip_vs``; ``ticks`` is HZ (None: this kernel's)."""
    ticks = ticks or round(1 / time.clock_getres(CLOCK_MONOTONIC_COARSE))
    services: list[tuple[VirtualServer, list[RealServer]]] = []
    for line in text.splitlines()[3:]:  # version and two lines of headings
        words = line.split()
        try:
            if words[0] == "->":
                services[-1][1].append(_real_server(words))
            else:
                services.append((_virtual_server(words, ticks), []))
        except (IndexError, KeyError, OSError, ValueError, struct.error) as error:
            raise MalformedMessageError(f"/proc/net/ip_vs has the line {line!r}") from error
    return tuple(_with_real_servers(virtual, reals) for virtual, reals in services)


def _virtual_server(words: list[str], ticks: int) -> VirtualServer:
    protocol = Protocol(words[0])
    fwmark = int(words[1], 16) if protocol is Protocol.FWMARK else None
    address, port = (None, None) if protocol is Protocol.FWMARK else _endpoint(words[1])
    family = 6 if address is not None and ":" in address else 4
    options = words[3:]
    timeout, netmask = None, None
    if "persistent" in options:
        where = options.index("persistent")
        timeout = int(options[where + 1]) // ticks
        mask = struct.unpack("=I", bytes.fromhex(options[where + 2]))[0]  # reverses the kernel's ntohl()
        if fwmark is not None and 0 < mask <= 128:
            family = 6  # a prefix length; as an IPv4 mask only /1 is as small a number
        netmask = prefix_length(family, mask)
    flags = tuple(flag for flag in ("ops", "persistent") if flag in options)
    return VirtualServer(protocol, address, port, fwmark, family, words[2], flags, timeout, None, netmask)


def _with_real_servers(virtual: VirtualServer, reals: list[RealServer]) -> VirtualServer:
    six = virtual.fwmark is not None and any(":" in real.address for real in reals)
    return replace(virtual, family=6 if six else virtual.family, real_servers=tuple(reals))


def _real_server(words: list[str]) -> RealServer:
    address, port = _endpoint(words[1])
    return RealServer(address, port, METHODS[words[2]], int(words[3]), int(words[4]), int(words[5]))


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return _address(address.strip("[]")), int(port, 16)


def _address(text: str) -> str:
    if ":" in text:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    return socket.inet_ntop(socket.AF_INET, bytes.fromhex(text))


class ConnectionFilter(Struct, frozen=True):
    """Selects the connections of a virtual server, or of one of its real servers.

    ``ip_vs_conn`` has the address and port that the client connected to, not the service that accepted it. For a
    service of one port that is the same; connections of a fwmark service, or of one for all ports (port 0), are those
    to its real servers (``reals``) that belong to no service with a port (``others``).
    """

    virtual: ServiceKey | None = None
    real: tuple[str, int] | None = None
    others: frozenset[tuple[str, str, int]] = frozenset()
    reals: tuple[tuple[str, int], ...] = ()

    def matches(self, connection: Connection) -> bool:
        if self.real is not None and not _same_real(self.real, connection.real):
            return False
        if self.virtual is None:
            return True
        protocol, address, port, fwmark = self.virtual
        asked = (connection.protocol, *connection.virtual)
        if protocol is not Protocol.FWMARK:
            if port:
                return asked == (protocol.value, address, port)
            return asked[:2] == (protocol.value, address) and (connection.virtual[1] == 0 or asked not in self.others)
        if connection.protocol == "IP":  # a persistence template: the address is the mark
            return connection.virtual == (_mark_as_address(fwmark, six=address == "::"), 0)
        return asked not in self.others and any(_same_real(real, connection.real) for real in self.reals)

    def needle(self) -> bytes:
        """Returns bytes that the line of each matching connection contains; may be empty."""
        if self.virtual is not None and self.virtual[0] is not Protocol.FWMARK:
            _, address, port, _ = self.virtual
            return f" {_printed(address)} {port:04X} ".encode() if port else f" {_printed(address)} ".encode()
        return f" {_printed(self.real[0])} ".encode() if self.real is not None else b""


def _same_real(wanted: tuple[str, int], seen: tuple[str, int]) -> bool:
    return wanted[0] == seen[0] and wanted[1] in (0, seen[1])


def _mark_as_address(fwmark: int, *, six: bool) -> str:
    raw = fwmark.to_bytes(4, "big")
    return socket.inet_ntop(socket.AF_INET6, raw.ljust(16, b"\0")) if six else socket.inet_ntop(socket.AF_INET, raw)


def _printed(address: str) -> str:
    """Returns an address in the format of ``ip_vs_conn``: %08X, or %pI6."""
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address).hex(":", 2)
    return socket.inet_pton(socket.AF_INET, address).hex().upper()


def read_connections(
    net: Path, limit: int, wanted: ConnectionFilter | None = None
) -> tuple[tuple[Connection, ...], int]:
    """Returns the first ``limit`` matching connections, and how many match in all; raises like ``read_table``."""
    needle = wanted.needle() if wanted else b""
    found: list[Connection] = []
    total = 0
    with (net / "ip_vs_conn").open("rb", buffering=1 << 18) as lines:
        next(lines, None)  # headings
        for line in lines:
            if needle not in line:
                continue
            if wanted is not None or total < limit:
                connection = parse_connection(line)
                if wanted is not None and not wanted.matches(connection):
                    continue
                if total < limit:
                    found.append(connection)
            total += 1
    return tuple(found), total


def parse_connection(line: bytes) -> Connection:
    words = line.decode("utf-8", "replace").split(maxsplit=CONNECTION_COLUMNS)
    try:
        return Connection(
            words[0],
            (_address(words[1]), int(words[2], 16)),
            (_address(words[3]), int(words[4], 16)),
            (_address(words[5]), int(words[6], 16)),
            words[7],
            int(words[8]),
            words[9].partition(" ")[2].rstrip("\n") if len(words) > CONNECTION_COLUMNS else "",
        )
    except (IndexError, ValueError, OSError) as error:
        raise MalformedMessageError(f"/proc/net/ip_vs_conn has the line {line!r}") from error
