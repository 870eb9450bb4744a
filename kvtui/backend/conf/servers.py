"""Reads virtual and real servers from the tree (keepalived's ``check_parser.c``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.conf.groups import expanded, groups
from kvtui.backend.conf.tree import Statement, integer, invalid, is_built_in
from kvtui.model.conf import ConfRealServer, ConfVirtualServer, Problem
from kvtui.model.ip import canonical
from kvtui.model.ipvs import LVS_METHODS, ForwardingMethod, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_PERSISTENCE = 360
"""Seconds, when ``persistence_timeout`` has no value (IPVS_SVC_PERSISTENT_TIMEOUT in linux/ip_vs.h)."""

_PROTOCOLS = {p.value: p for p in (Protocol.TCP, Protocol.UDP, Protocol.SCTP)}


def virtual_servers(root: Statement, problems: list[Problem]) -> tuple[ConfVirtualServer, ...]:
    """Reads all ``virtual_server`` blocks: ``ADDRESS [PORT]``, ``fwmark N`` or ``group NAME`` (one per member)."""
    blocks = [_virtual_server(block, problems) for block in root.each("virtual_server")]
    return tuple(expanded(blocks, groups(root)))


def _virtual_server(block: Statement, problems: list[Problem]) -> ConfVirtualServer:
    kind, name = [*block.words[1:3], "", ""][:2]
    address, port, fwmark, group = None, None, None, None
    if kind == "fwmark":
        fwmark = integer(name)
    elif kind == "group":
        group = name or None
    else:
        address = _address(block, problems)
        port = integer(name)
    return ConfVirtualServer(
        at=block.at(),
        address=address,
        port=port,
        fwmark=fwmark,
        group=group,
        protocol=Protocol.FWMARK if kind == "fwmark" else _protocol(block, problems),
        scheduler=block.value("lvs_sched", "lb_algo"),
        method=_method(block.last("lvs_method", "lb_kind"), problems),
        persistence_timeout=_persistence(block),
        quorum=block.integer("quorum"),
        service=block.piece.service if block.piece else None,
        real_servers=tuple(_real_servers(block, problems)),
    )


def _address(block: Statement, problems: list[Problem]) -> str | None:
    """Returns the canonical address after the keyword; as written when it is not one (a template's placeholder)."""
    text = block.argument
    if text is None:
        problems.append(invalid(f"{block.keyword} has no address", block.at()))
        return None
    address = canonical(text)
    if address is None and not is_built_in(text):
        problems.append(invalid(f"{block.keyword}: '{text}' is not an address", block.at(1)))
    return address or text


def _protocol(block: Statement, problems: list[Problem]) -> Protocol:
    """Returns the protocol; TCP is keepalived's default for addresses."""
    line = block.last("protocol")
    if line is None or is_built_in(line.argument):
        return Protocol.TCP
    protocol = _PROTOCOLS.get(line.argument or "")
    if protocol is None:
        problems.append(invalid(f"protocol '{line.argument}' is not TCP, UDP or SCTP", line.at(1)))
    return protocol or Protocol.TCP


def _method(line: Statement | None, problems: list[Problem]) -> ForwardingMethod | None:
    """Reads NAT, DR or TUN; keepalived treats any other word as NAT (measured with ``PROXY``)."""
    if line is None or is_built_in(line.argument):
        return None
    method = LVS_METHODS.get(line.argument or "")
    if method is None:
        problems.append(invalid(f"{line.keyword} '{line.argument}' is unknown: keepalived uses NAT", line.at(1)))
    return method or ForwardingMethod.MASQ


def _persistence(block: Statement) -> int | None:
    line = block.last("persistence_timeout")
    if line is None:
        return None
    return DEFAULT_PERSISTENCE if line.argument is None else integer(line.argument)


def _real_servers(block: Statement, problems: list[Problem]) -> Iterator[ConfRealServer]:
    for server in block.each("real_server", "sorry_server"):
        if server.argument is None:
            problems.append(invalid(f"{server.keyword} has no address", server.at()))
        elif server.keyword == "sorry_server":
            yield _sorry_server(server, block, problems)
        else:
            yield _real_server(server, block, problems)


def _sorry_server(server: Statement, block: Statement, problems: list[Problem]) -> ConfRealServer:
    """Reads ``sorry_server ADDRESS PORT``; its method and inhibit are lines of the virtual server."""
    return ConfRealServer(
        address=_address(server, problems) or "",
        port=integer(server.words[2]) if len(server.words) > 2 else None,
        at=server.at(),
        method=_method(block.last("sorry_server_lvs_method"), problems),
        inhibit_on_failure=block.last("sorry_server_inhibit") is not None,
        sorry=True,
    )


def _real_server(server: Statement, block: Statement, problems: list[Problem]) -> ConfRealServer:
    """Reads a ``real_server``, whose defaults of weight and inhibit_on_failure are the virtual server's."""
    weight = server.integer("weight")
    checks = [child for child in server.children or () if child.children is not None and child.keyword.isupper()]
    file_check = next((c for c in checks if c.keyword == "FILE_CHECK"), None)
    return ConfRealServer(
        address=_address(server, problems) or "",
        port=integer(server.words[2]) if len(server.words) > 2 else None,
        at=server.at(),
        weight=block.integer("weight") if weight is None else weight,
        method=_method(server.last("lvs_method"), problems),
        upper_threshold=server.integer("uthreshold"),
        lower_threshold=server.integer("lthreshold"),
        inhibit_on_failure=any(s.last("inhibit_on_failure") is not None for s in (server, block)),
        checks=tuple(check.keyword for check in checks),
        file_check=file_check.value("track_file") if file_check else None,
        file_check_weight=_file_check_weight(file_check),
    )


def _file_check_weight(check: Statement | None) -> int | None:
    """Reads ``weight W [reverse]`` (``track_file_weight_handler`` of keepalived's ``check_file.c``)."""
    line = check.last("weight") if check else None
    weight = integer(line.argument) if line else None
    return -weight if weight is not None and line and line.words[2:3] == ["reverse"] else weight
