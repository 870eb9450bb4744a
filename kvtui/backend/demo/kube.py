"""The demo's Kubernetes API: a ConfigMap, its Services, their pods. Two entries have no ready backend."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.demo.services import DIRECT, SERVICES, VIP_ONLY
from kvtui.backend.demo.story import NODES
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
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from kvtui.model.kube import NamespacedName

CONFIGMAP = ("default", "vip-configmap")
TYPO = "10.4.0.53"
"""Its entry has a method in lower case: the controller skips it."""
UNREADY = "10.4.0.54"
"""Its Service has a pod that is not ready: the controller skips the VIP."""
SEARCH: NamespacedName = ("shop", "search")
SUFFIXES = ("4kx9p", "7hm2q", "b8w5z")
"""Of pods' names."""


def kube(now: float) -> Kube:
    return replace(_kube(), resources=tuple(ResourceState(r, SourceState.OK, read_at=now) for r in Resource))


def _data() -> dict[str, str]:
    """Returns VIP → value; an IPv6 address cannot be a key."""
    served = {s.vip: f"{s.name}{':DR' if s.method is DIRECT else ''}" for s in SERVICES if ":" not in s.vip}
    return {**served, VIP_ONLY: "", TYPO: "shop/cart:nat", UNREADY: "/".join(SEARCH)}


@lru_cache(maxsize=1)
def _kube() -> Kube:
    services: dict[NamespacedName, KubeService] = {}
    endpoints: dict[NamespacedName, tuple[EndpointGroup, ...]] = {}
    pods: dict[NamespacedName, Pod] = {}
    for number, service in enumerate(s for s in SERVICES if ":" not in s.vip):
        namespace, _, name = service.name.partition("/")
        key, target = (namespace, name), service.reals[0][1]
        port = ServicePort("", service.port, target, service.protocol.value)
        services[key] = KubeService(*key, "ClusterIP", (port,), cluster_ip=f"10.96.0.{10 + number}")
        found = tuple(_endpoint(key, index, address) for index, (address, _port) in enumerate(service.reals))
        endpoints[key] = (EndpointGroup((EndpointPort("", target, service.protocol.value),), found),)
        pods.update(_pod(e) for e in found)
    services[SEARCH] = KubeService(*SEARCH, "ClusterIP", (ServicePort("", 80, 8080),), cluster_ip="10.96.0.20")
    lost = Endpoint("10.2.69.14", ready=False, pod=(SEARCH[0], f"search-5d9c7f-{SUFFIXES[0]}"), node="node-b")
    endpoints[SEARCH] = (EndpointGroup((EndpointPort("", 8080),), (lost,)),)
    pods.update([_pod(lost, reason="CrashLoopBackOff")])
    for (node, (address, _)), suffix in zip(NODES.items(), ("2vq8d", "9m4zt", "x7k2p"), strict=True):
        own = ("default", f"kube-keepalived-vip-{suffix}")
        pods[own] = Pod(*own, node, address, ready=True, phase="Running", controller=True)
    return Kube(
        server="https://10.96.0.1:443",
        configmap_name=CONFIGMAP,
        configmap=ConfigMap(*CONFIGMAP, data=_data(), resource_version="48213"),
        services=services,
        endpoints=endpoints,
        pods=pods,
        nodes={name: KubeNode(name, internal_ips=(address,), external_ips=()) for name, (address, _) in NODES.items()},
    )


def _endpoint(service: NamespacedName, index: int, address: str) -> Endpoint:
    """Pod networks are 10.2.68.0/24 on node-a and so on; pods in a node's own network are spread over the nodes."""
    namespace, name = service
    nodes = list(NODES)
    third = int(address.split(".")[2])
    node = nodes[third - 68] if third >= 68 else nodes[index % len(nodes)]
    return Endpoint(address, ready=True, pod=(namespace, f"{name}-6f7b8d-{SUFFIXES[index]}"), node=node)


def _pod(endpoint: Endpoint, reason: str = "") -> tuple[NamespacedName, Pod]:
    key = endpoint.pod or ("", "")
    return key, Pod(*key, endpoint.node, endpoint.address, ready=endpoint.ready, phase="Running", reason=reason)
