"""What the API's process sent: the node's copy of the cluster, as far as the mappings need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import convert

from kvtui.backend.kube.facts import VALUES, Status
from kvtui.model.kube import Kube, Resource, ResourceState
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from kvtui.backend.kube.facts import ResourceStatus
    from kvtui.model.kube import EndpointGroup, KubeNode, NamespacedName

Objects = dict[tuple[str, str], Any]


class Copy:
    """What one run of the process sent."""

    def __init__(self) -> None:
        self.status: Status | None = None
        self._objects: dict[Resource, Objects] = {r: {} for r in Resource}
        self._views: dict[Resource, Any] = {}
        """Made when they are looked at; dropped when their objects change."""

    def take(self, fact: dict[str, Any]) -> bool:
        """Returns whether anything changed."""
        if "objects" in fact:
            resource = Resource(fact["objects"])
            kind, objects = VALUES[resource], self._objects[resource]
            for (namespace, name), value in fact["set"]:
                objects[namespace, name] = convert(value, kind)
            for namespace, name in fact["gone"]:
                objects.pop((namespace, name), None)
            self._views.pop(resource, None)
            return True
        if "status" in fact:
            self.status = convert(fact["status"], Status)
            return True
        return False

    def view(self, resource: Resource) -> Any:
        if resource not in self._views:
            make = {Resource.ENDPOINTS: _merged, Resource.NODES: _nodes}.get(resource, dict)
            self._views[resource] = make(self._objects[resource])
        return self._views[resource]


class Mirror:
    """The copy that is shown; while a new process is not settled yet, the last one's."""

    def __init__(self) -> None:
        self._shown = self._filling = Copy()
        self._ended: tuple[str, float] | None = None
        """Why the process is not there, and until when its data were current."""

    @property
    def settled(self) -> bool:
        status = self._filling.status
        return status is not None and status.settled

    def begin(self) -> None:
        self._filling = Copy()
        if self._shown.status is None:
            self._shown = self._filling

    def take(self, fact: dict[str, Any]) -> bool:
        """Returns whether anything that is shown changed."""
        changed = self._filling.take(fact)
        if self._filling is not self._shown:
            if not self.settled:
                return False
            self._shown = self._filling
        if changed:
            self._ended = None
        return changed

    def end(self, why: str, now: float) -> None:
        """The process has ended, because of ``why``, a sentence."""
        self._ended = (why, self._ended[1] if self._ended else now)

    def kube(self, now: float) -> Kube | None:
        """Returns what is known at ``now``; None before the first process sent anything."""
        copy, status = self._shown, self._shown.status
        if status is None:
            return None
        states = dict(zip(Resource, status.resources, strict=True))
        views = {r: copy.view(r) if state.known else None for r, state in states.items()}
        return Kube(
            server=status.server,
            configmap_name=status.configmap,
            configmap=copy.view(Resource.CONFIGMAPS).get(status.configmap),
            configmap_missing=status.configmap_missing,
            services=views[Resource.SERVICES],
            endpoints=views[Resource.ENDPOINTS],
            pods=views[Resource.PODS],
            nodes=views[Resource.NODES],
            resources=tuple(self._state(r, s, now) for r, s in states.items()),
        )

    def _state(self, resource: Resource, status: ResourceStatus, now: float) -> ResourceState:
        state, detail, current_at = status.state, status.detail, now
        if self._ended is not None:
            detail, current_at = self._ended
            state = SourceState.DEGRADED if status.known else SourceState.UNAVAILABLE
        read_at = current_at if status.live else status.read_at
        return ResourceState(resource, state, detail, read_at, status.forbidden, status.remedy)


def _merged(objects: Objects) -> dict[NamespacedName, tuple[EndpointGroup, ...]]:
    """Puts the slices of one Service together, in the order of their names."""
    found: dict[NamespacedName, list[EndpointGroup]] = {}
    for _, (owner, groups) in sorted(objects.items()):
        found.setdefault(owner, []).extend(groups)
    return {owner: tuple(groups) for owner, groups in found.items()}


def _nodes(objects: Objects) -> dict[str, KubeNode]:
    return {name: node for (_, name), node in objects.items()}
