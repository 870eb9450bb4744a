"""The grammar of keepalived-vip's ConfigMap: key = VIP, value = ``namespace/service[:METHOD]``.

The controller matches the value with the Go pattern ``(.*)/(.*):(.*)|(.*)/(.*)``, unanchored and untrimmed, and the
method with ``NAT|DR|PROXY``, unanchored (``parseNsSvcLVS`` in aledbf/kube-keepalived-vip ``pkg/controller/utils.go``;
contrib: ``NAT|DR``; its 0.9: ``NAT``). Here the same is found by searching for separators: a ConfigMap's value may be
a megabyte, and a pattern that goes back and forth over it would take minutes.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.mapping import Dialect, Mapping, MappingState
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.model.kube import ConfigMap

METHODS: dict[Dialect, tuple[str, ...]] = {
    Dialect.V09: ("NAT",),
    Dialect.CONTRIB: ("NAT", "DR"),
    Dialect.ALEDBF: ("NAT", "DR", "PROXY"),
}
DEFAULT_METHOD = "NAT"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS-1123 label: what the API allows as a namespace's or a Service's name."""
_SPECIAL = re.compile(r"""[{}"'#!~$@\\\x00-\x08\x0b-\x1f\x7f]""")
"""Characters that mean something to keepalived's parser, or nothing good."""
_QUOTED = 60
"""Characters of a foreign text that a sentence repeats."""


class Target(Struct, frozen=True):
    """What the controller's patterns make of a value; nothing is checked against Kubernetes' rules."""

    namespace: str
    service: str
    method: str


def quoted(text: str) -> str:
    """A text from outside, harmless and short, in quotation marks for a sentence."""
    return f"«{plain(text, _QUOTED)}»"


def split(value: str) -> Target | None:
    """The value's parts as the controller's pattern takes them; None when it does not match.

    Leftmost, first alternative, greedy: the first line that holds a slash; in it the last colon that has a slash
    before it, and the last slash before that colon; without such a colon the last slash.
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
        return Target(value[start:slash], value[slash + 1 : end], DEFAULT_METHOD)
    slash = value.rfind("/", slash, colon)
    return Target(value[start:slash], value[slash + 1 : colon], value[colon + 1 : end] or DEFAULT_METHOD)


def parse(vip: str, value: str, dialect: Dialect = Dialect.ALEDBF, *, proxy_mode: bool | None = None) -> Mapping:
    """One entry, as the controller reads it, and in plain sentences where that surprises.

    Args:
        vip: the key.
        value: as it is written.
        dialect: whose grammar.
        proxy_mode: whether the controller has ``--proxy-protocol-mode``; None when that is not known.
    """
    notes = _key_notes(vip)
    if value == "":
        return _empty(vip, dialect, notes)
    target = split(value)
    if target is None:
        return _skipped(vip, value, f"{quoted(value)} has no slash: namespace/service is wanted", notes)
    methods = METHODS[dialect]
    if not any(m in target.method for m in methods):
        return _skipped(vip, value, _bad_method(target.method, dialect), notes)
    if trouble := _impossible(target):
        return _skipped(vip, value, trouble, notes)
    notes += _line_notes(value)
    notes += _method_notes(target.method, methods, proxy_mode)
    return Mapping(vip, value, target.namespace, target.service, target.method, MappingState.OK, notes=tuple(notes))


def parse_all(
    configmap: ConfigMap, dialect: Dialect = Dialect.ALEDBF, *, proxy_mode: bool | None = None
) -> tuple[Mapping, ...]:
    """All entries, in the order in which the controller writes them.

    It walks through the map in Go's random order, then sorts its virtual servers by the name in their comment (none
    for a VIP only), VIP and port: so the ConfigMap's own order does not count. Entries that it skips come last.
    """
    entries = [parse(vip, value, dialect, proxy_mode=proxy_mode) for vip, value in configmap.data.items()]
    return tuple(sorted(entries, key=lambda m: (m.state is MappingState.ERROR, order(m, dialect))))


def comment_name(namespace: str, service: str, dialect: Dialect) -> str:
    """How the controller names a Service in the comment before its virtual server."""
    return f"{namespace}{'-' if dialect is Dialect.ALEDBF else '/'}{service}"


def order(mapping: Mapping, dialect: Dialect) -> tuple[str, str]:
    """What the controller sorts its virtual servers by, before their ports."""
    target = mapping.target
    return ("" if target is None else comment_name(*target, dialect), mapping.vip)


def canonical_vip(vip: str) -> str:
    """The key as keepalived understands it; empty when it is no IPv4 address, which keepalived skips."""
    try:
        return str(IPv4Address(vip))
    except AddressValueError:
        return ""


def keepalived_method(method: str) -> str:
    """What keepalived makes of ``lvs_method METHOD``: its first word; NAT when it does not know that."""
    words = re.split(r"[#!]", method, maxsplit=1)[0].split(maxsplit=1)
    return words[0] if words and words[0] in {"NAT", "DR", "TUN"} else DEFAULT_METHOD


def _skipped(vip: str, value: str, error: str, notes: list[str]) -> Mapping:
    return Mapping(vip, value, None, None, None, MappingState.ERROR, error=error, notes=tuple(notes))


def _empty(vip: str, dialect: Dialect, notes: list[str]) -> Mapping:
    if dialect is Dialect.V09:
        return _skipped(vip, "", "the value is empty: 0.9 skips it (newer controllers bind the VIP only)", notes)
    return Mapping(vip, "", None, None, None, MappingState.VIP_ONLY, notes=tuple(notes))


def _bad_method(method: str, dialect: Dialect) -> str:
    methods = METHODS[dialect]
    known = methods[0] if len(methods) == 1 else f"{', '.join(methods[:-1])} and {methods[-1]}"
    text = f"the method {quoted(method)} is not known: {dialect.value} takes {known}, in capitals"
    word = method.strip().upper()
    if word in methods:
        return f"{text}; write {word}"
    if method.strip().isdecimal():
        return f"{text}; a port cannot be given: the VIP gets every port of the Service"
    if word in METHODS[Dialect.ALEDBF]:
        newer = Dialect.CONTRIB if word in METHODS[Dialect.CONTRIB] else Dialect.ALEDBF
        return f"{text}; {newer.value} and newer know {word}"
    return text


def _impossible(target: Target) -> str | None:
    """Why no Service can have that name, so that the controller's look-up fails for certain; None when one may."""
    for what, name in (("namespace", target.namespace), ("Service", target.service)):
        if _NAME.fullmatch(name):
            continue
        text = f"no {what} can be named {quoted(name)}"
        if not name:
            why = f"the {what}'s name is empty"
        elif name != name.strip():
            why = f"{text}: blanks count as part of the name"
        elif "/" in name:
            why = f"{text}: all before the last slash is the namespace"
        elif ":" in name:
            why = f"{text}: only what follows the last colon is the method"
        elif len(name) > 63:
            why = f"{text}: {len(name)} characters, and 63 are allowed"
        else:
            why = f"{text}: only a-z, 0-9 and - are allowed"
        return f"{why}; the controller does not find the Service and skips the entry"
    return None


def _line_notes(value: str) -> list[str]:
    if "\n" not in value:
        return []
    lines = value.count("\n") + (not value.endswith("\n"))
    if lines == 1:
        return []  # a block scalar's last line break
    return [f"of {lines} lines only the first one with a slash is used; the others are ignored without a word"]


def _method_notes(method: str, methods: tuple[str, ...], proxy_mode: bool | None) -> list[str]:
    if method == "PROXY" and method in methods:
        return _proxy_notes(proxy_mode)
    if method in methods:
        return []
    effect = keepalived_method(method)
    odd = (
        f"the method {quoted(method)} only has to contain {' or '.join(methods)}: it is written to keepalived.conf "
        f"as it is, and keepalived takes {effect}"
    )
    if _SPECIAL.search(method):
        return [odd, "it holds characters that mean something to keepalived's parser: the whole config may break"]
    return [odd]


def _proxy_notes(proxy_mode: bool | None) -> list[str]:
    if proxy_mode:
        return []
    what = "`lvs_method PROXY` is written, which keepalived reads as NAT"
    if proxy_mode is None:
        return [f"PROXY needs the controller's --proxy-protocol-mode; without it {what}"]
    return [f"PROXY needs --proxy-protocol-mode, which this controller was not given: {what}"]


def _key_notes(vip: str) -> list[str]:
    """Measured with keepalived 2.2.7: it says «invalid IP. skipping IP» and goes on with the others."""
    try:
        address = IPv4Address(vip)
    except AddressValueError:
        note = (
            f"the key {quoted(vip)} is no IPv4 address: the controller writes it all the same, and keepalived skips "
            "that address and its virtual servers"
        )
        if "@" in vip or "-" in vip:
            note += " (INDEX-IP@INTERFACE is a fork's form)"
        return [note]
    if address.is_loopback or address.is_multicast or address.is_unspecified or int(address) == 0xFFFFFFFF:
        return [f"{vip} cannot serve as a VIP: it is a loopback, multicast, broadcast or unspecified address"]
    return []
