"""``virtual_server_group`` blocks: each member becomes a virtual server in the kernel (``ipvswrapper.c``)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.conf.tree import integer
from kvtui.model.ip import canonical
from kvtui.model.ipvs import ForwardingMethod, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.backend.conf.tree import Statement
    from kvtui.model.conf import ConfVirtualServer

MAX_RANGE_ADDRESSES = 256
"""A range covers the last part of an address. A longer IPv6 range is not expanded."""
_RANGE = re.compile(r"(?P<start>.+[.:](?P<first>[0-9A-Fa-f]+))-(?P<last>[0-9A-Fa-f]+)")
_FIXED_PORT = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})


class Member(Struct, frozen=True):
    address: str | None = None
    port: int | None = None
    fwmark: int | None = None


def groups(root: Statement) -> dict[str, tuple[Member, ...] | None]:
    """Returns name → members; None where one is unknown (a macro that only keepalived can replace)."""
    found: dict[str, tuple[Member, ...] | None] = {}
    for block in root.each("virtual_server_group"):
        if block.argument is not None:
            lines = [_members(line) for line in block.children or ()]
            known = [line for line in lines if line is not None]
            found[block.argument] = tuple(m for line in known for m in line) if len(known) == len(lines) else None
    return found


def _members(line: Statement) -> tuple[Member, ...] | None:
    """``fwmark N``, ``ADDRESS [PORT]``, ``ADDRESS-LAST [PORT]``."""
    if line.keyword == "fwmark":
        mark = integer(line.argument)
        return None if mark is None else (Member(fwmark=mark),)
    port = integer(line.argument)
    if port is None and line.argument is not None:
        return None
    addresses = _range(line.keyword)
    return None if addresses is None else tuple(Member(address, port) for address in addresses)


def _range(text: str) -> list[str] | None:
    """Returns the addresses of ``192.168.200.3-10`` (decimal), ``fd00::a-1f`` (hexadecimal), or a single address."""
    match = _RANGE.fullmatch(text)
    if match is None:
        alone = canonical(text)
        return None if alone is None else [alone]
    start = canonical(match["start"])
    if start is None:
        return None
    base = 16 if ":" in start else 10
    try:
        count = int(match["last"], base) - int(match["first"], base) + 1
        return [str(ip_address(start) + n) for n in range(count)] if 1 <= count <= MAX_RANGE_ADDRESSES else None
    except ValueError:
        return None


def expanded(
    virtuals: Iterable[ConfVirtualServer], known: dict[str, tuple[Member, ...] | None]
) -> Iterator[ConfVirtualServer]:
    """Yields a virtual server for each member of its group; those of an unknown group unchanged."""
    for virtual in virtuals:
        members = known.get(virtual.group) if virtual.group is not None else None
        if members is None:
            yield virtual
        else:
            yield from (_one(virtual, member) for member in members)


def _one(virtual: ConfVirtualServer, member: Member) -> ConfVirtualServer:
    reals = virtual.real_servers
    if member.port:  # direct routing and tunnels cannot change a port: the kernel has the member's (measured)
        reals = tuple(replace(r, port=member.port) if (r.method or virtual.method) in _FIXED_PORT else r for r in reals)
    return replace(
        virtual,
        address=member.address,
        port=member.port,
        fwmark=member.fwmark,
        protocol=virtual.protocol if member.fwmark is None else Protocol.FWMARK,
        real_servers=reals,
    )
