"""Reads instances, sync groups and track files from the tree (keepalived's ``vrrp_parser.c``)."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from kvtui.backend.conf.auth_hmac import auth_hmac
from kvtui.backend.conf.tree import Statement, integer, invalid, is_built_in
from kvtui.model.conf import ConfInstance, ConfScript, ConfTrack, ConfTrackFile, Problem, SyncGroup
from kvtui.model.ip import canonical
from kvtui.model.vrrp import VirtualAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRACKS = ("interface", "script", "file", "process", "bfd")
_ADDRESS_OPTIONS = {"dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft", "track_group"}
_ADDRESS_FLAGS = {"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac"}
_PEER_OPTIONS = {"min_ttl", "max_ttl"}
_AUTH_TYPES = ("PASS", "AH")
_MAX_PASSWORD = 8  # keepalived cuts a longer one off
_KEY = secrets.token_bytes(16)


def instances(root: Statement, problems: list[Problem]) -> tuple[ConfInstance, ...]:
    """Reads all ``vrrp_instance`` blocks; of two with the same name the first counts (``vrrp_handler``)."""
    found: dict[str, ConfInstance] = {}
    has_default_interface = any(defs.last("default_interface") for defs in root.each("global_defs"))
    for block in root.each("vrrp_instance"):
        name = block.argument
        if name is None or len(block.words) != 2:
            problems.append(invalid("vrrp_instance needs exactly one name: keepalived skips the block", block.at()))
        elif name in found:
            message = f"vrrp_instance {name} is already defined: keepalived skips this one"
            problems.append(invalid(message, block.at()))
        else:
            found[name] = _instance(name, block, problems, has_default_interface=has_default_interface)
    return tuple(found.values())


def _instance(name: str, block: Statement, problems: list[Problem], *, has_default_interface: bool) -> ConfInstance:
    priority = block.last("priority")
    instance = ConfInstance(
        name=name,
        at=block.at(),
        state=block.value("state"),
        interface=block.value("interface"),
        vrid=block.integer("virtual_router_id"),
        priority=block.integer("priority"),
        priority_at=priority.at(1) if priority else None,
        priority_literal=priority is None or _literal_everywhere(block),
        version=block.integer("version"),
        nopreempt=_nopreempt(block),
        preempt_delay=block.decimal("preempt_delay"),
        advert_interval=block.decimal("advert_int"),
        auth_type=_auth_type(block, problems),
        vips=tuple(_addresses(block, "virtual_ipaddress", problems)),
        excluded_vips=tuple(_addresses(block, "virtual_ipaddress_excluded", problems)),
        unicast_source=_source(block),
        unicast_peers=tuple(_peers(block, problems)),
        tracks=tuple(_tracks(block, problems)),
        auth_hmac=auth_hmac(block, problems),
        use_vmac=block.last("use_vmac", "use_ipvlan") is not None,
        auth_digest=_auth_digest(block),
        tracks_interface=block.last("dont_track_primary") is None,
    )
    problems += _problems(instance, block, has_default_interface=has_default_interface)
    return instance


def _literal_everywhere(block: Statement) -> bool:
    """Whether no priority of the block depends on ``@``, ``$`` or ``~``."""
    return all(p.literal and integer(p.argument) is not None for p in block.each("priority"))


def _nopreempt(block: Statement) -> bool:
    last = block.last("nopreempt", "preempt")
    return last is not None and last.keyword == "nopreempt"


def _source(block: Statement) -> str | None:
    text = block.value("unicast_src_ip")
    return None if text is None else canonical(text) or text


def _auth_type(block: Statement, problems: list[Problem]) -> str | None:
    """Returns ``PASS`` or ``AH``; never reads the password."""
    chosen: str | None = None
    for line in block.entries("authentication"):
        if line.keyword == "auth_type":
            chosen = line.argument if line.argument in _AUTH_TYPES else None
            if len(line.words) > 2:
                message = "keepalived reads only auth_type on this line: move auth_pass to its own line"
                problems.append(invalid(message, line.at(2)))
    return chosen


def _auth_digest(block: Statement) -> str:
    """Returns what tells its password from another one in this process, and nobody else anything."""
    password = next((line.argument for line in block.entries("authentication") if line.keyword == "auth_pass"), None)
    return (
        hmac.digest(_KEY, password[:_MAX_PASSWORD].encode("utf-8", "surrogatepass"), "sha256").hex() if password else ""
    )


def _addresses(block: Statement, keyword: str, problems: list[Problem]) -> Iterator[VirtualAddress]:
    """Reads one address with options per line (``alloc_ipaddress``)."""
    for line in block.entries(keyword):
        address: str | None = None
        device: str | None = None
        position = 0
        while position < len(line.words):
            word = line.words[position]
            if word in _ADDRESS_OPTIONS and address is not None:
                if word == "dev" and position + 1 < len(line.words):
                    device = line.words[position + 1]
                position += 1
            elif address is None:
                address = word
            elif word not in _ADDRESS_FLAGS:
                message = f"keepalived reads one address per line: it ignores '{word}' after {address}"
                problems.append(invalid(message, line.at(position)))
            position += 1
        vip = _address(address or "", device)
        if vip is not None:
            yield vip
        elif address and not is_built_in(address):
            problems.append(invalid(f"'{address}' is not an address: keepalived skips it", line.at()))


def _address(text: str, device: str | None) -> VirtualAddress | None:
    """Parses ``address[/prefix]``; without a prefix it is /32 or /128."""
    number, _, prefix = text.partition("/")
    address = canonical(number)
    if address is None:
        return None
    longest = 128 if ":" in address else 32
    length = integer(prefix)
    return VirtualAddress(address, length if length is not None and 0 <= length <= longest else longest, device)


def _peers(block: Statement, problems: list[Problem]) -> Iterator[str]:
    """Reads ``unicast_peer``: one peer per line, with options since 2.2."""
    for line in block.entries("unicast_peer"):
        address = canonical(line.keyword)
        if address is not None:
            yield address
        elif line.keyword and not is_built_in(line.keyword):
            problems.append(invalid(f"'{line.keyword}' is not an address: keepalived skips this peer", line.at()))
        if len(line.words) > 1 and line.words[1] not in _PEER_OPTIONS:
            message = f"keepalived reads one peer per line: it ignores '{line.words[1]}'"
            problems.append(invalid(message, line.at(1)))


def _tracks(block: Statement, problems: list[Problem]) -> Iterator[ConfTrack]:
    """Reads ``track_interface { eth0 weight -20 }`` and the like; a line with another second word is ignored."""
    for kind in _TRACKS:
        for line in block.entries("track_" + kind):
            if len(line.words) > 1 and line.words[1] != "weight":
                message = f"keepalived reads one entry per line: it ignores this line because of '{line.words[1]}'"
                problems.append(invalid(message, line.at(1)))
            elif line.words:
                yield ConfTrack(kind, line.keyword, integer(line.words[2]) if len(line.words) > 2 else None)


def _problems(instance: ConfInstance, block: Statement, *, has_default_interface: bool) -> Iterator[Problem]:
    name = instance.name
    priority = block.last("priority")
    if priority is not None and not is_built_in(priority.argument) and not 1 <= (instance.priority or 0) <= 255:
        message = f"{name}: priority must be between 1 and 255; keepalived uses 100 instead"
        yield invalid(message, priority.at(1))
    vrid = block.last("virtual_router_id")
    if vrid is None:
        yield invalid(f"{name}: virtual_router_id is missing: keepalived exits on it", instance.at)
    elif not is_built_in(vrid.argument) and not 1 <= (instance.vrid or 0) <= 255:
        yield invalid(f"{name}: virtual_router_id must be between 1 and 255", vrid.at(1))
    if not any(block.entries("virtual_ipaddress")):
        yield invalid(f"{name}: no virtual_ipaddress: keepalived may refuse the instance", instance.at)
    interface = block.last("interface")
    if interface is not None and interface.argument is None:
        yield invalid(f"{name}: interface has no value", interface.at())
    elif interface is None and not has_default_interface and instance.unicast_source is None:
        yield invalid(f"{name}: no interface", instance.at)


def sync_groups(root: Statement) -> tuple[SyncGroup, ...]:
    """Reads all ``vrrp_sync_group`` blocks; a line may have several members (``read_value_block``)."""
    return tuple(
        SyncGroup(block.argument, tuple(word for line in block.entries("group") for word in line.words))
        for block in root.each("vrrp_sync_group")
        if block.argument is not None
    )


def track_files(root: Statement) -> tuple[ConfTrackFile, ...]:
    """Reads all ``track_file`` (2.1) and ``vrrp_track_file`` (2.0) definitions."""
    return tuple(
        ConfTrackFile(block.argument, block.value("file"), block.integer("weight"))
        for block in root.each("track_file", "vrrp_track_file")
        if block.argument is not None
    )


def scripts(root: Statement) -> tuple[ConfScript, ...]:
    """Reads all ``vrrp_script`` definitions; of two with the same name the first counts."""
    found: dict[str, ConfScript] = {}
    for block in root.each("vrrp_script"):
        line = block.last("script")
        if block.argument is None or block.argument in found:
            continue
        found[block.argument] = ConfScript(
            name=block.argument,
            command=" ".join(line.words[1:]) if line else "",
            interval=block.decimal("interval") or 1.0,
            timeout=block.decimal("timeout"),
            weight=block.integer("weight") or 0,
            rise=block.integer("rise") or 1,
            fall=block.integer("fall") or 1,
            user=block.value("user"),
            at=block.at(),
        )
    return tuple(found.values())
