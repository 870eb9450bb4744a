"""What the mappings need of one cluster, kept current: ConfigMap → Services → EndpointSlices and Pods, and the Nodes.

One thread decides: watchers and the health probe put what happens into a queue.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from kvtui.backend.kube import parse, query_plan
from kvtui.backend.kube.errors import ForbiddenError, KubeError, MissingError
from kvtui.backend.kube.facts import ResourceStatus, Status
from kvtui.backend.kube.feeds import NOT_YET, Feeds
from kvtui.backend.kube.health import HealthProbe
from kvtui.backend.kube.timing import Backoff
from kvtui.backend.kube.watcher import Parsed
from kvtui.model.kube import Resource
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kvtui.backend.kube.parse import JsonObject
    from kvtui.backend.kube.query import Query
    from kvtui.backend.kube.session import Session
    from kvtui.model.kube import KubeService, NamespacedName

BATCH = 200
"""Objects a line: the node decodes one between two turns of its event loop."""
WAITS = "not read: the ConfigMap, which could not be read, tells which are needed"
NAMELESS = "not read: it is not known which ConfigMap tells which are needed"


class ServiceSeen(NamedTuple):
    service: KubeService
    selector: Mapping[str, str]


class Targets(NamedTuple):
    """What to look at; None while not known. It changes when the controller is restarted with another ConfigMap."""

    configmap: NamespacedName | None
    pod: NamespacedName | None


class OwnPodSeen(NamedTuple):
    """What the own pod tells: which DaemonSet it is of, and which ConfigMap that one reads."""

    own: query_plan.OwnPod | None
    configmap: NamespacedName | None


class HalfDead(NamedTuple):
    error: KubeError
    at: float


class Coordinator:
    def __init__(self, session: Session, send: Callable[[dict[str, Any]], None]) -> None:
        self._session, self._send = session, send
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._feeds = {r: Feeds(r, session, self._reported) for r in Resource}
        self._targets = Targets(None, None)
        self._configmap: NamespacedName | None = None
        self._own = OwnPodSeen(None, None)
        self._own_tried = True
        self._slices = True
        self._planned: tuple[object, ...] = ()
        self._status: Status | None = None

    def start(self) -> None:
        self._feeds[Resource.NODES].set_queries(query_plan.nodes(), lambda _: _parser(parse.node))
        HealthProbe(self._session, lambda error, at: self.inbox.put(HalfDead(error, at))).start()

    def _reported(self, *what: Any) -> None:
        self.inbox.put(what)

    def run(self) -> None:
        alive = self._session.timing.alive
        while True:
            try:
                items = [self.inbox.get(timeout=alive)]
            except queue.Empty:
                self._send({"alive": True})
                continue
            while len(items) < BATCH and not self.inbox.empty():
                items.append(self.inbox.get())
            for item in items:
                if item is None:
                    return
                self._take(item)
            self._plan()
            self._publish()

    def _take(self, item: Any) -> None:
        match item:
            case Targets():
                self._set_targets(item)
            case OwnPodSeen():
                self._own, self._own_tried = item, True
            case HalfDead(error, at):
                for feeds in self._feeds.values():
                    feeds.cut(error, at)
            case watcher, report:
                for feeds in self._feeds.values():
                    feeds.take(watcher, report)
            case _:
                self._own_tried = True

    def _set_targets(self, targets: Targets) -> None:
        before, self._targets = self._targets, targets
        if targets.pod is not None and targets.pod != before.pod:
            self._own_tried = False
            threading.Thread(target=self._read_own_pod, args=(targets.pod,), name="own pod", daemon=True).start()

    def _read_own_pod(self, pod: NamespacedName) -> None:
        timing = self._session.timing
        backoff = Backoff(timing.first, timing.longest)
        while self._targets.pod == pod:
            try:
                obj = self._session.get(f"/api/v1/namespaces/{pod[0]}/pods/{pod[1]}", what="get pods")
                own = query_plan.own_pod(pod[0], parse.labels(obj), parse.owner_uid(obj))
                named = (parse.services_configmap(obj) or "").partition("/")
            except (KeyError, TypeError, AttributeError):
                return
            except MissingError:
                self.inbox.put("no such pod")
                return
            except KubeError as error:
                self.inbox.put("own pod not read")
                pause = timing.forbidden if isinstance(error, ForbiddenError) else backoff.next()
                self._session.pause(pause, lambda: False)
            else:
                self.inbox.put(OwnPodSeen(own, (named[0], named[2]) if named[0] and named[2] else None))
                return

    def _plan(self) -> None:
        configmap = self._targets.configmap or self._own.configmap
        configmaps, services = self._feeds[Resource.CONFIGMAPS], self._feeds[Resource.SERVICES]
        if configmap is not None and configmap != self._configmap:
            self._configmap = configmap
            configmaps.set_queries(query_plan.configmap(configmap), lambda _: _parser(parse.configmap))
        if not configmaps.asked or not configmaps.known:
            return
        endpoints = self._feeds[Resource.ENDPOINTS]
        self._slices = self._slices and not endpoints.missing
        plan = (configmaps.generation, services.generation, self._slices, services.forbidden, self._own)
        if plan == self._planned:
            return
        wanted = frozenset[Any]().union(*(query_plan.services_named(c.data) for c in configmaps.objects().values()))
        services.set_queries(query_plan.services(wanted), _service_parser)
        endpoints.set_queries(query_plan.endpoints(wanted, slices=self._slices), _endpoints_parser)
        if services.known or services.forbidden:
            selectors = None
            if not services.forbidden:
                selectors = {name: seen.selector for name, seen in services.objects().items()}
            own = self._own.own
            queries = query_plan.pods(selectors, wanted, own)
            self._feeds[Resource.PODS].set_queries(queries, lambda _: _pod_parser(selectors, own))
        self._planned = (configmaps.generation, services.generation, self._slices, services.forbidden, self._own)

    def _publish(self) -> None:
        for resource, feeds in self._feeds.items():
            changes = feeds.changes()
            for start in range(0, len(changes), BATCH):
                part = changes[start : start + BATCH]
                self._send({
                    "objects": resource,
                    "set": [[name, _told(value)] for name, value in part if value is not None],
                    "gone": [name for name, value in part if value is None],
                })  # fmt: skip
        status = self._current_status()
        if status != self._status:
            self._status = status
            self._send({"status": status})

    def _current_status(self) -> Status:
        configmaps = self._feeds[Resource.CONFIGMAPS]
        missing = configmaps.asked and configmaps.known and self._configmap not in configmaps.objects()
        settled = self._own_tried and all(f.tried for f in self._feeds.values())
        return Status(
            self._session.server, self._configmap, missing, settled, tuple(self._resource(r) for r in Resource)
        )

    def _resource(self, resource: Resource) -> ResourceStatus:
        feeds = self._feeds[resource]
        if feeds.asked:
            return feeds.status()
        if self._configmap is None:
            return ResourceStatus(SourceState.UNAVAILABLE, NAMELESS)
        waits = self._feeds[Resource.CONFIGMAPS].failed
        return ResourceStatus(SourceState.UNAVAILABLE, WAITS if waits else NOT_YET)


def _told(value: Any) -> Any:
    return value.service if isinstance(value, ServiceSeen) else value


def _parser(read: Callable[[JsonObject], Any]) -> Callable[[JsonObject], Parsed | None]:
    return lambda obj: Parsed(parse.key(obj), read(obj))


def _service_parser(query: Query) -> Callable[[JsonObject], Parsed | None]:
    def read(obj: JsonObject) -> Parsed | None:
        name = parse.key(obj)
        if query.wanted is not None and name not in query.wanted:
            return None
        return Parsed(name, ServiceSeen(parse.service(obj), parse.selector(obj)))

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
    selectors: Mapping[NamespacedName, Mapping[str, str]] | None, own: query_plan.OwnPod | None
) -> Callable[[JsonObject], Parsed | None]:
    behind = query_plan.PodFilter(selectors)

    def read(obj: JsonObject) -> Parsed | None:
        name = parse.key(obj)
        controller = own is not None and name[0] == own.namespace and parse.owner_uid(obj) == own.owner
        if not controller and not behind(name[0], parse.labels(obj)):
            return None
        return Parsed(name, parse.pod(obj, controller=controller))

    return read
