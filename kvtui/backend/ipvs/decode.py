"""Netlink messages of the IPVS family ↔ model classes."""

from __future__ import annotations

import socket
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any

from kvtui.backend.ipvs import uapi
from kvtui.backend.ipvs.attributes import HEADER_SIZE, address_bytes, address_text, attributes, nested, pack
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.backend.ipvs.layout import TEXT, Field, Message
from kvtui.model.ipvs import Protocol, RealServer, Stats, VirtualServer

if TYPE_CHECKING:
    from kvtui.backend.ipvs.attributes import Buffer
    from kvtui.model.ipvs import ServiceKey

U16 = Struct("=H")
U32 = Struct("=I")
ntohs = socket.ntohs

SERVICE = Message(
    (
        Field("AF", uapi.SVC_ATTR_AF, "H"),
        Field("PROTOCOL", uapi.SVC_ATTR_PROTOCOL, "H", None),
        Field("ADDR", uapi.SVC_ATTR_ADDR, "16s", None),
        Field("PORT", uapi.SVC_ATTR_PORT, "H", None),
        Field("FWMARK", uapi.SVC_ATTR_FWMARK, "I", None),
        Field("SCHED_NAME", uapi.SVC_ATTR_SCHED_NAME, TEXT),
        Field("FLAGS", uapi.SVC_ATTR_FLAGS, "I4x"),  # struct ip_vs_flags: flags, mask
        Field("TIMEOUT", uapi.SVC_ATTR_TIMEOUT, "I"),
        Field("NETMASK", uapi.SVC_ATTR_NETMASK, "I"),
        Field("PE_NAME", uapi.SVC_ATTR_PE_NAME, TEXT, None),
    ),
    uapi.SVC_ATTR_STATS64,
    uapi.SVC_ATTR_STATS,
)

DEST = Message(
    (
        Field("ADDR", uapi.DEST_ATTR_ADDR, "16s"),
        Field("PORT", uapi.DEST_ATTR_PORT, "H"),
        Field("FWD_METHOD", uapi.DEST_ATTR_FWD_METHOD, "I"),
        Field("WEIGHT", uapi.DEST_ATTR_WEIGHT, "i"),
        Field("U_THRESH", uapi.DEST_ATTR_U_THRESH, "I"),
        Field("L_THRESH", uapi.DEST_ATTR_L_THRESH, "I"),
        Field("ACTIVE_CONNS", uapi.DEST_ATTR_ACTIVE_CONNS, "I"),
        Field("INACT_CONNS", uapi.DEST_ATTR_INACT_CONNS, "I"),
        Field("PERSIST_CONNS", uapi.DEST_ATTR_PERSIST_CONNS, "I"),
        Field("ADDR_FAMILY", uapi.DEST_ATTR_ADDR_FAMILY, "H", None),  # since 3.18; before it is the service's
        Field("TUN_TYPE", uapi.DEST_ATTR_TUN_TYPE, "B", 0),
        Field("TUN_PORT", uapi.DEST_ATTR_TUN_PORT, "H", 0),
        Field("TUN_FLAGS", uapi.DEST_ATTR_TUN_FLAGS, "H", 0),
    ),
    uapi.DEST_ATTR_STATS64,
    uapi.DEST_ATTR_STATS,
)

SET_DEST_ATTRIBUTES = frozenset(
    {
        uapi.DEST_ATTR_ADDR,
        uapi.DEST_ATTR_PORT,
        uapi.DEST_ATTR_FWD_METHOD,
        uapi.DEST_ATTR_WEIGHT,
        uapi.DEST_ATTR_U_THRESH,
        uapi.DEST_ATTR_L_THRESH,
        uapi.DEST_ATTR_ADDR_FAMILY,
        uapi.DEST_ATTR_TUN_TYPE,
        uapi.DEST_ATTR_TUN_PORT,
        uapi.DEST_ATTR_TUN_FLAGS,
    }
)
"""The attributes that ip_vs_genl_parse_dest() reads: all but counters."""


def service(buffer: Buffer, start: int, end: int) -> VirtualServer:
    """Decodes one answer to IPVS_CMD_GET_SERVICE: a virtual server without its real servers.

    Args:
        buffer: holds the message.
        start: offset of the first attribute (after the generic netlink header).
        end: offset of the end of the message.

    Raises:
        MalformedMessageError: it does not match the kernel's header.
    """
    first, last = _body(buffer, start, end, uapi.CMD_ATTR_SERVICE)
    return virtual_server(*SERVICE.read(buffer, first, last))


def dest(buffer: Buffer, start: int, end: int, family: int) -> RealServer:
    """Decodes one answer to IPVS_CMD_GET_DEST: a real server.

    Args:
        buffer: holds the message.
        start: offset of the first attribute (after the generic netlink header).
        end: offset of the end of the message.
        family: of the virtual server, 4 or 6.

    Raises:
        MalformedMessageError: it does not match the kernel's header.
    """
    first, last = _body(buffer, start, end, uapi.CMD_ATTR_DEST)
    return real_server(family, DEST.read(buffer, first, last))


def _body(buffer: Buffer, start: int, end: int, wanted: int) -> tuple[int, int]:
    """Returns start and end of the value of a message's one attribute."""
    if end - start >= HEADER_SIZE:
        length, kind = _nest(buffer, start)
        if kind == wanted and length == end - start:
            return start + HEADER_SIZE, end
    return nested(buffer, start, end, wanted)


_nest = Struct("=HH").unpack_from


def virtual_server(
    af: int,
    protocol: int | None,
    address: bytes | None,
    port: int | None,
    fwmark: int | None,
    scheduler: bytes,
    flags: int,
    timeout: int,
    netmask: int,
    engine: bytes | None,
    *counters: Any,  # ints, or None where the message has none
) -> VirtualServer:
    """Returns the values of ``SERVICE`` as a virtual server."""
    family = _family(af)
    persistent = bool(flags & uapi.SVC_F_PERSISTENT)
    name: tuple[Protocol, str | None, int | None]
    if fwmark is not None:
        name = (Protocol.FWMARK, None, None)
    elif protocol is None or address is None or port is None:
        raise MalformedMessageError("a service with neither FWMARK nor PROTOCOL, ADDR and PORT")
    elif protocol in uapi.PROTOCOLS:
        name = (uapi.PROTOCOLS[protocol], address_text(af, address), ntohs(port))
    else:
        raise MalformedMessageError(f"a service of protocol {protocol}")
    return VirtualServer(
        protocol=name[0],
        address=name[1],
        port=name[2],
        fwmark=fwmark,
        family=family,
        scheduler=_text(scheduler),
        flags=flag_names(flags),
        persistence_timeout=timeout if persistent else None,
        persistence_engine=_text(engine) if engine is not None else None,
        netmask=prefix_length(family, netmask) if persistent else None,
        stats=None if counters[0] is None else Stats(*counters),
    )


def real_server(family: int, values: tuple[Any, ...]) -> RealServer:
    """Returns the values of ``DEST`` as a real server of a virtual server of that family (4 or 6)."""
    (address, port, method, weight, upper, lower, active, inactive, persistent, af, tun_type, tun_port, tun_flags) = (
        values[:13]
    )
    if af is None:
        af = socket.AF_INET if family == 4 else socket.AF_INET6
    try:
        forwarding = uapi.FORWARDING_METHODS[method & uapi.CONN_F_FWD_MASK]
    except IndexError:
        raise MalformedMessageError(f"forwarding method {method & uapi.CONN_F_FWD_MASK}") from None
    return RealServer(
        address_text(af, address),
        ntohs(port),
        forwarding,
        weight,
        active,
        inactive,
        persistent,
        upper,
        lower,
        None if values[13] is None else Stats(*values[13:]),
        tun_type,
        ntohs(tun_port),
        tun_flags,
    )


def _family(af: int) -> int:
    if af == socket.AF_INET:
        return 4
    if af == socket.AF_INET6:
        return 6
    raise MalformedMessageError(f"a service of address family {af}")


@lru_cache(maxsize=256)
def _text(raw: bytes) -> str:
    """Decodes a C string; bytes that are not ASCII become replacement characters."""
    return raw.split(b"\0", 1)[0].decode("ascii", "replace")


@lru_cache(maxsize=256)
def flag_names(flags: int) -> tuple[str, ...]:
    """Returns the names of a service's flags, sorted; bits without a name are skipped."""
    return tuple(sorted(name for bit, name in uapi.SERVICE_FLAGS.items() if flags & bit))


def prefix_length(family: int, netmask: int) -> int | None:
    """Returns the persistence granularity as a prefix length, None for the whole address.

    Args:
        family: 4 or 6.
        netmask: in native byte order: an IPv4 mask, or the prefix length itself for IPv6
            (``ip_vs_service.netmask``; its netlink attribute has the type of an IPv4 mask in both cases).
    """
    length = netmask.bit_count() if family == 4 else netmask
    return None if length == (32 if family == 4 else 128) else length


def selector(key: ServiceKey) -> bytes:
    """Returns the attribute that names a virtual server in a request.

    Raises:
        OSError: the key's address is not an address.
    """
    protocol, address, port, fwmark = key
    if protocol is Protocol.FWMARK:
        af = int(socket.AF_INET6 if address == "::" else socket.AF_INET)
        naming = pack(uapi.SVC_ATTR_FWMARK, U32.pack(fwmark))
    else:
        af, raw = address_bytes(address)
        naming = (
            pack(uapi.SVC_ATTR_PROTOCOL, U16.pack(uapi.PROTOCOL_NUMBERS[protocol]))
            + pack(uapi.SVC_ATTR_ADDR, raw)
            + pack(uapi.SVC_ATTR_PORT, port.to_bytes(2, "big"))
        )
    return pack(uapi.CMD_ATTR_SERVICE, pack(uapi.SVC_ATTR_AF, U16.pack(af)) + naming)


def settable(buffer: Buffer, start: int, end: int) -> dict[int, bytes]:
    """Returns the attributes of one answer to IPVS_CMD_GET_DEST that IPVS_CMD_SET_DEST accepts, byte for byte.

    Raises:
        MalformedMessageError: it does not match the kernel's header.
    """
    first, last = nested(buffer, start, end, uapi.CMD_ATTR_DEST)
    return {k: bytes(buffer[a:b]) for k, a, b in attributes(buffer, first, last) if k in SET_DEST_ATTRIBUTES}
