"""Which real servers an operator means: an address, with or without a port, in one virtual server or in all."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.intent import CannotPlanError
from kvtui.model.ipvs import Protocol, endpoint, service_name
from kvtui.model.source import SourceName
from kvtui.rules.phrases import listed

if TYPE_CHECKING:
    from kvtui.model.ipvs import DestinationKey, RealServer, ServiceKey, VirtualServer
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView

MAX_PORT = 65535


class UnknownTargetError(CannotPlanError):
    """Nothing there is called so, or more than one thing; the text lists what there is."""


class DrainTarget(Struct, frozen=True):
    """One real server of one virtual server: as the kernel has it, and as kvtui sees it beside config and checks."""

    virtual: VirtualServer
    real: RealServer
    service_view: VirtualServerView
    view: RealServerView

    @property
    def key(self) -> DestinationKey:
        return (self.virtual.key, self.real.key)

    @property
    def name(self) -> str:
        return f"{endpoint(*self.real.key)} in {service_name(self.virtual.key)}"


class Wanted(Struct, frozen=True):
    """A ``--service`` option; None matches anything."""

    protocol: Protocol | None = None
    address: str | None = None
    port: int | None = None
    fwmark: int | None = None

    def matches(self, key: ServiceKey) -> bool:
        protocol, address, port, fwmark = key
        if self.fwmark is not None or protocol is Protocol.FWMARK:
            return protocol is Protocol.FWMARK and self.fwmark == fwmark
        return self.address == address and self.port in {None, port} and self.protocol in {None, protocol}


def parse_real(text: str) -> tuple[str, int | None]:
    """Parses ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``; returns the address in canonical form.

    Raises:
        UnknownTargetError: for any other text.
    """
    try:
        host, port = _split(text)
        return str(ip_address(host)), port
    except ValueError:
        raise UnknownTargetError(
            f"{text!r} is not a real server: write ADDRESS or ADDRESS:PORT, such as 10.2.68.5:80"
        ) from None


def parse_service(text: str) -> Wanted:
    """Parses ``VIP:PORT``, ``[VIP]:PORT``, ``udp VIP:PORT``, ``VIP`` (all its ports), ``fwmark N`` or ``N``.

    Raises:
        UnknownTargetError: for any other text.
    """
    words = text.split()
    if words and words[-1].isdecimal() and (len(words) == 1 or words[0].lower() in {"fwmark", "fwm"}):
        return Wanted(fwmark=int(words[-1]))
    protocol = None
    if len(words) == 2 and words[0].upper() in {Protocol.TCP, Protocol.UDP, Protocol.SCTP}:
        protocol = Protocol(words.pop(0).upper())
    try:
        host, port = _split(words[0] if len(words) == 1 else "")
        return Wanted(protocol, str(ip_address(host)), port)
    except ValueError:
        raise UnknownTargetError(
            f"{text!r} is not a virtual server: write VIP:PORT, [VIP]:PORT, 'udp VIP:PORT' or 'fwmark N'"
        ) from None


def service_option(key: ServiceKey) -> str:
    """Returns what ``--service`` takes for a virtual server."""
    protocol, address, port, fwmark = key
    return f"fwmark {fwmark}" if fwmark else f"{protocol.value.lower()} {endpoint(address, port)}"


def _split(text: str) -> tuple[str, int | None]:
    """Raises ValueError for an invalid port: an address without a port would mean all its ports."""
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


def is_meant(key: DestinationKey, real: tuple[str, int | None], service: str | None) -> bool:
    virtual, (address, port) = key
    return (
        real[0] == address and real[1] in {None, port} and (service is None or parse_service(service).matches(virtual))
    )


def find(observation: Observation, real: tuple[str, int | None], service: str | None) -> tuple[DrainTarget, ...]:
    """Returns the real servers in the kernel's order.

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
        meant = tuple(v for v in meant if wanted.matches(v.key))
        if not meant:
            there = listed(service_name(v.key) for v in table.virtual_servers) or "none"
            raise UnknownTargetError(f"no virtual server {service} in the kernel; it has {there}")
    found = []
    for virtual in meant:
        same = [r for r in virtual.real_servers if r.address == address and port in {None, r.port}]
        if len(same) > 1:
            ports = listed(endpoint(*r.key) for r in same)
            name = service_name(virtual.key)
            raise UnknownTargetError(f"{name} has {address} more than once: choose one of {ports}")
        for server in same:
            seen = service_view(observation, virtual)
            found.append(DrainTarget(virtual, server, seen, next(r for r in seen.real_servers if r.key == server.key)))
    if not found:
        raise UnknownTargetError(_not_found(observation, meant, address, port))
    return tuple(found)


def service_view(observation: Observation, virtual: VirtualServer) -> VirtualServerView:
    """Returns the view of a virtual server. The kernel is read once: they are of the same reading."""
    found = (v for v in observation.virtual_servers or () if v.in_kernel)
    return next(v for v in found if (v.protocol, v.name) == (virtual.protocol, virtual.name))


def _not_found(observation: Observation, meant: tuple[VirtualServer, ...], address: str, port: int | None) -> str:
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
    where = service_name(meant[0].key) if len(meant) == 1 else "the kernel's table"
    return f"no real server {name} in {where}; it has {listed(there) or 'none'}"
