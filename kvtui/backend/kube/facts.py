"""The lines between the node and the API's process: JSON, one fact a line.

To the process: ``{"place": …, "timing": …}`` first, then ``{"configmap": [NS, NAME], "pod": [NS, NAME]}`` whenever that
changes. From it: ``{"objects": RESOURCE, "set": [[KEY, VALUE], …], "gone": [KEY, …]}``, ``{"status": …}`` and, when
there is nothing else, ``{"alive": true}``. Tokens, keys and certificates are in none of them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from kvtui.model.kube import ConfigMap, EndpointGroup, KubeNode, KubeService, NamespacedName, Pod, Resource
from kvtui.model.source import SourceState  # noqa: TC001 - msgspec reads the annotations

SliceOfService = tuple[NamespacedName, tuple[EndpointGroup, ...]]
"""The Service that a slice belongs to, and its endpoints."""


class ResourceStatus(Struct, frozen=True):
    """How far one kind can be believed, as the API's process sees it; ``model.kube.ResourceState`` has more.

    Attributes:
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
    """The state of the API's process; ``settled``: everything that is needed was listed, or cannot be.

    ``resources`` are in the order of ``Resource``; ``configmap`` is None while it is not known which.
    """

    server: str
    configmap: NamespacedName | None
    configmap_missing: bool
    settled: bool
    resources: tuple[ResourceStatus, ...]


VALUES: dict[Resource, Any] = {
    Resource.CONFIGMAPS: ConfigMap,
    Resource.SERVICES: KubeService,
    Resource.ENDPOINTS: SliceOfService,
    Resource.PODS: Pod,
    Resource.NODES: KubeNode,
}
"""The type of a kind's values."""
