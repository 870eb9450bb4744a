"""The grammar of keepalived-vip's ConfigMap: key = VIP, value = ``namespace/service[:METHOD]``.

The controller matches the value with the Go pattern ``(.*)/(.*):(.*)|(.*)/(.*)``, unanchored and untrimmed, and the
method with ``NAT|DR|PROXY``, unanchored (``parseNsSvcLVS`` in aledbf/kube-keepalived-vip ``pkg/controller/utils.go``;
contrib: ``NAT|DR``; its 0.9: ``NAT``). This module searches for the separators instead: a value may be a megabyte, and
a backtracking pattern would take minutes.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.mapping import Dialect, Mapping, MappingState
from kvtui.rules.phrases import in_quotes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import ConfigMap

METHODS: dict[Dialect, tuple[str, ...]] = {
    Dialect.V09: ("NAT",),
    Dialect.CONTRIB: ("NAT", "DR"),
    Dialect.ALEDBF: ("NAT", "DR", "PROXY"),
}
DEFAULT_METHOD = "NAT"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS-1123 label: a valid name of a namespace or Service."""
_SPECIAL = re.compile(r"""[{}"'#!~$@\\\x00-\x08\x0b-\x1f\x7f]""")
"""Characters with a meaning for keepalived's parser, and control characters."""


class ServiceTarget(Struct, frozen=True):
    """The parts of a value as the controller splits it; not validated."""

    namespace: str
    service: str
    method: str


def split(value: str) -> ServiceTarget | None:
    """Returns the parts of the value as the controller's pattern matches them; None if it does not match.

    Leftmost, first alternative, greedy: the first line with a slash; in it the last colon after a slash, and the last
    slash before that colon; without such a colon the last slash.
    """
    slash = value.find("/")
    if slash < 0:
        return None
    start = value.rfind("\n", 0, slash) + 1
    end = value.find("\n", slash)
    end = len(value) if end < 0 else end
    colon = value.rfind(":", slash, end)
    if colon < 0:
        slash = value.rfind("/", slash, end)
        return ServiceTarget(value[start:slash], value[slash + 1 : end], DEFAULT_METHOD)
    slash = value.rfind("/", slash, colon)
    return ServiceTarget(value[start:slash], value[slash + 1 : colon], value[colon + 1 : end] or DEFAULT_METHOD)


def parse(vip: str, value: str, dialect: Dialect = Dialect.ALEDBF, *, proxy_mode: bool | None = None) -> Mapping:
    """Returns one entry as the controller reads it, with unexpected effects as notes."""
    notes = list(_key_notes(vip))
    if value == "" and dialect is Dialect.V09:
        return _skipped(vip, "", "the value is empty: 0.9 skips it (newer controllers bind only the VIP)", notes)
    if value == "":
        return Mapping(vip, "", None, None, None, MappingState.VIP_ONLY, notes=tuple(notes))
    target = split(value)
    if target is None:
        return _skipped(vip, value, f"{in_quotes(value)} has no slash: expected namespace/service", notes)
    methods = METHODS[dialect]
    if not any(m in target.method for m in methods):
        return _skipped(vip, value, _bad_method(target.method, dialect), notes)
    if error := _invalid_name(target):
        return _skipped(vip, value, error, notes)
    lines = value.count("\n") + (not value.endswith("\n"))  # a block scalar ends with a line break
    if lines > 1:
        notes.append(f"the value has {lines} lines: the controller uses only the first one with a slash")
    notes += _method_notes(target.method, methods, proxy_mode)
    return Mapping(vip, value, target.namespace, target.service, target.method, MappingState.OK, notes=tuple(notes))


def parse_all(
    configmap: ConfigMap, dialect: Dialect = Dialect.ALEDBF, *, proxy_mode: bool | None = None
) -> tuple[Mapping, ...]:
    """Returns all entries in the order in which the controller writes them; skipped entries come last.

    The controller sorts its virtual servers by the name in their comment (empty for a VIP without a Service), VIP and
    port; the order in the ConfigMap does not matter.
    """
    entries = [parse(vip, value, dialect, proxy_mode=proxy_mode) for vip, value in configmap.data.items()]
    return tuple(sorted(entries, key=lambda m: (m.state is MappingState.ERROR, order(m, dialect))))


def comment_name(namespace: str, service: str, dialect: Dialect) -> str:
    return f"{namespace}{'-' if dialect is Dialect.ALEDBF else '/'}{service}"


def order(mapping: Mapping, dialect: Dialect) -> tuple[str, str]:
    target = mapping.target
    return ("" if target is None else comment_name(*target, dialect), mapping.vip)


def canonical_vip(vip: str) -> str:
    try:
        return str(IPv4Address(vip))
    except AddressValueError:
        return ""


def keepalived_method(method: str) -> str:
    """Returns the method that keepalived uses for ``lvs_method METHOD``: its first word, NAT if unknown."""
    words = re.split(r"[#!]", method, maxsplit=1)[0].split(maxsplit=1)
    return words[0] if words and words[0] in {"NAT", "DR", "TUN"} else DEFAULT_METHOD


def _skipped(vip: str, value: str, error: str, notes: list[str]) -> Mapping:
    return Mapping(vip, value, None, None, None, MappingState.ERROR, error=error, notes=tuple(notes))


def _bad_method(method: str, dialect: Dialect) -> str:
    methods = METHODS[dialect]
    known = methods[0] if len(methods) == 1 else f"{', '.join(methods[:-1])} and {methods[-1]}"
    text = f"unknown method {in_quotes(method)}: {dialect.value} accepts {known}, in capitals"
    word = method.strip().upper()
    if word in methods:
        return f"{text}; write {word}"
    if method.strip().isdecimal():
        return f"{text}; a port is not possible: the VIP gets every port of the Service"
    if word in METHODS[Dialect.ALEDBF]:
        newer = Dialect.CONTRIB if word in METHODS[Dialect.CONTRIB] else Dialect.ALEDBF
        return f"{text}; {newer.value} and newer support {word}"
    return text


def _invalid_name(target: ServiceTarget) -> str | None:
    for what, name in (("namespace", target.namespace), ("Service", target.service)):
        if _NAME.fullmatch(name):
            continue
        text = f"invalid name of a {what} {in_quotes(name)}"
        if not name:
            why = f"the name of the {what} is empty"
        elif name != name.strip():
            why = f"{text}: spaces are part of the name"
        elif "/" in name:
            why = f"{text}: the last slash separates namespace and Service"
        elif ":" in name:
            why = f"{text}: the last colon separates Service and method"
        elif len(name) > 63:
            why = f"{text}: {len(name)} characters, the maximum is 63"
        else:
            why = f"{text}: only a-z, 0-9 and - are allowed"
        return f"{why}; the controller does not find the Service and skips the entry"
    return None


def _method_notes(method: str, methods: tuple[str, ...], proxy_mode: bool | None) -> Iterator[str]:
    if method not in methods:
        yield (
            f"the controller accepts method {in_quotes(method)} because it contains {' or '.join(methods)}; it writes "
            f"it unchanged, and keepalived uses {keepalived_method(method)}"
        )
        if _SPECIAL.search(method):
            yield "it contains special characters of keepalived's parser: the whole config may become invalid"
    elif method == "PROXY" and not proxy_mode:
        effect = "the controller writes `lvs_method PROXY`, and keepalived uses NAT"
        if proxy_mode is None:
            yield f"PROXY needs the controller's --proxy-protocol-mode; without it {effect}"
        else:
            yield f"PROXY needs --proxy-protocol-mode, which this controller does not have: {effect}"


def _key_notes(vip: str) -> Iterator[str]:
    """Keepalived 2.2.7 logs "invalid IP. skipping IP" and continues with the other addresses (measured)."""
    try:
        address = IPv4Address(vip)
    except AddressValueError:
        note = (
            f"the key {in_quotes(vip)} is not an IPv4 address: the controller writes it, and keepalived skips it and "
            "its virtual servers"
        )
        if "@" in vip or "-" in vip:
            note += " (only a fork supports INDEX-IP@INTERFACE)"
        yield note
        return
    if address.is_loopback or address.is_multicast or address.is_unspecified or int(address) == 0xFFFFFFFF:
        yield f"{vip} cannot be a VIP: it is a loopback, multicast, broadcast or unspecified address"
