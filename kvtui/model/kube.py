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
    ENDPOINTS = "endpointslices"  # `endpoints` on clusters without EndpointSlices (before 1.19)
    PODS = "pods"
    NODES = "nodes"


class ResourceState(Struct, frozen=True):
    resource: Resource
    state: SourceState  # ok, degraded (old data, no watch), unavailable (never read)
    detail: str = ""  # the loss, its cause (verb and resource for a 403) and the next step
    read_at: float | None = None  # when it was last known to be current (seconds since the epoch)
    forbidden: bool = False  # the API keeps answering 403
    remedy: str = ""  # commands that grant the missing permission


class ConfigMap(Struct, frozen=True):
    namespace: str
    name: str
    data: Mapping[str, str]  # VIP → value, unchanged; text from outside, of any length and content
    resource_version: str = ""
    annotations: tuple[str, ...] = ()
    """Keys only (``k8s.co/cloud-provider-config`` means that a controller rewrites the ConfigMap)."""


class ServicePort(Struct, frozen=True):
    """``target_port`` is a number or the name of a container port."""

    name: str
    port: int
    target_port: int | str
    protocol: str = "TCP"


class KubeService(Struct, frozen=True):
    """keepalived-vip uses only its ports."""

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
    address: str
    ready: bool  # the API's condition (null counts as ready)
    terminating: bool = False
    pod: NamespacedName | None = None  # targetRef; None if it is not a pod
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
    reason: str = ""  # why it is not ready, such as `CrashLoopBackOff`
    controller: bool = False  # it belongs to the keepalived-vip DaemonSet (same owner as the pod on this node)
    started: float | None = None  # start of its last container, else of the pod (seconds since the epoch)


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
    """The cluster. A resource that could not be read is None, never empty."""

    server: str  # URL of the API, without credentials
    configmap_name: NamespacedName | None = None
    configmap: ConfigMap | None = None  # None if not read, or if it does not exist (`configmap_missing`)
    configmap_missing: bool = False
    services: Mapping[NamespacedName, KubeService] | None = None  # those that the ConfigMap names
    endpoints: Mapping[NamespacedName, tuple[EndpointGroup, ...]] | None = None
    pods: Mapping[NamespacedName, Pod] | None = None  # those behind the Services, and the controller pods
    nodes: Mapping[str, KubeNode] | None = None
    resources: tuple[ResourceState, ...] = ()

    def resource(self, wanted: Resource) -> ResourceState | None:
        return next((r for r in self.resources if r.resource is wanted), None)
