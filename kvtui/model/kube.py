"""The part of the Kubernetes API that mappings need, as plain values."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from enum import StrEnum

from msgspec import Struct

from kvtui.model.source import SourceState  # noqa: TC001 - as above

NamespacedName = tuple[str, str]
"""Namespace and name."""


class Resource(StrEnum):
    """The resources that kvtui reads, by their RBAC names."""

    CONFIGMAPS = "configmaps"
    SERVICES = "services"
    ENDPOINTS = "endpointslices"
    """``endpoints`` on clusters without EndpointSlices (before 1.19)."""
    PODS = "pods"
    NODES = "nodes"


class ResourceState(Struct, frozen=True):
    """Whether a resource's data is current.

    Attributes:
        state: ok, degraded (old data, no watch), unavailable (never read).
        detail: the loss, its cause (verb and resource for a 403) and the next step; empty if ok.
        read_at: when it was last known to be current (seconds since the epoch); None if never.
        forbidden: the API keeps answering 403.
        remedy: commands that grant the missing permission; else empty.
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
        data: key (the VIP) → value, unchanged; text from outside, of any length and content.
        annotations: keys only (``k8s.co/cloud-provider-config`` means that a controller rewrites the ConfigMap).
    """

    namespace: str
    name: str
    data: Mapping[str, str]
    resource_version: str = ""
    annotations: tuple[str, ...] = ()


class ServicePort(Struct, frozen=True):
    """One port of a Service; ``target_port`` is a number or the name of a container port."""

    name: str
    port: int
    target_port: int | str
    protocol: str = "TCP"


class KubeService(Struct, frozen=True):
    """A Service; keepalived-vip uses only its ports."""

    namespace: str
    name: str
    type: str
    ports: tuple[ServicePort, ...]
    cluster_ip: str | None = None
    external_ips: tuple[str, ...] = ()

    @property
    def key(self) -> NamespacedName:
        return (self.namespace, self.name)


class EndpointPort(Struct, frozen=True):
    """A port of an EndpointSlice (or of an Endpoints subset)."""

    name: str
    port: int
    protocol: str = "TCP"


class Endpoint(Struct, frozen=True):
    """One address behind a Service.

    Attributes:
        ready: the API's condition (null counts as ready).
        terminating: the pod is being deleted.
        pod: namespace and name (targetRef); None if it is not a pod.
    """

    address: str
    ready: bool
    terminating: bool = False
    pod: NamespacedName | None = None
    node: str | None = None


class EndpointGroup(Struct, frozen=True):
    """Endpoints with the same ports: one EndpointSlice, or one subset of an Endpoints object."""

    ports: tuple[EndpointPort, ...]
    endpoints: tuple[Endpoint, ...]


class Pod(Struct, frozen=True):
    """A pod behind a mapped Service, or a controller pod."""

    namespace: str
    name: str
    node: str | None
    ip: str | None
    ready: bool
    phase: str
    reason: str = ""
    """Why it is not ready, such as ``CrashLoopBackOff``; empty if unknown."""
    controller: bool = False
    """It belongs to the keepalived-vip DaemonSet (same owner as the pod on this node)."""
    started: float | None = None
    """Start of its last container, else of the pod (seconds since the epoch); None if unknown."""


class KubeNode(Struct, frozen=True):
    """A node; addresses in the API's order."""

    name: str
    internal_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    ready: bool = True

    @property
    def address(self) -> str | None:
        """The address that keepalived-vip uses: the first ExternalIP, else the first InternalIP."""
        return next(iter(self.external_ips + self.internal_ips), None)


class Kube(Struct, frozen=True):
    """The cluster. A resource that could not be read is None, never empty.

    Attributes:
        server: URL of the API, without credentials.
        configmap: None if not read, or if it does not exist (``configmap_missing``).
        services: those that the ConfigMap names.
        pods: those behind the Services, and the controller pods.
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
        return next((r for r in self.resources if r.resource is wanted), None)
