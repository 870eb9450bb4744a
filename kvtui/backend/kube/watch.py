"""What a mapping needs of one cluster, kept current: ConfigMap → Services → EndpointSlices and Pods, and the Nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from kvtui.backend.kube import parse, scope
from kvtui.backend.kube.errors import Forbidden, KubeTrouble, Missing
from kvtui.backend.kube.group import NOT_YET, Group
from kvtui.backend.kube.pulse import Pulse
from kvtui.backend.kube.reflector import Parsed
from kvtui.backend.kube.timing import Backoff
from kvtui.model.kube import Kube, Resource, ResourceState
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kvtui.backend.kube.api import Api, JsonObject
    from kvtui.backend.kube.query import Query
    from kvtui.model.kube import EndpointGroup, KubeNode, KubeService, NamespacedName, Pod

T = TypeVar("T")
Objects = dict[tuple[str, str], Any]
WAITS = "not read: the ConfigMap, which could not be read, tells which are needed"
NAMELESS = "not read: it is not known which ConfigMap tells which are needed"


class SeenService(NamedTuple):
    """A Service, and what its pods are found by."""

    service: KubeService
    selector: Mapping[str, str]


class Derived(Generic[T]):
    """A function of objects that is computed again only when they changed (when they are another dictionary)."""

    def __init__(self, function: Callable[[Objects], T]) -> None:
        self._function = function
        self._of: Objects | None = None
        self._value: T | None = None

    def __call__(self, objects: Objects) -> T:
        """Its value."""
        if self._of is not objects or self._value is None:
            self._of, self._value = objects, self._function(objects)
        return self._value


class KubeWatch:
    """Lists and watches what is needed of a cluster.

    Args:
        api: whom to ask.
        changed: called in the event loop when something is worth a new snapshot.
    """

    def __init__(self, api: Api, changed: Callable[[], None]) -> None:
        self._api, self._tell = api, changed
        self._groups = {r: Group(r, api, self._moved) for r in Resource}
        self._pulse = Pulse(api, self._half_dead)
        self._tasks: list[asyncio.Task[None]] = []
        self._configmap: NamespacedName | None = None
        self._own_name: NamespacedName | None = None
        self._own: scope.OwnPod | None = None
        self._slices = True
        self._planned: tuple[object, ...] = ()
        self._named = Derived(_named)
        self._services = Derived(_services)
        self._selectors = Derived(_selectors)
        self._merged = Derived(_merged)
        self._nodes = Derived(_nodes)
        self.configmap_of_pod: str | None = None
        """``--services-configmap`` as the own pod's spec has it; for when its process cannot be seen."""

    def start(self) -> None:
        """Begin; within the event loop."""
        self._groups[Resource.NODES].want(scope.nodes(), lambda _: _node)
        self._tasks.append(asyncio.create_task(self._pulse.run(), name="kube pulse"))

    def aim(self, configmap: NamespacedName | None, pod: NamespacedName | None) -> None:
        """What to look at; may change, as when the controller is restarted with another ConfigMap.

        Args:
            configmap: None while it is not known which.
            pod: the controller's own, or kvtui's beside it; None when it is not known.
        """
        if pod is not None and pod != self._own_name:
            self._own_name = pod
            self._tasks.append(asyncio.create_task(self._learn_own_pod(pod), name="kube own pod"))
        if configmap is not None and configmap != self._configmap:
            self._configmap = configmap
            wanted = scope.configmap(configmap)
            self._groups[Resource.CONFIGMAPS].want(wanted, lambda _: _configmap)
            self._moved()

    async def _learn_own_pod(self, pod: NamespacedName) -> None:
        """Which DaemonSet it is of, and which ConfigMap that one reads."""
        backoff = Backoff(self._api.timing)
        while True:
            try:
                obj = await self._api.fetch(f"/api/v1/namespaces/{pod[0]}/pods/{pod[1]}")
                self._own = scope.own_pod(pod[0], parse.labels(obj), parse.owner_uid(obj))
                self.configmap_of_pod = parse.services_configmap(obj)
            except (Forbidden, Missing):
                return  # the same right is missing for the list of pods, which says so
            except KubeTrouble:
                await self._api.pause(backoff.next())
            else:
                self._moved()
                return

    def _half_dead(self, trouble: KubeTrouble, at: float) -> None:
        for group in self._groups.values():
            for reflector in group.reflectors():
                reflector.cut(trouble, at)

    def _moved(self) -> None:
        """Something changed: other objects may be needed now."""
        self._plan()
        self._tell()

    def _plan(self) -> None:
        configmaps, services = self._groups[Resource.CONFIGMAPS], self._groups[Resource.SERVICES]
        if not configmaps.asked or not configmaps.known:
            return
        endpoints = self._groups[Resource.ENDPOINTS]
        self._slices = self._slices and not endpoints.missing
        wanted = self._named(configmaps.objects())
        ready = services.known or services.forbidden
        selectors = None if services.forbidden or not ready else self._selectors(services.objects())
        # Identities will do: each is made anew only when what it is made of changed.
        plan = (id(wanted), self._slices, ready, id(selectors), self._own)
        if plan == self._planned:
            return
        self._planned = plan
        services.want(scope.services(wanted), _service_parser)
        endpoints.want(scope.endpoints(wanted, slices=self._slices), _endpoints_parser)
        if ready:
            queries = scope.pods(selectors, wanted, self._own)
            self._groups[Resource.PODS].want(queries, lambda _: _pod_parser(selectors, self._own))

    def kube(self, now: float) -> Kube:
        """What is known.

        Args:
            now: seconds since the epoch.
        """
        configmaps = self._groups[Resource.CONFIGMAPS]
        found = configmaps.objects().get(self._configmap) if self._configmap else None
        return Kube(
            server=self._api.server,
            configmap_name=self._configmap,
            configmap=found,
            configmap_missing=configmaps.asked and configmaps.known and found is None,
            services=self._view(Resource.SERVICES, self._services),
            endpoints=self._view(Resource.ENDPOINTS, self._merged),
            pods=self._view(Resource.PODS, _same),
            nodes=self._view(Resource.NODES, self._nodes),
            resources=tuple(self._state(r, now) for r in Resource),
        )

    def _view(self, resource: Resource, shape: Callable[[Objects], T]) -> T | None:
        """A kind's objects as the model has them; None when it was never read."""
        group = self._groups[resource]
        return shape(group.objects()) if group.asked and group.believable else None

    def _state(self, resource: Resource, now: float) -> ResourceState:
        group = self._groups[resource]
        if group.asked:
            return group.state(now)
        if self._configmap is None:
            return ResourceState(resource, SourceState.UNAVAILABLE, NAMELESS)
        failed = any(r.error for r in self._groups[Resource.CONFIGMAPS].reflectors())
        return ResourceState(resource, SourceState.UNAVAILABLE, WAITS if failed else NOT_YET)

    async def settle(self) -> None:
        """Wait until everything that is needed was listed, or cannot be."""
        for resource in (Resource.CONFIGMAPS, Resource.SERVICES, Resource.ENDPOINTS, Resource.PODS, Resource.NODES):
            await self._groups[resource].tried()

    async def close(self) -> None:
        """Drop all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for group in self._groups.values():
            await group.close()


def _named(objects: Objects) -> frozenset[NamespacedName]:
    return frozenset().union(*(scope.services_named(c.data) for c in objects.values()))


def _services(objects: Objects) -> dict[NamespacedName, KubeService]:
    return {name: seen.service for name, seen in objects.items()}


def _selectors(objects: Objects) -> dict[NamespacedName, Mapping[str, str]]:
    return {name: seen.selector for name, seen in objects.items()}


def _merged(objects: Objects) -> dict[NamespacedName, tuple[EndpointGroup, ...]]:
    """The slices of one Service put together, in the order of their names."""
    found: dict[NamespacedName, list[EndpointGroup]] = {}
    for _, (owner, groups) in sorted(objects.items()):
        found.setdefault(owner, []).extend(groups)
    return {owner: tuple(groups) for owner, groups in found.items()}


def _nodes(objects: Objects) -> dict[str, KubeNode]:
    return {name: node for (_, name), node in objects.items()}


def _same(objects: Objects) -> dict[NamespacedName, Pod]:
    return objects


def _configmap(obj: JsonObject) -> Parsed:
    return Parsed(parse.key(obj), parse.configmap(obj))


def _node(obj: JsonObject) -> Parsed:
    return Parsed(parse.key(obj), parse.node(obj))


def _service_parser(query: Query) -> Callable[[JsonObject], Parsed | None]:
    def read(obj: JsonObject) -> Parsed | None:
        name = parse.key(obj)
        if query.wanted is not None and name not in query.wanted:
            return None
        return Parsed(name, SeenService(parse.service(obj), parse.selector(obj)))

    return read


def _endpoints_parser(query: Query) -> Callable[[JsonObject], Parsed | None]:
    slices = query.plural == "endpointslices"

    def read(obj: JsonObject) -> Parsed | None:
        found = parse.slice_of(obj) if slices else parse.endpoints(obj)
        if found is None or (query.wanted is not None and found[0] not in query.wanted):
            return None
        return Parsed(parse.key(obj), found)

    return read


def _pod_parser(
    selectors: Mapping[NamespacedName, Mapping[str, str]] | None, own: scope.OwnPod | None
) -> Callable[[JsonObject], Parsed | None]:
    behind = scope.PodFilter(selectors)

    def read(obj: JsonObject) -> Parsed | None:
        name = parse.key(obj)
        controller = own is not None and name[0] == own.namespace and parse.owner_uid(obj) == own.owner
        if not controller and not behind(name[0], parse.labels(obj)):
            return None
        return Parsed(name, parse.pod(obj, controller=controller))

    return read
