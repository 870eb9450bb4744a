"""Addresses as keepalived reads them: VIPs with their options (``alloc_ipaddress``), peers and servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvtui.backend.conf.numbers import integer, unsigned
from kvtui.backend.conf.tree import Problems, Statement, is_built_in
from kvtui.model.ip import canonical
from kvtui.model.vrrp import VirtualAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_INTERFACE_NAME = 15
_OPTIONS = frozenset({"dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft"})
_FLAGS = frozenset({"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac"})


def is_six(address: str) -> bool:
    return ":" in address


def plain_address(text: str | None) -> str | None:
    """Returns an address; a prefix length or the end of a range is ignored (``inet_stosockaddr``)."""
    if text is None:
        return None
    return None if "%" in text else canonical(text.partition("-")[0].partition("/")[0])


def plain_port(text: str | None) -> int | None:
    """Returns a port, 0 without one; None where it is invalid."""
    return 0 if text is None or not text.strip("0") else unsigned(text, 1, 65535, lenient=True)


def skips_server(line: Statement) -> bool:
    """Whether keepalived skips a ``real_server`` with all of its block: its address or port is invalid."""
    address, port = (*line.words[1:3], None, None)[:2]
    unknown = is_built_in(address) or is_built_in(port)
    return not unknown and (plain_address(address) is None or plain_port(port) is None)


def _virtual_addresses(block: Statement, problems: Problems) -> Iterator[VirtualAddress]:
    for line in block.children or ():
        if line.keyword and not is_built_in(line.keyword):
            vip = _virtual_address(line, problems)
            if vip is not None:
                yield vip


def _virtual_address(line: Statement, problems: Problems) -> VirtualAddress | None:
    number, slash, prefix = line.keyword.partition("/")
    address = None if "%" in number else canonical(number)
    if address is None:
        problems.invalid(f"'{line.keyword}' is not an address: keepalived skips it", line.at())
        return None
    longest = 128 if is_six(address) else 32
    length = unsigned(prefix, 0, longest, lenient=True) if slash else longest
    if length is None:
        problems.invalid(f"'{prefix}' is not a prefix length: keepalived uses {longest} for {address}", line.at())
        length = longest
    options, why_skipped = _read_options(line, problems)
    if why_skipped:
        problems.invalid(f"keepalived skips {address}: {why_skipped}", line.at())
        return None
    peer = canonical(options.get("peer", ""))
    if peer is not None and is_six(peer) is is_six(address):
        length = longest
    return VirtualAddress(address, length, options.get("dev"))


def _read_options(line: Statement, problems: Problems) -> tuple[dict[str, str], str]:
    """Reads the words after an address; returns them, and why keepalived skips the address, else nothing."""
    options: dict[str, str] = {}
    rest = iter(enumerate(line.words[1:], start=1))
    for position, word in rest:
        if word in _OPTIONS:
            _, value = next(rest, (0, None))
            if value is None:
                return options, f"{word} has no value"
            if why := _refused(word, value, options, six=is_six(line.keyword)):
                return options, why
            options.setdefault(word, value)
        elif word not in _FLAGS:
            message = f"keepalived reads one address per line: it ignores '{word}' after {line.keyword}"
            problems.invalid(message, line.at(position))
    return options, ""


def _refused(word: str, value: str, options: dict[str, str], *, six: bool) -> str:
    """Returns why an option makes keepalived skip the address, else nothing."""
    if word == "dev" and word in options:
        return "it has more than one dev"
    if word == "label" and len(value) > MAX_INTERFACE_NAME:
        return f"its label is longer than {MAX_INTERFACE_NAME} characters"
    if word in {"brd", "broadcast"}:
        if six:
            return "IPv6 has no broadcast address"
        if value not in {"+", "-"} and (is_six(value) or canonical(value) is None):
            return f"'{value}' is not a broadcast address"
    return ""


def _peers(block: Statement, problems: Problems) -> Iterator[str]:
    """Yields the addresses of a ``unicast_peer``; since 2.2 options may follow them."""
    for line in block.children or ():
        address = plain_address(line.keyword)
        if address is not None:
            yield address
        elif line.keyword and not is_built_in(line.keyword):
            problems.invalid(f"'{line.keyword}' is not an address: keepalived skips this peer", line.at())
        if len(line.words) > 1 and line.words[1] not in {"min_ttl", "max_ttl"}:
            problems.invalid(f"keepalived reads one peer per line: it ignores '{line.words[1]}'", line.at(1))


@dataclass
class InstanceAddresses:
    """An instance's addresses; the first one decides whether it is IPv4 or IPv6, and others are ignored."""

    name: str
    problems: Problems
    six: bool | None = None
    version: int = 0
    source: str | None = None
    vips: list[VirtualAddress] = field(default_factory=list)
    excluded: list[VirtualAddress] = field(default_factory=list)
    peers: dict[str, None] = field(default_factory=dict)

    def leave_out_without_device(self, block: Statement) -> None:
        """Drops VIPs without ``dev`` of an instance that has no interface either, as keepalived 2.3 does."""
        for vip in (*self.vips, *self.excluded):
            if vip.interface is None:
                message = f"{self.name}: no interface for VIP {vip.address}: keepalived 2.3 leaves it out"
                self.problems.invalid(message, block.at())
        self.vips = [v for v in self.vips if v.interface is not None]
        self.excluded = [v for v in self.excluded if v.interface is not None]

    def read(self, block: Statement) -> None:
        for line in block.children or ():
            match line.keyword:
                case "mcast_src_ip" | "unicast_src_ip":
                    self._source(line)
                case "unicast_peer":
                    self.peers |= dict.fromkeys(p for p in _peers(line, self.problems) if self._fits(p, line))
                case "virtual_ipaddress":
                    self.vips += [v for v in _virtual_addresses(line, self.problems) if self._fits(v.address, line)]
                case "virtual_ipaddress_excluded":
                    self.excluded += _virtual_addresses(line, self.problems)
                case "native_ipv6" if self.six is not False:
                    self.six, self.version = True, 3
                case "version":
                    self._version(line)

    def _fits(self, address: str, line: Statement) -> bool:
        if self.six is None:
            self.six = is_six(address)
        if self.six is not is_six(address):
            other = "IPv6" if self.six else "IPv4"
            message = f"{self.name} has {other} addresses: keepalived ignores {address} of {line.keyword}"
            self.problems.invalid(message, line.at())
        return self.six is is_six(address)

    def _source(self, line: Statement) -> None:
        address = plain_address(line.argument)
        if address is None and not is_built_in(line.argument):
            self.problems.invalid(f"'{line.argument}' is not an address: keepalived ignores it", line.at(1))
        elif address is not None and self._fits(address, line):
            self.source = address

    def _version(self, line: Statement) -> None:
        version = integer(line.argument, 2, 3)
        if version is None and is_built_in(line.argument):
            return
        if version is None:
            self.problems.invalid(f"{self.name}: version must be 2 or 3; keepalived ignores it", line.at(1))
        elif (self.version and self.version != version) or (version == 2 and self.six):
            self.problems.invalid(f"{self.name}: keepalived ignores version {version}", line.at(1))
        else:
            self.version = version
