"""Which real servers an operator means: an address, with or without a port, in one virtual server or in all."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.intent import CannotPlanError
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.source import SourceName
from kvtui.rules.phrases import listed

if TYPE_CHECKING:
    from kvtui.model.ipvs import RealServer, VirtualServer
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView


MAX_PORT = 65535


class UnknownTargetError(CannotPlanError):
    """Nothing there is called so, or more than one thing; the text lists what there is."""


class Target(Struct, frozen=True):
    """One real server of one virtual server: as the kernel has it, and as kvtui sees it beside config and checks."""

    virtual: VirtualServer
    real: RealServer
    service_view: VirtualServerView
    view: RealServerView

    @property
    def name(self) -> str:
        return f"{endpoint(*self.real.key)} in {named(self.virtual)}"


class Wanted(Struct, frozen=True):
    """A ``--service`` option, taken apart; what is None may be anything."""

    text: str
    protocol: Protocol | None = None
    address: str | None = None
    port: int | None = None
    fwmark: int | None = None

    def matches(self, virtual: VirtualServer) -> bool:
        if self.fwmark is not None or virtual.fwmark is not None:
            return self.fwmark == virtual.fwmark
        return (
            self.address == virtual.address
            and self.port in {None, virtual.port}
            and self.protocol in {None, virtual.protocol}
        )


def parse_real(text: str) -> tuple[str, int | None]:
    """``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``; the address in canonical form.

    Raises:
        UnknownTargetError: it is no such thing.
    """
    try:
        host, port = _split(text)
        return str(ip_address(host)), port
    except ValueError:
        raise UnknownTargetError(
            f"{text!r} is not a real server: write ADDRESS or ADDRESS:PORT, such as 10.2.68.5:80"
        ) from None


def parse_service(text: str) -> Wanted:
    """``VIP:PORT``, ``[VIP]:PORT``, ``udp VIP:PORT``, ``VIP`` (all its ports), ``fwmark N`` or ``N``.

    Raises:
        UnknownTargetError: it is no such thing.
    """
    words = text.split()
    if words and words[-1].isdecimal() and (len(words) == 1 or words[0].lower() in {"fwmark", "fwm"}):
        return Wanted(text, fwmark=int(words[-1]))
    protocol = None
    if len(words) == 2 and words[0].upper() in {Protocol.TCP, Protocol.UDP, Protocol.SCTP}:
        protocol = Protocol(words.pop(0).upper())
    try:
        host, port = _split(words[0] if len(words) == 1 else "")
        return Wanted(text, protocol, str(ip_address(host)), port)
    except ValueError:
        raise UnknownTargetError(
            f"{text!r} is not a virtual server: write VIP:PORT, [VIP]:PORT, 'udp VIP:PORT' or 'fwmark N'"
        ) from None


def _split(text: str) -> tuple[str, int | None]:
    """Raises ValueError for a port that is none: without it, an address would mean all its ports."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
    if not colon:
        return host, None
    if colon != ":" or not port.isdecimal() or int(port) > MAX_PORT:
        raise ValueError(text)
    return host, int(port)


def find(observation: Observation, real: tuple[str, int | None], service: str | None) -> tuple[Target, ...]:
    """The real servers that are meant, in the kernel's order.

    Raises:
        UnknownTargetError: there are none, or an address alone names several of one virtual server.
    """
    address, port = real
    table = observation.snapshot.ipvs
    if table is None:
        source = observation.snapshot.source(SourceName.IPVS)
        raise UnknownTargetError(f"the IPVS table cannot be read: {source.detail}")
    meant = table.virtual_servers
    if service is not None:
        wanted = parse_service(service)
        meant = tuple(v for v in meant if wanted.matches(v))
        if not meant:
            there = listed(named(v) for v in table.virtual_servers) or "none"
            raise UnknownTargetError(f"no virtual server {service} in the kernel; it has {there}")
    found = []
    for virtual in meant:
        same = [r for r in virtual.real_servers if r.address == address and port in {None, r.port}]
        if len(same) > 1:
            ports = listed(endpoint(*r.key) for r in same) or "none"
            raise UnknownTargetError(f"{named(virtual)} has {address} more than once: choose one of {ports}")
        found += [_target(observation, virtual, r) for r in same]
    if not found:
        raise UnknownTargetError(_nothing(observation, meant, address, port))
    return tuple(found)


def named(virtual: VirtualServer) -> str:
    """As ipvsadm writes it, the protocol before it where that is not TCP."""
    plain = virtual.fwmark is not None or virtual.protocol is Protocol.TCP
    return virtual.name if plain else f"{virtual.protocol.value} {virtual.name}"


def _target(observation: Observation, virtual: VirtualServer, real: RealServer) -> Target:
    seen = service_view(observation, virtual)
    return Target(virtual, real, seen, next(r for r in seen.real_servers if r.key == real.key))


def service_view(observation: Observation, virtual: VirtualServer) -> VirtualServerView:
    """Returns the view of a virtual server. The kernel is read once: they are of the same reading."""
    return next(
        v
        for v in observation.virtual_servers or ()
        if v.in_kernel
        and (v.protocol, v.address, v.port, v.fwmark)
        == (virtual.protocol, virtual.address, virtual.port, virtual.fwmark)
        and v.name == virtual.name
    )


def _nothing(observation: Observation, meant: tuple[VirtualServer, ...], address: str, port: int | None) -> str:
    name = address if port is None else endpoint(address, port)
    names = {v.name for v in meant}
    removed = [
        v.name
        for v in observation.virtual_servers or ()
        for r in v.real_servers
        if r.weight is None and r.address == address and port in {None, r.port} and (v.name in names or not v.in_kernel)
    ]
    if removed:
        return (
            f"{name} is in the config of {listed(removed)} but not in the kernel: its health check removed it, so it "
            "takes no connections; there is nothing to do"
        )
    there = list(dict.fromkeys(endpoint(*r.key) for v in meant for r in v.real_servers))
    where = named(meant[0]) if len(meant) == 1 else "the kernel's table"
    return f"no real server {name} in {where}; it has {listed(there) or 'none'}"
