"""A mapping's Service → the real servers that keepalived-vip makes of it (its ``getEndpoints`` and ``getServices``).

The controller reads Endpoints objects; kvtui reads EndpointSlices where there are any. The two hold the same
addresses but for two things: an Endpoints object has those of the Service's first IP family only, and 1,000 at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.rules.identity_cache import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Endpoint, EndpointGroup, Kube, KubeService, NamespacedName, ServicePort

MOST_ADDRESSES = 1000
"""An Endpoints object is cut beyond these (Kubernetes 1.22 and newer)."""


class Backend(Struct, frozen=True):
    """One address and port behind a Service's port.

    Attributes:
        address: canonical text.
        port: that the container listens on.
        ready: of the endpoint; only ready ones become real servers.
        pod: namespace and name; None when it is no pod.
    """

    address: str
    port: int
    ready: bool = True
    pod: NamespacedName | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What names it within its virtual server."""
        return (self.address, self.port)


class PortBackends(Struct, frozen=True):
    """One port of a Service and what is behind it, sorted as the controller sorts: by address as text, then port.

    Attributes:
        port: the Service's port.
        backends: ready ones; an endpoint is in it once for each of its ports that fits, as in the controller.
        others: those that are not ready.
        why_none: why there is no ready one, in a sentence; empty when there are.
    """

    port: ServicePort
    backends: tuple[Backend, ...]
    others: tuple[Backend, ...] = ()
    why_none: str = ""


_PORTS: Remembered[tuple[PortBackends, ...]] = Remembered()
_NOTES: Remembered[tuple[str, ...]] = Remembered()


def port_backends(service: KubeService, groups: tuple[EndpointGroup, ...]) -> tuple[PortBackends, ...]:
    """What is behind each port of a Service, in the Service's order."""
    return _PORTS.get((service, *groups), None, lambda: _port_backends(service, groups))


def _port_backends(service: KubeService, groups: tuple[EndpointGroup, ...]) -> tuple[PortBackends, ...]:
    groups = _first_family(service, groups)
    return tuple(_behind(port, groups) for port in service.ports)


def service_notes(service: KubeService, ports: tuple[PortBackends, ...], method: str) -> tuple[str, ...]:
    """Where the controller or keepalived does something odd with this Service.

    Args:
        service: of the mapping.
        ports: of ``port_backends``.
        method: what keepalived makes of the mapping's method (``NAT`` or ``DR``); ``PROXY`` in proxy mode.
    """
    return _NOTES.get((service, ports), method, lambda: _service_notes(service, ports, method))


def _service_notes(service: KubeService, ports: tuple[PortBackends, ...], method: str) -> tuple[str, ...]:
    notes = [f"port {p.port.port}: {p.why_none}" for p in ports if p.why_none]
    if notes and len(notes) == len(ports):
        notes.append("no port has a ready endpoint: the VIP itself leaves virtual_ipaddress, as if it were not mapped")
    if not ports:
        notes.append("the Service has no ports: no virtual server is made, and the VIP is not bound")
    if method != "PROXY":
        for p in ports:
            notes += _port_notes(p, method)
    if any(len({b.address for b in p.backends}) > MOST_ADDRESSES for p in ports):
        notes.append(
            f"more than {MOST_ADDRESSES} ready endpoints: the controller reads an Endpoints object, which holds "
            f"{MOST_ADDRESSES} of them at most"
        )
    if service.type == "ExternalName":
        notes.append("an ExternalName Service has no endpoints of its own")
    return tuple(dict.fromkeys(notes))


def endpoints_of(kube: Kube, service: NamespacedName) -> tuple[EndpointGroup, ...]:
    """The endpoints of one Service; none when there are none, or when they were not read."""
    return (kube.endpoints or {}).get(service, ())


def _first_family(service: KubeService, groups: tuple[EndpointGroup, ...]) -> tuple[EndpointGroup, ...]:
    """Only the endpoints of the family that the Service's own address has."""
    six = [e for g in groups for e in g.endpoints if ":" in e.address]
    if not six:
        return groups
    if service.cluster_ip and service.cluster_ip != "None":
        wanted = ":" in service.cluster_ip
    else:
        wanted = len(six) == sum(len(g.endpoints) for g in groups)  # headless: IPv4 unless all are IPv6
    return tuple(g for g in groups if g.endpoints and (":" in g.endpoints[0].address) is wanted)


def _behind(port: ServicePort, groups: tuple[EndpointGroup, ...]) -> PortBackends:
    found = sorted(_fitting(port, groups), key=lambda pair: (pair[0].address, pair[1]))
    backends = tuple(Backend(e.address, p, e.ready, e.pod) for e, p in found)
    ready = tuple(b for b in backends if b.ready)
    others = tuple(b for b in backends if not b.ready)
    return PortBackends(port, ready, others, "" if ready else _why_none(port, groups, others))


def _fitting(port: ServicePort, groups: tuple[EndpointGroup, ...]) -> Iterator[tuple[Endpoint, int]]:
    """Endpoints with the port that fits. Protocols are not compared; a name is compared with the endpoint port's."""
    for group in groups:
        for candidate in group.ports:
            theirs = candidate.name if isinstance(port.target_port, str) else candidate.port
            if theirs == port.target_port and candidate.port:
                for endpoint in group.endpoints:
                    yield endpoint, candidate.port


def _why_none(port: ServicePort, groups: tuple[EndpointGroup, ...], others: tuple[Backend, ...]) -> str:
    if others:
        count = len(others)
        return f"none of its {count} endpoints is ready" if count > 1 else "its one endpoint is not ready"
    if not any(g.endpoints for g in groups):
        return "there are no endpoints: does the selector match any pod?"
    known = sorted({f"{p.name or '(no name)'} {p.port}" for g in groups for p in g.ports})
    if isinstance(port.target_port, str):
        return (
            f"targetPort {port.target_port} is a name, which the controller looks for among the endpoints' port "
            f"names, and these are the Service's own ({', '.join(known)}): name the Service's port alike, or give a "
            "number"
        )
    return f"no endpoint has port {port.target_port} (they have {', '.join(known) or 'none'})"


def _port_notes(found: PortBackends, method: str) -> Iterator[str]:
    if not found.backends:
        return
    port = found.port
    if port.protocol == "UDP":
        yield (
            f"port {port.port} is UDP, but gets a TCP_CHECK: keepalived removes each real server that does not "
            "answer TCP on that port as well"
        )
    if method == "DR" and any(b.port != port.port for b in found.backends):
        yield (
            f"port {port.port} goes to targetPort {port.target_port}, and DR cannot change a port: keepalived says "
            f"that ports don't match and takes {port.port} for the real servers too"
        )
    doubles = len(found.backends) - len({b.key for b in found.backends})
    if doubles:
        yield f"port {port.port}: {doubles} real servers are written twice (two endpoint ports have that number)"
