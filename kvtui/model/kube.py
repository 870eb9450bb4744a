"""What the Kubernetes API says, as far as a mapping needs it: plain values, no client library's types."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.source import SourceState

NamespacedName = tuple[str, str]
"""Namespace and name."""


class Resource(StrEnum):
    """The kinds that kvtui reads, by the name that RBAC gives them."""

    CONFIGMAPS = "configmaps"
    SERVICES = "services"
    ENDPOINTS = "endpointslices"
    """``endpoints`` where the cluster has no EndpointSlices (before 1.19)."""
    PODS = "pods"
    NODES = "nodes"


class ResourceState(Struct, frozen=True):
    """How far one kind can be believed.

    Attributes:
        resource: which kind.
        state: ok, degraded (old data, watch cut), unavailable (never read).
        detail: what is lost, the cause (the missing right's verb and resource for a 403), the next step; else empty.
        read_at: the last moment at which it was known to be current (seconds since the epoch); None when never.
        forbidden: the API answers 403, and goes on to: a right is missing.
        remedy: the commands that grant the missing right to whoever is refused; else empty.
    """

    resource: Resource
    state: SourceState
    detail: str = ""
    read_at: float | None = None
    forbidden: bool = False
    remedy: str = ""


class ConfigMap(Struct, frozen=True):
    """The ConfigMap that maps VIP → Service.

    Attributes:
        namespace: of the ConfigMap.
        name: of the ConfigMap.
        data: key (the VIP) → value, as they are written; data from outside, of any length and content.
        resource_version: of the API.
        annotations: keys only matter here (``k8s.co/cloud-provider-config`` means that a controller rewrites it).
    """

    namespace: str
    name: str
    data: Mapping[str, str]
    resource_version: str = ""
    annotations: tuple[str, ...] = ()


class ServicePort(Struct, frozen=True):
    """One port of a Service; ``target_port`` is a number, or the name of a container port."""

    name: str
    port: int
    target_port: int | str
    protocol: str = "TCP"


class KubeService(Struct, frozen=True):
    """A Service: what keepalived-vip makes of it depends on its ports only."""

    namespace: str
    name: str
    type: str
    ports: tuple[ServicePort, ...]
    cluster_ip: str | None = None
    external_ips: tuple[str, ...] = ()

    @property
    def key(self) -> NamespacedName:
        """Namespace and name."""
        return (self.namespace, self.name)


class EndpointPort(Struct, frozen=True):
    """A port of an EndpointSlice (or of an Endpoints subset)."""

    name: str
    port: int
    protocol: str = "TCP"


class Endpoint(Struct, frozen=True):
    """One address behind a Service.

    Attributes:
        address: canonical text.
        ready: in the sense of the API (None there means ready).
        terminating: on its way out.
        pod: its pod's namespace and name (targetRef); None when it is no pod.
        node: name of the node it runs on; None when not said.
    """

    address: str
    ready: bool
    terminating: bool = False
    pod: NamespacedName | None = None
    node: str | None = None


class EndpointGroup(Struct, frozen=True):
    """Endpoints that share the same ports: one EndpointSlice, or one subset of an Endpoints object."""

    ports: tuple[EndpointPort, ...]
    endpoints: tuple[Endpoint, ...]


class Pod(Struct, frozen=True):
    """A pod behind a mapped Service, or one of the controller's own."""

    namespace: str
    name: str
    node: str | None
    ip: str | None
    ready: bool
    phase: str
    reason: str = ""
    """Why it is not ready, such as ``CrashLoopBackOff``; empty when the API does not say."""
    controller: bool = False
    """It is a pod of the keepalived-vip DaemonSet itself (owner of the pod that runs here)."""
    started: float | None = None
    """When the last of its containers started, else its node took it up (seconds since the epoch); None if not said."""


class KubeNode(Struct, frozen=True):
    """A node and its addresses, in the API's order."""

    name: str
    internal_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    ready: bool = True

    @property
    def address(self) -> str | None:
        """The one that keepalived-vip takes: the first ExternalIP, else the first InternalIP."""
        return next(iter(self.external_ips + self.internal_ips), None)


class Kube(Struct, frozen=True):
    """What is known of the cluster. A kind that could not be read is None, never empty.

    Attributes:
        server: the API's address, without credentials.
        configmap_name: which ConfigMap is looked at; None when it is not known which.
        configmap: None when it was not read; ``configmap_missing`` tells that the API says there is none.
        services: those that the ConfigMap names.
        endpoints: of those Services: one group a slice.
        pods: those behind the Services, and the controller's own.
        nodes: all of them.
        resources: one state a kind.
    """

    server: str
    configmap_name: NamespacedName | None = None
    configmap: ConfigMap | None = None
    configmap_missing: bool = False
    services: Mapping[NamespacedName, KubeService] | None = None
    endpoints: Mapping[NamespacedName, tuple[EndpointGroup, ...]] | None = None
    pods: Mapping[NamespacedName, Pod] | None = None
    nodes: Mapping[str, KubeNode] | None = None
    resources: tuple[ResourceState, ...] = ()

    def resource(self, wanted: Resource) -> ResourceState | None:
        """The state of one kind; None when it is not read at all."""
        return next((r for r in self.resources if r.resource is wanted), None)
