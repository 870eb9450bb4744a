"""The lines between the node and the API's process: JSON, one fact a line.

To the process: ``{"place": …, "timing": …}`` first, then ``{"configmap": [NS, NAME], "pod": [NS, NAME]}`` whenever that
changes. From it: ``{"objects": RESOURCE, "set": [[KEY, VALUE], …], "gone": [KEY, …]}``, ``{"status": …}`` and, when
nothing else is to be said, ``{"alive": true}``. Tokens, keys and certificates are in none of them.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from kvtui.model.kube import (
    ConfigMap,
    Endpoint,
    EndpointGroup,
    EndpointPort,
    KubeNode,
    KubeService,
    Pod,
    Resource,
    ServicePort,
)
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.kube import NamespacedName

SliceOfService = tuple["NamespacedName", tuple[EndpointGroup, ...]]
"""The Service that a slice belongs to, and its endpoints."""


class ResourceStatus(Struct, frozen=True):
    """How far one kind can be believed, as the API's process sees it.

    Attributes:
        state: ok, degraded (old data, watch cut), unavailable (never read).
        detail: see ``model.kube.ResourceState``.
        remedy: the same.
        forbidden: the same.
        live: its watches are open now: the data are current for as long as the process lives.
        read_at: when it is not live: the last moment at which it was (seconds since the epoch); None when never.
        known: there are objects to show.
    """

    state: SourceState
    detail: str = ""
    remedy: str = ""
    forbidden: bool = False
    live: bool = False
    read_at: float | None = None
    known: bool = False


class Status(Struct, frozen=True):
    """What the API's process says of itself.

    Attributes:
        server: the API's address, without credentials.
        configmap: which ConfigMap it watches; None when it is not known which.
        configmap_missing: the API says that there is none of that name.
        settled: everything that is needed was listed, or cannot be.
        resources: one a kind, in the order of ``Resource``.
    """

    server: str
    configmap: NamespacedName | None
    configmap_missing: bool
    settled: bool
    resources: tuple[ResourceStatus, ...]


def encode(value: Any) -> Any:
    """Returns JSON of a model's value: its fields, in order."""
    names = getattr(type(value), "__match_args__", None)
    if names is not None:
        return [encode(getattr(value, name)) for name in names]
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else dict(value)


def decode_status(fields: list[Any]) -> Status:
    """Reads what ``encode`` made of a ``Status``."""
    server, configmap, missing, settled, resources = fields
    found = tuple(ResourceStatus(SourceState(state), *rest) for state, *rest in resources)
    return Status(server, (configmap[0], configmap[1]) if configmap else None, missing, settled, found)


def _configmap(fields: list[Any]) -> ConfigMap:
    namespace, name, data, version, annotations = fields
    return ConfigMap(namespace, name, data, version, tuple(annotations))


def _service(fields: list[Any]) -> KubeService:
    namespace, name, kind, ports, cluster_ip, external_ips = fields
    return KubeService(
        intern(namespace), name, intern(kind), tuple(ServicePort(*p) for p in ports), cluster_ip, tuple(external_ips)
    )


_known_ports: dict[tuple[EndpointPort, ...], tuple[EndpointPort, ...]] = {}


def _ports(fields: list[list[Any]]) -> tuple[EndpointPort, ...]:
    """Keeps equal ones once: thousands of slices have the same."""
    found = tuple(EndpointPort(*port) for port in fields)
    if len(_known_ports) > 10_000:
        _known_ports.clear()
    return _known_ports.setdefault(found, found)


def _slice(fields: list[Any]) -> SliceOfService:
    (namespace, name), groups = fields
    return (
        (intern(namespace), intern(name)),
        tuple(EndpointGroup(_ports(ports), tuple(_endpoint(e) for e in endpoints)) for ports, endpoints in groups),
    )


def _endpoint(fields: list[Any]) -> Endpoint:
    address, ready, terminating, pod, node = fields
    return Endpoint(
        address,
        ready,
        terminating,
        (intern(pod[0]), pod[1]) if pod is not None else None,
        intern(node) if node is not None else None,
    )


def _pod(fields: list[Any]) -> Pod:
    namespace, name, node, ip, ready, phase, *rest = fields
    return Pod(intern(namespace), name, intern(node) if node is not None else None, ip, ready, intern(phase), *rest)


def _node(fields: list[Any]) -> KubeNode:
    name, internal, external, ready = fields
    return KubeNode(name, tuple(internal), tuple(external), ready)


DECODERS: dict[Resource, Callable[[list[Any]], Any]] = {
    Resource.CONFIGMAPS: _configmap,
    Resource.SERVICES: _service,
    Resource.ENDPOINTS: _slice,
    Resource.PODS: _pod,
    Resource.NODES: _node,
}
"""How a kind's values are read."""
