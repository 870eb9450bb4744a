"""Parses keepalived.data and keepalived_check.data (vrrp_data.c, check_data.c); unknown lines are skipped.

A section starts with ``------< name >------``; an entry of it with one blank, its values with three, their lists
with five. Versions differ: ``Tracked files :`` was ``Tracked files = 1`` before 2.1, ``Interface`` was
``Listening device`` in 1.x, a track file was a ``VRRP Track file``; 1.x prints tracked NICs and scripts, headed and
unindented, in the middle of their instance.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

from kvtui.backend.keepalived.dumps.text import IncompleteDumpError, decimal, virtual_address, whole_number
from kvtui.model.ip import canonical
from kvtui.model.ipvs import endpoint
from kvtui.model.vrrp import (
    AddressFamily,
    AuthHmac,
    HmacMode,
    RealServerCheck,
    Tracked,
    TrackFile,
    VirtualAddress,
    VrrpInstance,
    VrrpState,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPOLOGY = "VRRP Topology"
SECTION = re.compile(r" *------< (.+) >------")
MAX_RANGE_ADDRESSES = 256  # of a virtual server group's range
AUTH_TYPES = {"SIMPLE_PASSWORD": "PASS", "IPSEC_AH": "AH", "none": None}
TRACKED = {
    "Tracked interfaces": "interface",
    "Tracked scripts": "script",
    "Tracked processes": "process",
    "Tracked process": "process",
    "Tracked BFDs": "bfd",
}
CHECKS = {"VRRP Scripts": "script", "VRRP Track processes": "process"}
CHECKER = re.compile(r"(.+) -> \[(.+)\]:\w+:(\d{1,5})\s*$")
GROUP = re.compile(r"Multicast address ([0-9a-f.:]+)")
SECRET = re.compile(r"\s*(password|auth_?(pass|data|key))", re.IGNORECASE)


class _Entry(Struct):
    """One entry of a section: ``name = value`` lines, and the lines below each name."""

    kind: str
    name: str
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        return whole_number(self.values.get(name, ""))


class _Virtual(NamedTuple):
    """A virtual server, named as ``VirtualServer.name`` has it; ``port`` for a member of a group only."""

    name: str
    port: int | None = None


_Failing = dict[tuple[str, str, int], list[str]]
"""Virtual server (empty for marks and groups), address and port → the checks that do not pass."""


def parse_vrrp_data(text: str) -> tuple[VrrpInstance, ...]:
    sections = _sections(text)
    instances = sections.get(TOPOLOGY, [])
    # the last line of an instance; 1.x ends with its addresses
    last = "Using smtp notification" if "Global definitions" in sections else "Virtual IP"
    if instances and last not in instances[-1].values:
        raise IncompleteDumpError("the last VRRP instance is cut off")
    files = {entry.name: entry for entry in sections.get("VRRP Track files", [])}
    checks = {(kind, entry.name): entry for section, kind in CHECKS.items() for entry in sections.get(section, [])}
    groups = {
        member.strip(): entry.name.rpartition(",")[0]
        for entry in sections.get("VRRP Sync groups", [])
        for member in entry.lists.get("VRRP member instances", [])
    }
    return tuple(_instance(entry, files, groups, checks) for entry in instances)


def parse_check_data(text: str) -> tuple[RealServerCheck, ...]:
    """Returns the real servers in keepalived_check.data; those of a group once for each of its members."""
    virtual: tuple[_Virtual, ...] = ()
    groups: dict[str, tuple[_Virtual, ...]] = {}
    checks: list[RealServerCheck] = []
    real: _Entry | None = None
    lines = _lines(text)
    failing = _failing(lines)
    for entry in _lvs_entries(lines):
        if entry.kind == "group":
            groups[entry.name] = tuple(v for line in entry.lists["members"] for v in _members(*_split(line)))
        elif entry.kind == "virtual":
            virtual = _virtual_servers(entry, groups)
        else:
            real = entry
            checks += [check for service in virtual if (check := _check(service, entry, failing)) is not None]
    if real is not None and "num failed checkers" not in real.values:
        raise IncompleteDumpError("the last real server is cut off")
    return tuple(checks)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if not text.endswith("\n") or not any(SECTION.match(line) for line in lines):
        raise IncompleteDumpError("the data dump is empty or ends within a line")
    return [line for line in lines if line.strip() and not SECRET.match(line)]


def _sections(text: str) -> dict[str, list[_Entry]]:
    sections: dict[str, list[_Entry]] = {}
    entries: list[_Entry] = []
    section = last = ""
    for line in _lines(text):
        if match := SECTION.match(line):
            if match[1] != "NIC":  # 1.x: within an instance
                section = match[1]
                entries = sections.setdefault(section, [])
            continue
        indent = len(line) - len(line.lstrip(" "))
        name, value = _split(line)
        if name == "VRRP Instance" if section == TOPOLOGY else indent <= 1:
            entries.append(_Entry(name, value))
        elif not entries:
            continue
        elif indent >= 5:
            entries[-1].lists.setdefault(last, []).append(line.strip())
        else:
            last = re.sub(r" \(\d+\)$", "", name)
            entries[-1].values[last] = value
    return sections


def _split(line: str) -> tuple[str, str]:
    name, equals, value = line.strip().partition(" = ")
    return (name, value.strip()) if equals else (name.rstrip(" :="), "")


def _instance(
    entry: _Entry, files: dict[str, _Entry], groups: dict[str, str], checks: dict[tuple[str, str], _Entry]
) -> VrrpInstance:
    values = entry.values
    state = _state(values.get("State", ""))
    vips = (*_addresses(entry, "Virtual IP"), *_addresses(entry, "Virtual IP Excluded", excluded=True))
    source = canonical(values.get("Using src_ip", "").partition(" ")[0])
    address = vips[0].address if vips else source
    family = AddressFamily.V6 if "Using Native IPv6" in values else AddressFamily.of(address) if address else None
    preempt = values.get("Preempt")
    interface, _, layer = (values.get("Interface") or values.get("Listening device") or "").partition(",")
    master, master_priority = _master(entry, state, family)
    auth = values.get("Authentication type", "none")
    return VrrpInstance(
        name=entry.name,
        state=state,
        interface=interface or None,
        vrid=entry.number("Virtual Router ID"),
        version=entry.number("VRRP Version"),
        family=family,
        wanted_state=_state(values["Wantstate"]) if "Wantstate" in values else None,
        base_priority=entry.number("Priority"),
        effective_priority=entry.number("Effective priority"),
        nopreempt=None if preempt is None else preempt == "disabled",
        preempt_delay=None if preempt is None else decimal(values.get("Preempt delay", "0")),
        advert_interval=_seconds(values.get("Advert interval", "")),
        master_advert_interval=_seconds(values.get("Master advert int", values.get("Master advert interval", ""))),
        master_address=master,
        master_priority=master_priority,
        last_transition=decimal(values.get("Last transition", "")),
        vips=vips,
        unicast_source=source,
        unicast_peers=tuple(p for line in entry.lists.get("Unicast Peer", []) if (p := canonical(line.split()[0]))),
        track_files=tuple(_track_file(line, files) for line in entry.lists.get("Tracked files", [])),
        auth_type=AUTH_TYPES.get(auth, auth or None),
        sync_group=values.get("Sync group") or groups.get(entry.name),
        auth_hmac=_auth_hmac(entry.lists.get("Authentication extension", [])),
        tracked=tuple(
            _tracked(kind, line, checks) for title, kind in TRACKED.items() for line in entry.lists.get(title, [])
        ),
        strict="Enforcing strict VRRP compliance" in values,
        accept=values["Accept"] == "enabled" if "Accept" in values else None,
        vmac=interface if " on " in layer else "",
        group=next((canonical(m[1]) for name in values if (m := GROUP.match(name))), None),
    )


def _addresses(entry: _Entry, title: str, *, excluded: bool = False) -> Iterator[VirtualAddress]:
    found = (virtual_address(line, excluded=excluded) for line in entry.lists.get(title, []))
    return (vip for vip in found if vip is not None)


def _tracked(kind: str, line: str, checks: dict[tuple[str, str], _Entry]) -> Tracked:
    """Parses ``chk weight -20 reverse``; result and command come from the section of scripts."""
    name, _, rest = re.sub("[,:]? weight ", "\0", line, count=1).partition("\0")
    values = found.values if (found := checks.get((kind, name))) else {}
    status = values.get("Status", values.get("Have quorum", ""))
    good = {"GOOD": True, "true": True, "BAD": False, "false": False}.get(status)
    return Tracked(
        kind=kind,
        name=name,
        weight=whole_number(rest) or 0,
        reverse="reverse" in rest,
        good=None if values.get("Init state", "").startswith("INIT") and good is False else good,
        detail=_facts(values, {"Command": "", "Script uid:gid": "uid:gid ", "Timeout": "timeout "}),
    )


def _facts(values: dict[str, str], labels: dict[str, str]) -> str:
    return ", ".join(f"{label}{values[name]}" for name, label in labels.items() if values.get(name))


def _state(text: str) -> VrrpState:
    return VrrpState(text) if text in VrrpState.__members__ else VrrpState.UNKNOWN


def _auth_hmac(lines: list[str]) -> AuthHmac | None:
    """Parses ``Keys = 3, active key id = 1``, ``Mode = permissive``, ``Anti replay = time, window = 5 sec``."""
    text = "\n".join(lines)
    mode = re.search(r"(?m)^Mode = (receive-only|permissive|enforce)$", text)
    active = re.search(r"(?m)active key id = (\d{1,3})$", text)
    window = re.search(r"(?m)window = (\d{1,3}) sec$", text)
    if mode is None or active is None:
        return None
    return AuthHmac(HmacMode(mode[1]), int(active[1]), None, int(window[1]) if window else None)


def _master(entry: _Entry, state: VrrpState, family: AddressFamily | None) -> tuple[str | None, int | None]:
    """Returns address and priority of the master, which keepalived knows in BACKUP only.

    Before the first advert keepalived prints a random address (seen: ``ff02::12`` for an IPv4 instance) with priority
    0; after the master stepped down the priority is 0 too. Both mean that no master is known.
    """
    priority = entry.number("Master priority") if state is VrrpState.BACKUP else None
    address = canonical(entry.values.get("Master router", ""))
    if not priority or address is None or (family is not None and AddressFamily.of(address) is not family):
        return None, priority or None
    return address, priority


def _seconds(text: str) -> float | None:
    number = decimal(text)
    return number / 1000 if number is not None and "milli" in text else number


def _track_file(line: str, files: dict[str, _Entry]) -> TrackFile:
    """Parses ``tf, weight 1``; path and value come from the section of track files."""
    name, _, rest = line.rpartition(", weight ")
    entry = files.get(name or line, _Entry("", ""))
    return TrackFile(name or line, entry.values.get("File"), entry.number("Status"), whole_number(rest))


def _lvs_entries(lines: list[str]) -> list[_Entry]:
    entries: list[_Entry] = []
    for line in lines:
        if match := SECTION.match(line):
            if match[1] == "Health checkers":
                break
            continue
        name, value = _split(line)
        if name in {"VS VIP", "VS FWMARK", "VS GROUP"}:
            entries.append(_Entry("virtual", name, {name: value}))
        elif name == "Virtual Server Group":
            entries.append(_Entry("group", value.partition(",")[0], lists={"members": []}))
        elif name == "RIP":
            entries.append(_Entry("real", value, {"RIP": value}))
        elif entries and entries[-1].kind == "group":
            entries[-1].lists["members"].append(line)
        elif entries:
            entries[-1].values.setdefault(name, value)
    return entries


def _members(name: str, value: str) -> list[_Virtual]:
    if name == "FWMARK":
        mark = whole_number(value)
        return [] if mark is None else [_Virtual(f"fwmark {mark}", 0)]
    port = _port(value)
    if port is None or name not in {"VIP", "VIP Range"}:
        return []
    first, _, last = value.partition(",")[0].partition("-")
    address, end = canonical(first), canonical(last)
    if address is None:
        return []
    start = ip_address(address)
    count = 1 if end is None or (":" in end) != (":" in address) else int(ip_address(end)) - int(start) + 1
    addresses = [start + step for step in range(min(max(count, 1), MAX_RANGE_ADDRESSES))]
    return [_Virtual(endpoint(str(one), port), port) for one in addresses]


def _virtual_servers(entry: _Entry, groups: dict[str, tuple[_Virtual, ...]]) -> tuple[_Virtual, ...]:
    value = entry.values[entry.name]
    six = " IPv6" if entry.values.get("Address family") == "inet6" else ""
    if entry.name == "VS FWMARK":
        return (_Virtual(f"fwmark {value.partition(',')[0]}{six}"),)
    if entry.name == "VS GROUP":
        name = re.sub(r"^\[(.*)\]:\d+$", r"\1", value)
        return groups.get(name) or (_Virtual(f"group {name}"),)
    address, port = canonical(value.partition(",")[0]), _port(value)
    return (_Virtual(endpoint(address, port)),) if address is not None and port is not None else ()


def _port(text: str) -> int | None:
    """Parses ``10.0.0.1, VPORT = 80`` and ``10.0.0.1, RPORT = 80, WEIGHT = 1``."""
    match = re.search(r"[VR]PORT = (\d{1,5})\b", text)
    return int(match[1]) if match else None


def _failing(lines: list[str]) -> _Failing:
    checkers: list[tuple[re.Match[str], dict[str, str]]] = []
    for line in lines:
        if " -> [" in line and (match := CHECKER.match(line)):
            checkers.append((match, {}))
        elif checkers:
            name, value = _split(line)
            checkers[-1][1].setdefault(name, value)
    failing: _Failing = {}
    for match, values in checkers:
        if values.get("Up") == "no" and values.get("Has run") != "no":
            key = (_checked(match[1]), canonical(match[2]) or "", int(match[3]))
            facts = _facts(values, {"script": "", "uid:gid": "uid:gid ", "Last status": "last status "})
            failing.setdefault(key, []).append(f"{values.get('Keepalive method', 'a check')} {facts}".strip())
    return failing


def _checked(text: str) -> str:
    match = re.match(r"\s*\[(.+)\]:\w+:(\d{1,5})$", text)
    address = canonical(match[1]) if match else None
    return endpoint(address, int(match[2])) if match and address else ""


def _check(service: _Virtual, entry: _Entry, failing: _Failing) -> RealServerCheck | None:
    address, port = canonical(entry.name.partition(",")[0]), _port(entry.name)
    if address is None or port is None:
        return None
    found = failing.get((service.name, address, port)) or failing.get(("", address, port), [])
    if service.port is not None and entry.values.get("forwarding method", "").startswith(("DR", "TUN")):
        port = service.port  # neither method can change the port: measured, RPORT says 80, the kernel has 81
    alive = entry.number("alive")
    return RealServerCheck(
        virtual_server=service.name,
        address=address,
        port=port,
        configured_weight=entry.number("initial weight"),
        effective_weight=entry.number("effective weight"),
        alive=None if alive is None else bool(alive),
        failed_checkers=entry.number("num failed checkers"),
        failing=tuple(found),
    )
