"""Netlink messages of the IPVS family ↔ model classes."""

from __future__ import annotations

import socket
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any

from kvtui.backend.ipvs import uapi
from kvtui.backend.ipvs.attributes import address_bytes, address_text, attributes, nested, pack
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.backend.ipvs.layout import TEXT, Field, MessageLayout
from kvtui.model.ipvs import Protocol, RealServer, Stats, VirtualServer

if TYPE_CHECKING:
    from kvtui.backend.ipvs.attributes import Buffer
    from kvtui.model.ipvs import ServiceKey

U16 = Struct("=H")
U32 = Struct("=I")
ntohs = socket.ntohs
FAMILIES: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}

SERVICE = MessageLayout(
    (
        Field(uapi.ServiceAttr.AF, "H"),
        Field(uapi.ServiceAttr.PROTOCOL, "H", None),
        Field(uapi.ServiceAttr.ADDR, "16s", None),
        Field(uapi.ServiceAttr.PORT, "H", None),
        Field(uapi.ServiceAttr.FWMARK, "I", None),
        Field(uapi.ServiceAttr.SCHED_NAME, TEXT),
        Field(uapi.ServiceAttr.FLAGS, "I4x"),  # struct ip_vs_flags: flags, mask
        Field(uapi.ServiceAttr.TIMEOUT, "I"),
        Field(uapi.ServiceAttr.NETMASK, "I"),
        Field(uapi.ServiceAttr.PE_NAME, TEXT, None),
    ),
    uapi.ServiceAttr.STATS64,
    uapi.ServiceAttr.STATS,
)

DEST = MessageLayout(
    (
        Field(uapi.DestAttr.ADDR, "16s"),
        Field(uapi.DestAttr.PORT, "H"),
        Field(uapi.DestAttr.FWD_METHOD, "I"),
        Field(uapi.DestAttr.WEIGHT, "i"),
        Field(uapi.DestAttr.U_THRESH, "I"),
        Field(uapi.DestAttr.L_THRESH, "I"),
        Field(uapi.DestAttr.ACTIVE_CONNS, "I"),
        Field(uapi.DestAttr.INACT_CONNS, "I"),
        Field(uapi.DestAttr.PERSIST_CONNS, "I"),
        Field(uapi.DestAttr.ADDR_FAMILY, "H", None),  # since 3.18; before it is the service's
        Field(uapi.DestAttr.TUN_TYPE, "B", 0),
        Field(uapi.DestAttr.TUN_PORT, "H", 0),
        Field(uapi.DestAttr.TUN_FLAGS, "H", 0),
    ),
    uapi.DestAttr.STATS64,
    uapi.DestAttr.STATS,
)

SET_DEST_ATTRIBUTES = frozenset(field.kind for field in DEST.fields if not field.kind.name.endswith("_CONNS"))
"""The attributes that ip_vs_genl_parse_dest() reads: all but counters."""


def service(buffer: Buffer, start: int, end: int) -> VirtualServer:
    """Decodes an answer to IPVS_CMD_GET_SERVICE, from its first attribute on."""
    return virtual_server(*SERVICE.read(buffer, *nested(buffer, start, end, uapi.CMD_ATTR_SERVICE)))


def dest(buffer: Buffer, start: int, end: int, family: int) -> RealServer:
    """Decodes an answer to IPVS_CMD_GET_DEST, from its first attribute on, for a virtual server of that family."""
    return real_server(family, DEST.read(buffer, *nested(buffer, start, end, uapi.CMD_ATTR_DEST)))


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
    if af not in FAMILIES:
        raise MalformedMessageError(f"a service of address family {af}")
    family = FAMILIES[af]
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


@lru_cache(maxsize=256)
def _text(raw: bytes) -> str:
    """Decodes a C string; bytes that are not ASCII become replacement characters."""
    return raw.split(b"\0", 1)[0].decode("ascii", "replace")


@lru_cache(maxsize=256)
def flag_names(flags: int) -> tuple[str, ...]:
    return tuple(sorted(name for bit, name in uapi.SERVICE_FLAGS.items() if flags & bit))


def prefix_length(family: int, netmask: int) -> int | None:
    """Returns the persistence granularity as a prefix length, None for the whole address.

    ``netmask`` is an IPv4 mask in native byte order, or an IPv6 prefix length (``ip_vs_service.netmask``).
    """
    length = netmask.bit_count() if family == 4 else netmask
    return None if length == (32 if family == 4 else 128) else length


def selector(key: ServiceKey) -> bytes:
    """Returns the attribute that names a virtual server in a request; raises OSError for a bad address."""
    protocol, address, port, fwmark = key
    if protocol is Protocol.FWMARK:
        af = int(socket.AF_INET6 if address == "::" else socket.AF_INET)
        naming = pack(uapi.ServiceAttr.FWMARK, U32.pack(fwmark))
    else:
        af, raw = address_bytes(address)
        naming = (
            pack(uapi.ServiceAttr.PROTOCOL, U16.pack(uapi.PROTOCOL_NUMBERS[protocol]))
            + pack(uapi.ServiceAttr.ADDR, raw)
            + pack(uapi.ServiceAttr.PORT, port.to_bytes(2, "big"))
        )
    return pack(uapi.CMD_ATTR_SERVICE, pack(uapi.ServiceAttr.AF, U16.pack(af)) + naming)


def settable(buffer: Buffer, start: int, end: int) -> dict[int, bytes]:
    """Returns the attributes of an answer to IPVS_CMD_GET_DEST that IPVS_CMD_SET_DEST accepts, byte for byte."""
    inside = attributes(buffer, *nested(buffer, start, end, uapi.CMD_ATTR_DEST))
    return {kind: bytes(buffer[first:last]) for kind, first, last in inside if kind in SET_DEST_ATTRIBUTES}
