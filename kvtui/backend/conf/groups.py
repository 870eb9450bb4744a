"""``virtual_server_group`` blocks: each member becomes a virtual server in the kernel (``alloc_vsg_entry``)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.conf.addresses import plain_address, plain_port
from kvtui.backend.conf.numbers import unsigned
from kvtui.backend.conf.tree import is_built_in
from kvtui.model.ipvs import ForwardingMethod, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.backend.conf.tree import Problems, Statement
    from kvtui.model.conf import ConfVirtualServer

MAX_RANGE_ADDRESSES = 256  # a longer range is not expanded: its group counts as unknown
MAX_MEMBERS = 50_000  # of all groups; later ones count as unknown
MAX_REAL_SERVERS = 100_000  # of all members; groups that would have more count as unknown
_MAX_MARK = 2**32 - 1
_FIXED_PORT = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})


class GroupMember(Struct, frozen=True):
    address: str | None = None
    port: int | None = None
    fwmark: int | None = None


Groups = dict[str, tuple[GroupMember, ...] | None]
"""Name → members; None where one is unknown (a macro that only keepalived can replace, a huge range)."""


def groups(root: Statement, problems: Problems) -> Groups:
    found: Groups = {}
    left = MAX_MEMBERS
    for block in root.each("virtual_server_group"):
        if block.argument is None or block.argument in found:
            continue
        lines = [_members(line, problems) if left > 0 else None for line in block.children or () if line.keyword]
        left -= sum(len(line or ()) for line in lines)
        known = [line for line in lines if line is not None]
        if len(known) < len(lines):
            found[block.argument] = None
        elif any(known):
            marks_last = sorted((m for line in known for m in line), key=lambda m: m.fwmark is not None)
            found[block.argument] = tuple(marks_last)
        else:
            problems.invalid(f"virtual_server_group {block.argument} is empty: ignored", block.at())
    return found


def _members(line: Statement, problems: Problems) -> tuple[GroupMember, ...] | None:
    """``fwmark N``, ``ADDRESS[-LAST] [PORT]``, ``ADDRESS/PREFIX [PORT]``; empty where keepalived skips the line."""
    if is_built_in(line.keyword) or is_built_in(line.argument):
        return None
    if line.keyword == "fwmark":
        mark = unsigned(line.argument, 0, _MAX_MARK, lenient=True)
        members: tuple[GroupMember, ...] = () if mark is None else (GroupMember(fwmark=mark),)
    else:
        port = plain_port(line.argument)
        first, last = (_range(line.keyword) if port is not None else None) or (None, None)
        if first is None or last is None:
            members = ()
        elif int(last) - int(first) >= MAX_RANGE_ADDRESSES:
            return None
        else:
            members = tuple(GroupMember(str(first + n), port or None) for n in range(int(last) - int(first) + 1))
    if not members:
        problems.invalid(f"'{' '.join(line.words)}' is not a group's member: keepalived skips it", line.at())
    return members


Address = IPv4Address | IPv6Address


def _range(text: str) -> tuple[Address, Address] | None:
    """Returns the first and the last address; None where keepalived skips the line.

    ``192.168.200.3-10`` is decimal, ``fd00::a-1f`` hexadecimal; since 2.2.0 a whole address may follow, or a prefix.
    """
    start = plain_address(text)
    if start is None:
        return None
    first = ip_address(start)
    try:
        if "/" in text:
            network = ip_network(text)  # refuses bits behind the prefix, as keepalived does
            return network.network_address, network.broadcast_address
        end = text.partition("-")[2]
        if not end:
            return first, first
        if ("." if first.version == 4 else ":") in end:
            last = ip_address(end)
            return (first, last) if last.version == first.version and int(last) >= int(first) else None
        low, bits = (10, 8) if first.version == 4 else (16, 16)
        offset = int(end, low) - int(first) % 2**bits
    except ValueError:
        return None
    return (first, first + offset) if offset > 0 and int(end, low) < 2**bits else None


def expanded(virtuals: Iterable[ConfVirtualServer], known: Groups) -> Iterator[ConfVirtualServer]:
    """Yields a virtual server for each member of its group; those of an unknown group unchanged."""
    left = MAX_REAL_SERVERS
    for virtual in virtuals:
        members = known.get(virtual.group) if virtual.group is not None else None
        left -= len(members or ()) * max(1, len(virtual.real_servers))
        if members is None or left < 0:
            yield virtual
        else:
            yield from (_one(virtual, member) for member in members)


def _one(virtual: ConfVirtualServer, member: GroupMember) -> ConfVirtualServer:
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
