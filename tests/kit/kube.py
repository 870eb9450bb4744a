"""Builders of the Kubernetes objects of the tutorial's cluster, as a small ``model.kube.Kube``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kvtui.model.keepalived import Controller
from kvtui.model.kube import (
    ConfigMap,
    Endpoint,
    EndpointGroup,
    EndpointPort,
    Kube,
    KubeNode,
    KubeService,
    Pod,
    Resource,
    ResourceState,
    ServicePort,
)
from kvtui.model.source import Source, SourceName, SourceState
from tests import kit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.snapshot import Snapshot

NAME = ("default", "vip-configmap")
NGINX = ("default", "nginx")
ARGV = ("/kube-keepalived-vip", "--services-configmap=default/vip-configmap")


def configmap(data: Mapping[str, str] | None = None, **changes: Any) -> ConfigMap:
    """Returns the ConfigMap with the VIP → default/nginx."""
    base = ConfigMap(*NAME, data={kit.VIP: "default/nginx"} if data is None else data, resource_version="100")
    return replace(base, **changes)


def service(
    name: str = "nginx",
    *ports: ServicePort,
    namespace: str = "default",
    **changes: Any,
) -> KubeService:
    """Returns a ClusterIP Service; by default port 80 → targetPort 8080."""
    base = KubeService(namespace, name, "ClusterIP", ports or (ServicePort("", 80, 8080),), cluster_ip="10.96.0.10")
    return replace(base, **changes)


def endpoint(number: int, *, name: str = "nginx", namespace: str = "default", **changes: Any) -> Endpoint:
    """Returns endpoint 10.2.68.``number`` of pod ``name-number`` on node-b."""
    base = Endpoint(f"10.2.68.{number}", ready=True, pod=(namespace, f"{name}-{number}"), node="node-b")
    return replace(base, **changes)


def group(*endpoints: Endpoint, ports: tuple[EndpointPort, ...] = (EndpointPort("", 8080),)) -> EndpointGroup:
    """Returns an EndpointSlice."""
    return EndpointGroup(ports, endpoints)


def node(number: int, **changes: Any) -> KubeNode:
    """Returns node number ``number`` (0 is this node); node-a has 10.4.0.3."""
    base = KubeNode(f"node-{'abcdefgh'[number]}", internal_ips=(f"10.4.0.{3 + number}",), external_ips=())
    return replace(base, **changes)


def pods(*endpoints: Endpoint) -> dict[tuple[str, str], Pod]:
    """Returns the pods of these endpoints."""
    named = [(e.pod, e) for e in endpoints if e.pod]
    return {key: Pod(*key, e.node, e.address, ready=e.ready, phase="Running") for key, e in named}


def resources(**states: ResourceState) -> tuple[ResourceState, ...]:
    """Returns all kinds as just read; ``states`` replaces some by name (``endpoints=…``)."""
    return tuple(states.get(r.name.lower(), ResourceState(r, SourceState.OK, read_at=kit.NOW - 0.2)) for r in Resource)


def kube(**changes: Any) -> Kube:
    """Returns a healthy cluster: nginx has the two endpoints of ``tests.kit``'s config and IPVS table."""
    both = (endpoint(5), endpoint(6))
    base = Kube(
        server="https://10.4.0.1:6443",
        configmap_name=NAME,
        configmap=configmap(),
        services={NGINX: service()},
        endpoints={NGINX: (group(*both),)},
        pods=pods(*both),
        nodes={n.name: n for n in map(node, range(3))},
        resources=resources(),
    )
    return replace(base, **changes)


def controller(*flags: str, **changes: Any) -> Controller:
    """Returns this node's kube-keepalived-vip with these flags after the ConfigMap's."""
    base = Controller(
        pid=800,
        name="kube-keepalived-vip",
        argv=(*ARGV, *flags),
        configmap="/".join(NAME),
        pod="kube-system/kube-keepalived-vip-x7",
    )
    return replace(base, **changes)


def source(state: SourceState = SourceState.OK, detail: str = "", read_at: float | None = kit.NOW) -> Source:
    """Returns the source of the API."""
    return Source(SourceName.KUBERNETES, state, detail, read_at)


def snapshot(**changes: Any) -> Snapshot:
    """Returns ``tests.kit``'s healthy backup with the API and the controller; ``kube=`` replaces the API's objects."""
    given = {
        "kube": kube(),
        "keepalived": (kit.keepalived(controller=controller()),),
        "sources": (*(s for s in kit.sources() if s.name is not SourceName.KUBERNETES), source()),
        **changes,
    }
    return kit.snapshot(**given)
