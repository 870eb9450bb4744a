"""Reads instances, sync groups and track files from the tree, with keepalived's defaults and corrections.

From ``vrrp_parser.c`` and ``vrrp_complete_instance`` (2.2.7): what an instance does, not what its block says.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.conf.addresses import MAX_INTERFACE_NAME, InstanceAddresses, is_six
from kvtui.backend.conf.auth_hmac import auth_hmac
from kvtui.backend.conf.numbers import integer, last_taken, seconds, unsigned
from kvtui.backend.conf.tree import is_built_in
from kvtui.model.conf import ConfInstance, ConfScript, ConfTrack, ConfTrackFile, SyncGroup

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from kvtui.backend.conf.tree import Problems, Statement
    from kvtui.model.vrrp import VirtualAddress

OWNER, DEFAULT_PRIORITY = 255, 100
_V2_MOST, _V3_MOST = 255.0, 40.95  # seconds: the advert interval's field has 8 bits, or 12 bits for hundredths
_MAX_VIPS = {False: 255, True: 89}  # in an advert of IPv4, IPv6; with an MTU of 1500
_TRACKS = ("interface", "script", "file", "process", "bfd")
_DEFINITIONS = {"vrrp_script": "script", "track_file": "file", "vrrp_track_file": "file"}  # block → what it defines
Router = tuple[str, bool, int, str | None]  # interface, whether IPv6, VRID, multicast group
_REVERSE: dict[str | None, bool] = {"reverse": True, "noreverse": False}
_FALSE = frozenset({"false", "off", "no"})
_MAX_PASSWORD = 8  # keepalived cuts a longer one off
_KEY = os.urandom(16)


class Defaults(Struct, frozen=True):
    """What ``global_defs`` sets for all instances."""

    version: int
    strict: bool

    @classmethod
    def of(cls, root: Statement) -> Defaults:
        lines = list(root.entries("global_defs"))
        version = last_taken(integer(line.argument, 2, 3) for line in lines if line.keyword == "vrrp_version")
        return cls(version or 2, any(line.keyword == "vrrp_strict" for line in lines))


def instances(root: Statement, defaults: Defaults, problems: Problems) -> tuple[ConfInstance, ...]:
    """Reads all ``vrrp_instance`` blocks; of two with the same name the first counts (``vrrp_handler``)."""
    found: dict[str, ConfInstance] = {}
    routers: dict[Router, str] = {}
    defined: set[tuple[str, str | None]] = set()
    for block in root.each("vrrp_instance", *_DEFINITIONS):
        name = block.argument
        if block.keyword in _DEFINITIONS:
            defined.add((_DEFINITIONS[block.keyword], name))
        elif name is None or len(block.words) != 2:
            problems.invalid("vrrp_instance needs exactly one name: keepalived skips the block", block.at())
        elif name in found:
            problems.invalid(f"vrrp_instance {name} is already defined: keepalived skips this one", block.at())
        else:
            found[name] = _instance(name, block, defaults, problems, defined)
            _report_conflict(found[name], block, routers, problems)
    return _in_groups(found, sync_groups(root))


def _instance(
    name: str, block: Statement, defaults: Defaults, problems: Problems, defined: Container[tuple[str, str | None]]
) -> ConfInstance:
    addresses = InstanceAddresses(name, problems)
    addresses.read(block)
    strict_mode = block.last("strict_mode")
    strict = defaults.strict if strict_mode is None else strict_mode.argument not in _FALSE
    six = addresses.six is True
    version = addresses.version or (3 if six else defaults.version)
    version = 3 if six and strict else version
    interface = _interface(block, problems)
    if interface is None and addresses.peers and addresses.source:
        addresses.leave_out_without_device(block)
    vips = _without_twins(addresses.vips, interface)
    max_vips = _MAX_VIPS[six]
    state = _state(block, problems)
    priority_line = block.last("priority")
    priority = _priority(priority_line, state)
    own_state = "MASTER" if priority == OWNER else "BACKUP"
    state = own_state if state is None or strict else state
    auth_type = _auth_type(block, problems)
    has_password = any(line.keyword == "auth_pass" for line in block.entries("authentication"))
    if strict or version == 3 or not has_password or (auth_type == "AH" and vips and is_six(vips[0].address)):
        auth_type = None
    if auth_type == "AH" and state == "MASTER":
        state = own_state
    preempts_always = priority == OWNER or state == "MASTER"
    nopreempt = _last_keyword(block, "nopreempt", "preempt") == "nopreempt"
    no_delay = state == "MASTER" or strict or (nopreempt and not preempts_always)
    accept = _last_keyword(block, "accept", "no_accept")
    instance = ConfInstance(
        name=name,
        at=block.at(),
        state=state,
        interface=interface,
        vrid=last_taken(unsigned(line.argument, 1, 255) for line in block.each("virtual_router_id")),
        priority=priority,
        priority_at=priority_line.at(1) if priority_line else None,
        priority_literal=all(p.literal and unsigned(p.argument, 0, 10**9) is not None for p in block.each("priority")),
        version=version,
        nopreempt=nopreempt and not preempts_always,
        nopreempt_cleared=nopreempt and preempts_always,
        preempt_delay=None if no_delay else seconds(block.value("preempt_delay"), 0, 1000) or None,
        advert_interval=_interval(block, version),
        auth_type=auth_type,
        vips=tuple(vips[:max_vips]),
        excluded_vips=(*addresses.excluded, *vips[max_vips:]),
        unicast_source=addresses.source,
        unicast_peers=tuple(addresses.peers),
        tracks=tuple(_tracks(block, problems, defined)),
        auth_hmac=auth_hmac(block, problems),
        use_vmac=block.last("use_vmac", "use_ipvlan") is not None,
        auth_digest=_auth_digest(block),
        tracks_interface=block.last("dont_track_primary") is None,
        strict=strict,
        accept=accept == "accept" if accept else not strict or priority == OWNER,
    )
    _report(instance, block, problems)
    return instance


def _last_keyword(block: Statement, *keywords: str) -> str | None:
    line = block.last(*keywords)
    return line.keyword if line else None


def _without_twins(vips: list[VirtualAddress], interface: str | None) -> list[VirtualAddress]:
    """Of equal addresses on one interface the kernel has one; keepalived 2.3 drops the others itself."""
    first: dict[tuple[str, int, str | None], VirtualAddress] = {}
    for vip in vips:
        first.setdefault((vip.address, vip.prefixlen, vip.interface or interface), vip)
    return list(first.values())


def _is_six(instance: ConfInstance) -> bool:
    return bool(instance.vips) and is_six(instance.vips[0].address)


def _in_groups(found: dict[str, ConfInstance], groups: tuple[SyncGroup, ...]) -> tuple[ConfInstance, ...]:
    """Members of a sync group start as MASTER only if all of them do, with priority 255."""
    grouped: set[str] = set()
    for group in groups:
        members = [found[name] for name in group.members if name in found and name not in grouped]
        grouped |= {m.name for m in members}
        if not all(m.state == "MASTER" and m.priority == OWNER for m in members):
            found |= {m.name: replace(m, state="BACKUP") for m in members}
    return tuple(found.values())


def _state(block: Statement, problems: Problems) -> str | None:
    """MASTER stays: a BACKUP after it is ignored. Any other word is BACKUP."""
    state: str | None = None
    for line in block.each("state"):
        if line.argument not in {"MASTER", "BACKUP"} and not is_built_in(line.argument):
            problems.invalid(f"'{line.argument}' is not MASTER or BACKUP: keepalived uses BACKUP", line.at(1))
            state = "BACKUP"
        elif line.argument == "MASTER" or state is None:
            state = line.argument
    return state


def _interface(block: Statement, problems: Problems) -> str | None:
    interface: str | None = None
    for line in block.each("interface"):
        if line.argument is not None and len(line.argument) > MAX_INTERFACE_NAME and not is_built_in(line.argument):
            message = f"'{line.argument}' is longer than {MAX_INTERFACE_NAME} characters: keepalived ignores it"
            problems.invalid(message, line.at(1))
        else:
            interface = line.argument
    return interface


def _priority(line: Statement | None, state: str | None) -> int | None:
    """An invalid one is 100; None where only keepalived knows it."""
    if line is None:
        return OWNER if state == "MASTER" else DEFAULT_PRIORITY
    return None if is_built_in(line.argument) else unsigned(line.argument, 1, OWNER) or DEFAULT_PRIORITY


def _interval(block: Statement, version: int) -> float | None:
    """Rounded to what fits into an advert; 1 second by default. None where only keepalived knows it."""
    if is_built_in(block.value("advert_int")):
        return None
    interval = last_taken(seconds(line.argument, 0.01, 255) for line in block.each("advert_int")) or 1.0
    if version == 2:
        return min(_V2_MOST, max(1.0, float(int(interval + 0.5))))
    return min(_V3_MOST, max(0.01, int(interval * 100 + 0.5) / 100))


def _auth_type(block: Statement, problems: Problems) -> str | None:
    """Returns ``PASS`` or ``AH``; never reads the password."""
    chosen: str | None = None
    for line in block.entries("authentication"):
        if line.keyword == "auth_type":
            chosen = line.argument if line.argument in {"PASS", "AH"} else chosen
            if len(line.words) > 2:
                message = "keepalived reads only auth_type on this line: move auth_pass to its own line"
                problems.invalid(message, line.at(2))
    return chosen


def _auth_digest(block: Statement) -> str:
    """Returns what tells its password from another one in this process, and nobody else anything."""
    password = next((line.argument for line in block.entries("authentication") if line.keyword == "auth_pass"), None)
    if not password:
        return ""
    return hmac.digest(_KEY, password[:_MAX_PASSWORD].encode("utf-8", "surrogatepass"), "sha256").hex()


def _tracks(block: Statement, problems: Problems, defined: Container[tuple[str, str | None]]) -> Iterator[ConfTrack]:
    """Reads ``track_interface { eth0 weight -20 reverse }`` and the like.

    A line with another second word or without its number is ignored, and so is what is defined further down:
    keepalived reads once.
    """
    seen: set[tuple[str, str]] = set()
    for kind in _TRACKS:
        for line in block.entries("track_" + kind):
            name = line.keyword
            if len(line.words) > 1 and line.words[1] != "weight":
                message = f"keepalived reads one entry per line: it ignores this line because of '{line.words[1]}'"
                problems.invalid(message, line.at(1))
            elif len(line.words) == 2:
                problems.invalid(f"weight of {name} has no number: keepalived ignores this line", line.at(1))
            elif kind == "file" and line.words[3:4] not in ([], ["reverse"], ["noreverse"]):
                message = f"'{line.words[3]}' is not reverse or noreverse: keepalived ignores this line"
                problems.invalid(message, line.at(3))
            elif kind in _DEFINITIONS.values() and (kind, name) not in defined:
                message = f"track_{kind} {name}: no {kind} of that name is defined above: keepalived ignores this line"
                problems.invalid(message, line.at())
            elif line.words and (kind, name) not in seen:
                seen.add((kind, name))
                weight, reverse = (*line.words[2:4], None, None)[:2]
                yield ConfTrack(kind, name, integer(weight, -254, 254), _REVERSE.get(reverse))


def _report(instance: ConfInstance, block: Statement, problems: Problems) -> None:
    name = instance.name
    priority = block.last("priority")
    if priority is not None and not is_built_in(priority.argument) and unsigned(priority.argument, 1, OWNER) is None:
        problems.invalid(f"{name}: priority must be between 1 and 255; keepalived uses 100 instead", priority.at(1))
    vrid = block.last("virtual_router_id")
    if vrid is None:
        problems.invalid(f"{name}: virtual_router_id is missing: keepalived exits on it", instance.at)
    elif not is_built_in(vrid.argument) and unsigned(vrid.argument, 1, 255) is None:
        exits = ": keepalived exits on it" if instance.vrid is None else ""
        problems.invalid(f"{name}: virtual_router_id must be between 1 and 255{exits}", vrid.at(1))
    if not instance.vips and block.last("no_virtual_ipaddress") is None:
        fatal = instance.strict or instance.version == 3
        mode = "strict mode" if instance.strict else f"VRRP version {instance.version}"
        why = f"{mode} needs one: keepalived exits on it" if fatal else "the instance is useless"
        problems.invalid(f"{name}: no virtual_ipaddress: {why}", instance.at)
    if instance.interface is None and not is_built_in(block.value("interface")):
        version = " 2.2" if instance.unicast_peers and instance.unicast_source else ""
        problems.invalid(f"{name}: no interface: keepalived{version} exits on it", instance.at)


def _report_conflict(instance: ConfInstance, block: Statement, routers: dict[Router, str], problems: Problems) -> None:
    """Two multicast instances with one VRID on one interface (``check_vrid_conflicts``)."""
    if instance.unicast_peers or instance.vrid is None or instance.interface is None:
        return
    router = (instance.interface, _is_six(instance), instance.vrid, block.value("mcast_dst_ip"))
    other = routers.setdefault(router, instance.name)
    if other != instance.name:
        why = f"{other} has VRID {instance.vrid} on {instance.interface} already: keepalived exits on it"
        problems.invalid(f"{instance.name}: {why}", instance.at)


def sync_groups(root: Statement) -> tuple[SyncGroup, ...]:
    """Reads all ``vrrp_sync_group`` blocks; a line may have several members (``read_value_block``)."""
    return tuple(
        SyncGroup(
            block.argument,
            tuple(word for line in block.entries("group") for word in line.words),
            tracks_weights=block.last("sync_group_tracking_weight", "global_tracking") is not None,
        )
        for block in root.each("vrrp_sync_group")
        if block.argument is not None
    )


def _reverse(block: Statement) -> bool:
    line = block.last("weight")
    return line is not None and line.words[2:3] == ["reverse"]


def track_files(root: Statement) -> tuple[ConfTrackFile, ...]:
    """Reads all ``track_file`` (2.1) and ``vrrp_track_file`` (2.0) definitions."""
    return tuple(
        ConfTrackFile(
            block.argument, block.value("file"), integer(block.value("weight"), -254, 254), reverse=_reverse(block)
        )
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
            reverse=_reverse(block),
            rise=block.integer("rise") or 1,
            fall=block.integer("fall") or 1,
            user=block.value("user"),
            at=block.at(),
        )
    return tuple(found.values())
