"""The meaning of a config in plain values, from kvtui's reading and from keepalived's dump (SIGUSR1)."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from kvtui.model.ipvs import LVS_METHODS, ForwardingMethod
from kvtui.rules.vrrp.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from kvtui.model.conf import Conf, ConfInstance, ConfRealServer, ConfTrack, ConfVirtualServer
    from kvtui.model.vrrp import VirtualAddress

Meaning = dict[str, Any]
METHOD_NAMES = {method: name for name, method in LVS_METHODS.items()}
TRACKED = {"interfaces": "interface", "scripts": "script", "files": "file"}
NO_CHECKER = {"FILE_CHECK"}
"""keepalived dumps FILE_CHECK as a track file."""


def of_conf(conf: Conf, disabled: Collection[str] = ()) -> Meaning:
    """Returns the meaning that kvtui read. keepalived does not track scripts missing on this machine (``disabled``)."""
    servers: Meaning = {}
    for server in conf.virtual_servers:
        _add(servers, _name(server), _server(server))
    tracked = {
        name: tuple(t for t in settings.tracks if t.kind != "script" or t.name not in disabled)
        for name, settings in settings_of(conf).items()
    }
    return {"instances": {i.name: _instance(i, tracked[i.name]) for i in conf.instances}, "servers": servers}


def _instance(instance: ConfInstance, tracks: tuple[ConfTrack, ...]) -> Meaning:
    def plain(vips: tuple[VirtualAddress, ...]) -> list[str]:
        return _first_of_each([f"{v.address}/{v.prefixlen} dev {v.interface or instance.interface}" for v in vips])

    return {
        "version": instance.version,
        "state": instance.state,
        "interface": instance.interface,
        "vrid": instance.vrid,
        "priority": instance.priority,
        "preempt": not instance.nopreempt,
        "preempt_delay": instance.preempt_delay,
        "advert_int": instance.advert_interval,
        "auth": instance.auth_type,
        "vips": plain(instance.vips),
        "excluded": plain(instance.excluded_vips),
        "peers": list(instance.unicast_peers),
        "tracks": sorted(
            f"{t.kind} {t.name} {t.weight}{' reverse' * bool(t.reverse)}"
            for t in tracks
            # keepalived: "Ignoring track_interface eth0 since own interface"; it always tracks its own interface
            if t.kind in TRACKED.values() and (t.kind, t.name) != ("interface", instance.interface)
        ),
    }


def _first_of_each(vips: list[str]) -> list[str]:
    """Drops repeated addresses, as keepalived 2.3 does; earlier versions keep and dump them."""
    first: dict[str, str] = {}
    for vip in vips:
        first.setdefault(vip.partition("/")[0], vip)
    return list(first.values())


def _name(server: ConfVirtualServer) -> str:
    if server.fwmark is not None:
        return f"fwmark {server.fwmark}"
    return f"{server.protocol.value} {server.address} {server.port or 0}"


def _server(server: ConfVirtualServer) -> Meaning:
    sorry = [r for r in server.real_servers if r.sorry]
    return {
        "scheduler": server.scheduler,
        "persistence": server.persistence_timeout,
        "quorum": 1 if server.quorum is None else server.quorum,
        "hysteresis": server.hysteresis,
        "sorry": [_real(r, server) for r in sorry],
        "reals": [_real(r, server) for r in server.real_servers if not r.sorry],
    }


def _real(real: ConfRealServer, server: ConfVirtualServer) -> Meaning:
    values = {
        "address": real.address,
        "port": real.port or 0,
        "method": METHOD_NAMES[real.method or server.method or ForwardingMethod.MASQ],
        "inhibit": real.inhibit_on_failure,
    }
    if real.sorry:
        return values
    limits = {"upper": real.upper_threshold or 0, "lower": real.lower_threshold or 0}
    return {
        **values,
        "weight": None if real.weight_unknown else real.initial_weight,
        **limits,
        "checks": sorted(set(real.checks) - NO_CHECKER),
    }


def _add(servers: Meaning, name: str, server: Meaning) -> None:
    """Adds a server; a second one with the same name gets another name."""
    while name in servers:
        name += " again"
    servers[name] = server


# --- keepalived's JSON dump


def of_json(text: str, dumped: Meaning) -> Meaning:
    """Returns the meaning in keepalived.json; the interface of the text dump replaces the name of a VMAC."""
    document = json.loads(text)
    entries = document["vrrp"] if isinstance(document, dict) else document  # json_version 2
    instances = {e["data"]["iname"]: e["data"] for e in entries}
    return {name: _json_instance(data, dumped["instances"][name]["interface"]) for name, data in instances.items()}


def _json_instance(data: dict[str, Any], interface: str | None) -> Meaning:
    def vips(key: str) -> list[str]:
        found = (_VIP.match(f"     {text} ") for text in data.get(key, ()))
        own = data["vmac_ifname"]
        named = [_dumped_vip(m) for m in found if m]
        return _first_of_each([v.replace(f" dev {own}", f" dev {interface}") if own else v for v in named])

    states = ("INIT", "BACKUP", "MASTER", "FAULT")
    return {
        "version": data["version"],
        "state": _start(states[data["state"]], states[data["wantstate"]]),
        "vrid": data["vrid"],
        "priority": data["base_priority"],
        "preempt": not data["nopreempt"],
        "preempt_delay": data["preempt_delay"] or None,
        "advert_int": data["adver_int"],
        "auth": {1: "PASS", 2: "AH"}.get(data["auth_type"]),
        "vips": vips("vips"),
        "excluded": vips("evips"),
    }


# --- keepalived's text dumps

_HEADER = re.compile(r"^ ?(?:------<|VRRP Instance = )")
_VIP = re.compile(r"^     (\S+?)(?:/(\d+))?(?: brd \S+)? dev (\S+) ")


def of_dump(vrrp: str, checker: str) -> Meaning:
    """Returns the meaning in keepalived.data and keepalived_check.data."""
    return {"instances": dict(_dumped_instances(vrrp)), "servers": _dumped_servers(checker)}


def _dumped_instances(text: str) -> Iterator[tuple[str, Meaning]]:
    topology = text.partition("------< VRRP Topology >------")[2]
    for part in re.split(r"(?m)^ VRRP Instance = ", topology)[1:]:
        body = re.split(r"(?m)^-", part)[0]
        name = body.partition("\n")[0]
        yield name, _dumped_instance(body)


def _dumped_instance(body: str) -> Meaning:
    def value(key: str, default: str = "") -> str:
        match = re.search(rf"^   {key} = (.*)$", body, re.MULTILINE)
        return match[1] if match else default

    vmac = re.search(r"^   Use (?:VMAC|IPVLAN), i/f (?:name )?(\S+), ", body, re.MULTILINE)
    interface = _base(value("Configured interface") or re.sub(r"(\S+), \w+ on (\S+).*", r"\1@\2", value("Interface")))
    if vmac:  # 2.1.5 dumps only the VMAC or IPVLAN
        body = body.replace(f" dev {vmac[1]} ", f" dev {interface} ")
    number, unit = value("Advert interval").split()
    delay = value("Preempt delay")
    return {
        "version": int(value("VRRP Version")),
        "state": _start(value("State"), value("Wantstate")),
        "interface": None if interface == "not configured" else interface,
        "vrid": int(value("Virtual Router ID")),
        "priority": int(value("Priority")),
        "preempt": value("Preempt") == "enabled",
        "preempt_delay": float(delay.split()[0]) if delay else None,
        "advert_int": float(number) / (1 if unit == "sec" else 1000),
        "auth": {"SIMPLE_PASSWORD": "PASS", "IPSEC_AH": "AH"}.get(value("Authentication type")),
        "vips": _dumped_vips(body, r"   Virtual IP (?:\(\d+\))? ?:"),
        "excluded": _dumped_vips(body, r"   Virtual IP Excluded :"),
        "peers": list(dict.fromkeys(line.split()[0] for line in _section(body, r"   Unicast Peer :"))),
        "tracks": sorted(
            f"{kind} {re.sub(r',? weight', '', line.strip())}"
            for title, kind in TRACKED.items()
            for line in _section(body, f"   Tracked {title} :")
        ),
    }


def _start(state: str, wanted: str) -> str | None:
    """Returns the initial state; None once the instance is MASTER or in FAULT, as the dump then has that state."""
    return None if wanted == "FAULT" or state == wanted == "MASTER" else wanted


def _dumped_vips(body: str, title: str) -> list[str]:
    found = (_VIP.match(line) for line in _section(body, title))
    return _first_of_each([_dumped_vip(match) for match in found if match])


def _dumped_vip(match: re.Match[str]) -> str:
    address = ip_address(match[1])
    return f"{address}/{match[2] or address.max_prefixlen} dev {_base(match[3])}"


def _base(device: str) -> str:
    """Returns the base interface of a VMAC."""
    return device.rpartition("@")[2]


def _section(body: str, title: str) -> list[str]:
    match = re.search(rf"^{title}\n((?:     .*\n)*)", body, re.MULTILINE)
    return match[1].splitlines() if match else []


def _dumped_servers(text: str) -> Meaning:
    groups = _dumped_groups(text)
    checks = _dumped_checks(text)
    servers: Meaning = {}
    for part in re.split(r"(?m)^ ------< Virtual server >------\n", text)[1:]:
        head, *reals = re.split(r"(?m)^   ------< Real server >------\n", re.split(r"(?m)^------<", part)[0])
        match = re.search(r"^   protocol = (\w+)$", head, re.MULTILINE)
        protocol = match[1] if match else "?"
        where, members = _dumped_members(head, protocol, groups)
        for kind, port in members:
            mark = kind.startswith("fwmark")
            fixed = port if "VS GROUP" in head and not mark else None
            name = kind if mark else f"{protocol} {ip_address(kind)} {port}"
            _add(servers, name, _dumped_server(head, reals, checks, where, fixed))
    return servers


def _dumped_members(
    head: str, protocol: str, groups: dict[str, list[tuple[str, int]]]
) -> tuple[str, list[tuple[str, int]]]:
    """Returns keepalived's name of the virtual server in its checks, and its members: addresses or fwmarks."""
    if group := re.search(r"^ VS GROUP = (\[(.*)\]:\d+)$", head, re.MULTILINE):
        return group[1], groups[group[2]]
    if mark := re.search(r"^ VS FWMARK = (\d+)$", head, re.MULTILINE):
        return f"FWM {mark[1]}", [(f"fwmark {mark[1]}", 0)]
    vip = re.search(r"^ VS VIP = (\S+), VPORT = (\d+)$", head, re.MULTILINE)
    assert vip is not None
    return f"[{vip[1]}]:{protocol.lower()}:{vip[2]}", [(vip[1], int(vip[2]))]


def _dumped_server(
    head: str, reals: list[str], checks: dict[tuple[str, str], list[str]], where: str, port: int | None
) -> Meaning:
    timeout = re.search(r"persistence timeout = (\d+)", head)
    quorum = re.search(r"quorum = (\d+), hysteresis = (\d+)", head)
    scheduler = re.search(r"lvs_sched = (\S*)", head)
    sorry = re.search(r"sorry server (?:\(duplicates rs\) )?= \[(\S+)\]:(?:\w+:)?(\d+)\n(.*\n)(.*)", head)
    return {
        "scheduler": scheduler[1] if scheduler else None,
        "persistence": int(timeout[1]) if timeout else None,
        "quorum": int(quorum[1]) if quorum else None,
        # Without a quorum keepalived dumps quorum - 1 as an unsigned number; it never uses it.
        "hysteresis": int(quorum[2]) if quorum and int(quorum[2]) < 1 << 31 else 0 if quorum else None,
        "sorry": [_dumped_sorry(sorry)] if sorry else [],
        "reals": [_dumped_real(real, checks, where, port) for real in reals],
    }


def _dumped_sorry(match: re.Match[str]) -> Meaning:
    return {
        "address": str(ip_address(match[1])),
        "port": int(match[2]),
        "method": _dumped_method(match[3]),
        "inhibit": "is ON" in match[4],
    }


def _dumped_real(body: str, checks: dict[tuple[str, str], list[str]], where: str, port: int | None) -> Meaning:
    address = re.search(r"RIP = (\S+), RPORT = (\d+),", body)
    limits = re.search(r"connection limit range = (\d+) -> (\d+)", body)
    weight = re.search(r"initial weight = (-?\d+)", body)
    assert address is not None
    assert limits is not None
    assert weight is not None
    method = _dumped_method(body)
    fixed = port and method != "NAT"
    own = next(
        (kinds for (vs, rs), kinds in checks.items() if vs == where and rs == f"[{address[1]}]:{address[2]}"), []
    )
    return {
        "address": str(ip_address(address[1])),
        "port": port if fixed else int(address[2]),
        "method": method,
        "inhibit": "Inhibit on failure is ON" in body,
        "weight": int(weight[1]),
        "upper": int(limits[2]),
        "lower": int(limits[1]),
        "checks": sorted(set(own) - NO_CHECKER),
    }


def _dumped_method(text: str) -> str:
    match = re.search(r"forwarding method = (\w+)", text)
    return match[1] if match else "?"


def _dumped_groups(text: str) -> dict[str, list[tuple[str, int]]]:
    """Returns group name → its members, each with a port."""
    found: dict[str, list[tuple[str, int]]] = {}
    for part in re.split(r"(?m)^ Virtual Server Group = ", text)[1:]:
        body = re.split(r"(?m)^ ?------<", part)[0]
        members: list[tuple[str, int]] = []
        marks: list[tuple[str, int]] = []
        for line in body.splitlines()[1:]:
            if match := re.match(r"   FWMARK = (\d+)", line):
                marks.append((f"fwmark {match[1]}", 0))
            elif match := re.match(r"   VIP(?: Range)? = ([^-,]+)(?:-([^,]+))?, VPORT = (\d+)", line):
                members += [(a, int(match[3])) for a in _dumped_range(match[1], match[2])]
        found[re.split(r", IPv4 = |\n", body)[0]] = members + marks
    return found


def _dumped_range(first: str, last: str | None) -> Iterator[str]:
    start = ip_address(first)
    if last is None:
        yield first
        return
    if "." in last or ":" in last:
        end = int(ip_address(last))
    else:  # 2.1.5 dumps only the last part
        bits, base = (8, 10) if start.version == 4 else (16, 16)
        end = (int(start) >> bits << bits) + int(last, base)
    yield from (str(start + n) for n in range(end - int(start) + 1))


def _dumped_checks(text: str) -> dict[tuple[str, str], list[str]]:
    """Returns (virtual server, real server) → kinds of checks, with keepalived's names without the protocol."""
    found: dict[tuple[str, str], list[str]] = {}
    key: tuple[str, str] | None = None
    for line in text.partition("Health checkers >------")[2].splitlines():
        if match := re.match(r" (\S.*) -> (\[\S+\]):(?:\w+:)?(\d+)$", line):
            key = (match[1], f"{match[2]}:{match[3]}")
        elif re.match(r" \S.* -> ", line):  # 2.2.7 also dumps checks of freed real servers
            key = None
        elif (match := re.match(r"   Keepalive method = (\w+)", line)) and key is not None:
            found.setdefault(key, []).append(match[1])
    return found


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Yields a line for each difference."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*theirs, *ours]):
            yield from differences(ours.get(key), theirs.get(key), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{path}/{number}")
    elif ours != theirs and not (path.endswith("/state") and theirs is None):
        yield f"{path}: kvtui {ours!r}, keepalived {theirs!r}"
