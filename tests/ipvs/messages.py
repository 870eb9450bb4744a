"""Builds netlink messages as old and new kernels do: with or without PAD attributes, in any order."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvtui.backend.ipvs import uapi

if TYPE_CHECKING:
    from collections.abc import Sequence

Attribute = tuple[int, bytes]
PAD: Attribute = (11, b"")  # IPVS_STATS_ATTR_PAD


def encode(attributes: Sequence[Attribute]) -> bytes:
    out = b""
    for kind, value in attributes:
        out += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return out


def u8(value: int) -> bytes:
    return struct.pack("=B", value)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def be16(value: int) -> bytes:
    return struct.pack("!H", value)


def stats64(counters: Sequence[int], *, padded: bool = False) -> bytes:
    """Encodes STATS64; ``padded`` as on kernels that align 64-bit values."""
    out: list[Attribute] = []
    for number, value in enumerate(counters, start=1):
        if padded and number > 1:
            out.append(PAD)
        out.append((number, struct.pack("=Q", value)))
    return encode(out)


def stats32(counters: Sequence[int]) -> bytes:
    """Encodes STATS. Counters are truncated to 32 bits, as in the kernel; byte counters have 64 bits."""
    sizes = "IIIQQIIIII"
    values = [
        struct.pack(f"={code}", value & (0xFFFFFFFF if code == "I" else 0xFFFFFFFFFFFFFFFF))
        for code, value in zip(sizes, counters, strict=True)
    ]
    return encode(list(enumerate(values, start=1)))


@dataclass
class Dest:
    """A real server to encode."""

    address: bytes = bytes([10, 1, 0, 1])
    port: int = 80
    method: int = 0
    weight: int = 1
    upper: int = 0
    lower: int = 0
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    family: int | None = 2
    tunnel: tuple[int, int, int] | None = (0, 0, 0)
    counters: tuple[int, ...] = (0,) * 10
    wide: bool = True
    padded: bool = False
    extra: list[Attribute] = field(default_factory=list)

    def attributes(self) -> list[Attribute]:
        """Returns the attributes in the order of ip_vs_genl_fill_dest() of 6.1."""
        out = [
            (uapi.DestAttr.ADDR, self.address.ljust(16, b"\0")),
            (uapi.DestAttr.PORT, be16(self.port)),
            (uapi.DestAttr.FWD_METHOD, u32(self.method)),
            (uapi.DestAttr.WEIGHT, struct.pack("=i", self.weight)),
        ]
        if self.tunnel is not None:
            kind, port, flags = self.tunnel
            out += [
                (uapi.DestAttr.TUN_TYPE, u8(kind)),
                (uapi.DestAttr.TUN_PORT, be16(port)),
                (uapi.DestAttr.TUN_FLAGS, u16(flags)),
            ]
        out += [
            (uapi.DestAttr.U_THRESH, u32(self.upper)),
            (uapi.DestAttr.L_THRESH, u32(self.lower)),
            (uapi.DestAttr.ACTIVE_CONNS, u32(self.active)),
            (uapi.DestAttr.INACT_CONNS, u32(self.inactive)),
            (uapi.DestAttr.PERSIST_CONNS, u32(self.persistent)),
        ]
        if self.family is not None:
            out.append((uapi.DestAttr.ADDR_FAMILY, u16(self.family)))
        out.append((uapi.DestAttr.STATS, stats32(self.counters)))
        if self.wide:
            out.append((uapi.DestAttr.STATS64, stats64(self.counters, padded=self.padded)))
        return out + self.extra

    def message(self) -> bytes:
        """Returns the message after the generic netlink header."""
        return encode([(uapi.CMD_ATTR_DEST, encode(self.attributes()))])


def service_attributes(
    *,
    af: int = 2,
    protocol: int = 6,
    address: bytes = bytes([10, 0, 0, 1]),
    port: int = 80,
    fwmark: int | None = None,
    scheduler: bytes = b"wlc",
    engine: bytes | None = None,
    flags: int = 2,
    timeout: int = 0,
    netmask: bytes = b"\xff\xff\xff\xff",
    counters: Sequence[int] = (0,) * 10,
    wide: bool = True,
    padded: bool = False,
) -> list[Attribute]:
    """Returns the attributes in the order of ip_vs_genl_fill_service() of 6.1."""
    out: list[Attribute] = [(uapi.ServiceAttr.AF, u16(af))]
    if fwmark is not None:
        out.append((uapi.ServiceAttr.FWMARK, u32(fwmark)))
    else:
        out += [
            (uapi.ServiceAttr.PROTOCOL, u16(protocol)),
            (uapi.ServiceAttr.ADDR, address.ljust(16, b"\0")),
            (uapi.ServiceAttr.PORT, be16(port)),
        ]
    out.append((uapi.ServiceAttr.SCHED_NAME, scheduler + b"\0"))
    if engine is not None:
        out.append((uapi.ServiceAttr.PE_NAME, engine + b"\0"))
    out += [
        (uapi.ServiceAttr.FLAGS, u32(flags) + b"\xff" * 4),
        (uapi.ServiceAttr.TIMEOUT, u32(timeout)),
        (uapi.ServiceAttr.NETMASK, netmask),
        (uapi.ServiceAttr.STATS, stats32(counters)),
    ]
    if wide:
        out.append((uapi.ServiceAttr.STATS64, stats64(counters, padded=padded)))
    return out


def service_message(attributes: Sequence[Attribute]) -> bytes:
    """Returns the message after the generic netlink header."""
    return encode([(uapi.CMD_ATTR_SERVICE, encode(attributes))])
