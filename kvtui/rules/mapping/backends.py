"""Computes the real servers that keepalived-vip creates for a Service (its ``getEndpoints`` and ``getServices``).

The controller reads Endpoints objects, kvtui reads EndpointSlices if the cluster has them. An Endpoints object differs
in two points: it has only addresses of the Service's first IP family, and at most 1,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.rules.identity_cache import IdentityCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Endpoint, EndpointGroup, Kube, KubeService, NamespacedName, ServicePort

MAX_ADDRESSES = 1000
"""Kubernetes 1.22 and newer truncate an Endpoints object beyond these."""


class Backend(Struct, frozen=True):
    """An address and port of a container behind a Service's port."""

    address: str
    port: int
    ready: bool = True  # only ready endpoints become real servers
    pod: NamespacedName | None = None

    @property
    def key(self) -> tuple[str, int]:
        return (self.address, self.port)


class PortBackends(Struct, frozen=True):
    """A port of a Service with its backends, in the controller's order: by address as text, then port."""

    port: ServicePort
    backends: tuple[Backend, ...]  # ready ones; as in the controller, an endpoint appears once per matching port
    others: tuple[Backend, ...] = ()
    why_none: str = ""  # why no backend is ready, in a sentence


_PORTS: IdentityCache[tuple[PortBackends, ...]] = IdentityCache()
_NOTES: IdentityCache[tuple[str, ...]] = IdentityCache()


def port_backends(service: KubeService, groups: tuple[EndpointGroup, ...]) -> tuple[PortBackends, ...]:
    def compute() -> tuple[PortBackends, ...]:
        of_family = _first_family(service, groups)
        return tuple(_backends_of(port, of_family) for port in service.ports)

    return _PORTS.get((service, *groups), None, compute)


def service_notes(service: KubeService, ports: tuple[PortBackends, ...], method: str) -> tuple[str, ...]:
    """Returns unexpected effects of this Service in the controller or keepalived, one sentence each."""
    return _NOTES.get((service, ports), method, lambda: tuple(dict.fromkeys(_service_notes(service, ports, method))))


def _service_notes(service: KubeService, ports: tuple[PortBackends, ...], method: str) -> Iterator[str]:
    yield from (f"port {p.port.port}: {p.why_none}" for p in ports if p.why_none)
    if not ports:
        yield "the Service has no ports: the controller creates no virtual server and does not bind the VIP"
    elif all(p.why_none for p in ports):
        yield "no port has a ready endpoint: the controller also removes the VIP from virtual_ipaddress"
    if method != "PROXY":
        for port in ports:
            yield from _port_notes(port, method)
    if any(len({b.address for b in p.backends}) > MAX_ADDRESSES for p in ports):
        yield (
            f"more than {MAX_ADDRESSES} ready endpoints: the controller reads an Endpoints object, which has at most "
            f"{MAX_ADDRESSES}"
        )
    if service.type == "ExternalName":
        yield "an ExternalName Service has no endpoints"


def endpoints_of(kube: Kube, service: NamespacedName) -> tuple[EndpointGroup, ...]:
    return (kube.endpoints or {}).get(service, ())


def _first_family(service: KubeService, groups: tuple[EndpointGroup, ...]) -> tuple[EndpointGroup, ...]:
    six = [e for g in groups for e in g.endpoints if ":" in e.address]
    if not six:
        return groups
    if service.cluster_ip and service.cluster_ip != "None":
        wanted = ":" in service.cluster_ip
    else:
        wanted = len(six) == sum(len(g.endpoints) for g in groups)  # headless: IPv6 only if all are IPv6
    return tuple(g for g in groups if g.endpoints and (":" in g.endpoints[0].address) is wanted)


def _backends_of(port: ServicePort, groups: tuple[EndpointGroup, ...]) -> PortBackends:
    matches = sorted(_matching(port, groups), key=lambda pair: (pair[0].address, pair[1]))
    backends = tuple(Backend(e.address, p, e.ready, e.pod) for e, p in matches)
    ready = tuple(b for b in backends if b.ready)
    others = tuple(b for b in backends if not b.ready)
    return PortBackends(port, ready, others, "" if ready else _why_none(port, groups, others))


def _matching(port: ServicePort, groups: tuple[EndpointGroup, ...]) -> Iterator[tuple[Endpoint, int]]:
    """Returns endpoints with the matching port, by number or name; the controller ignores the protocol."""
    for group in groups:
        for candidate in group.ports:
            theirs = candidate.name if isinstance(port.target_port, str) else candidate.port
            if theirs == port.target_port and candidate.port:
                for endpoint in group.endpoints:
                    yield endpoint, candidate.port


def _why_none(port: ServicePort, groups: tuple[EndpointGroup, ...], others: tuple[Backend, ...]) -> str:
    if others:
        count = len(others)
        return f"none of its {count} endpoints is ready" if count > 1 else "its only endpoint is not ready"
    if not any(g.endpoints for g in groups):
        return "the Service has no endpoints: does its selector match any pod?"
    known = sorted({f"{p.name or '(no name)'} {p.port}" for g in groups for p in g.ports})
    if isinstance(port.target_port, str):
        return (
            f'targetPort "{port.target_port}" is a name; the controller compares it with the names of the Service\'s '
            f"ports ({', '.join(known)}): give the Service's port the same name, or use a number"
        )
    return f"no endpoint has port {port.target_port} (they have {', '.join(known) or 'none'})"


def _port_notes(behind: PortBackends, method: str) -> Iterator[str]:
    if not behind.backends:
        return
    port = behind.port
    if port.protocol == "UDP":
        yield (
            f"port {port.port} is UDP, but the controller writes TCP_CHECK: keepalived removes each real server that "
            "does not answer TCP on that port too"
        )
    if method == "DR" and any(b.port != port.port for b in behind.backends):
        yield (
            f"port {port.port} goes to targetPort {port.target_port}, but DR cannot change the port: keepalived logs "
            f'"ports don\'t match" and uses {port.port} for the real servers too'
        )
    doubles = len(behind.backends) - len({b.key for b in behind.backends})
    if doubles:
        yield f"port {port.port}: the config has {doubles} real servers twice (two endpoint ports have that number)"
