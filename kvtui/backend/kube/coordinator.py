"""What the mappings need of one cluster, kept current: ConfigMap → Services → EndpointSlices and Pods, and the Nodes.

One thread decides: the others put calls for it into a queue.
"""

from __future__ import annotations

import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from kvtui.backend.kube import parse, query_plan
from kvtui.backend.kube.errors import ForbiddenError, KubeError, MissingError, RejectedError, UnreachableError
from kvtui.backend.kube.facts import ResourceStatus, Status
from kvtui.backend.kube.feeds import NOT_YET, Feeds
from kvtui.backend.kube.timing import Backoff
from kvtui.model.kube import Resource
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kvtui.backend.kube.facts import SliceOfService
    from kvtui.backend.kube.parse import JsonObject
    from kvtui.backend.kube.query_plan import Query
    from kvtui.backend.kube.session import Session
    from kvtui.backend.kube.watcher import Parser
    from kvtui.model.kube import KubeService, NamespacedName, Pod

BATCH = 200
"""Objects a line: the node decodes one between two turns of its event loop."""
WAITS = "not read: the ConfigMap, which could not be read, tells which are needed"
NAMELESS = "not read: it is not known which ConfigMap tells which are needed"

PROBE = "/version"
"""Anybody may ask it (ClusterRole system:public-info-viewer), and any answer will do, a refusal too."""


class ServiceSeen(NamedTuple):
    service: KubeService
    selector: Mapping[str, str]


class Coordinator:
    def __init__(self, session: Session, send: Callable[[dict[str, Any]], None]) -> None:
        self._session, self._send = session, send
        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._feeds = {r: Feeds(session, self.calls.put) for r in Resource}
        self._given_configmap: NamespacedName | None = None
        self._own_configmap: NamespacedName | None = None
        """The one that the own pod's controller reads."""
        self._configmap: NamespacedName | None = None
        self._pod: NamespacedName | None = None
        self._own: query_plan.OwnPod | None = None
        self._own_tried = True
        self._slices = True
        self._planned: tuple[object, ...] = ()
        self._status: Status | None = None

    def run(self) -> None:
        self._feeds[Resource.NODES].set_queries(query_plan.nodes(), lambda _, obj: parse.node(obj))
        probe = (self._session, lambda error, at: self.calls.put(partial(self._cut, error, at)))
        threading.Thread(target=probe_health, args=probe, name="health probe", daemon=True).start()
        while True:
            try:
                calls = [self.calls.get(timeout=self._session.timing.alive)]
            except queue.Empty:
                self._send({"alive": True})
                continue
            while len(calls) < BATCH and not self.calls.empty():
                calls.append(self.calls.get())
            for call in calls:
                call()
            self._plan()
            self._publish()

    def _cut(self, error: KubeError, at: float) -> None:
        for feeds in self._feeds.values():
            feeds.cut(error, at)

    def set_targets(self, configmap: NamespacedName | None, pod: NamespacedName | None) -> None:
        """What to look at; None while not known. It changes when the controller is restarted with another ConfigMap."""
        self._given_configmap = configmap
        before, self._pod = self._pod, pod
        if pod is not None and pod != before:
            self._own_tried = False
            threading.Thread(target=self._read_own_pod, args=(pod,), name="own pod", daemon=True).start()

    def _set_own(self, own: query_plan.OwnPod | None, configmap: NamespacedName | None) -> None:
        self._own, self._own_configmap, self._own_tried = own, configmap, True

    def _skip_own(self) -> None:
        self._own_tried = True

    def _read_own_pod(self, pod: NamespacedName) -> None:
        timing = self._session.timing
        backoff = Backoff(timing.first_pause, timing.max_pause)
        while self._pod == pod:
            try:
                obj = self._session.get(f"/api/v1/namespaces/{pod[0]}/pods/{pod[1]}", what="get pods")
                own = query_plan.own_pod(pod[0], parse.labels(obj), parse.owner_uid(obj))
                namespace, _, name = (parse.services_configmap(obj) or "").partition("/")
            except (KeyError, TypeError, AttributeError):
                self.calls.put(self._skip_own)
                return
            except KubeError as error:
                self.calls.put(self._skip_own)
                if isinstance(error, MissingError):
                    return
                pause = timing.forbidden if isinstance(error, ForbiddenError) else backoff.next()
                self._session.pause(pause, lambda: False)
            else:
                self.calls.put(partial(self._set_own, own, (namespace, name) if namespace and name else None))
                return

    def _plan(self) -> None:
        configmap = self._given_configmap or self._own_configmap
        configmaps, services = self._feeds[Resource.CONFIGMAPS], self._feeds[Resource.SERVICES]
        if configmap is not None and configmap != self._configmap:
            self._configmap = configmap
            configmaps.set_queries(query_plan.configmap(configmap), lambda _, obj: parse.configmap(obj))
        if not configmaps.known:
            return
        endpoints = self._feeds[Resource.ENDPOINTS]
        self._slices = self._slices and not endpoints.missing
        state = (services.generation, services.known, services.forbidden)  # where none is there, only `known` changes
        plan = (configmaps.generation, state, self._slices, self._own)
        if plan == self._planned:
            return
        self._planned = plan
        wanted = frozenset[Any]().union(*(query_plan.services_named(c.data) for c in configmaps.objects().values()))
        services.set_queries(query_plan.services(wanted), _read_service)
        endpoints.set_queries(query_plan.endpoints(wanted, slices=self._slices), _read_endpoints)
        if services.known or services.forbidden:
            selectors = None
            if not services.forbidden:
                selectors = {name: seen.selector for name, seen in services.objects().items()}
            queries = query_plan.pods(selectors, wanted, self._own)
            self._feeds[Resource.PODS].set_queries(queries, _pod_parser(selectors, self._own))

    def _publish(self) -> None:
        for resource, feeds in self._feeds.items():
            changes = feeds.changes()
            for start in range(0, len(changes), BATCH):
                part = changes[start : start + BATCH]
                self._send({
                    "objects": resource,
                    "set": [[n, v.service if isinstance(v, ServiceSeen) else v] for n, v in part if v is not None],
                    "gone": [name for name, value in part if value is None],
                })  # fmt: skip
        configmaps = self._feeds[Resource.CONFIGMAPS]
        missing = configmaps.known and self._configmap not in configmaps.objects()
        settled = self._own_tried and all(f.tried for f in self._feeds.values())
        resources = tuple(self._resource_status(feeds) for feeds in self._feeds.values())
        status = Status(self._session.server, self._configmap, missing, settled, resources)
        if status != self._status:
            self._status = status
            self._send({"status": status})

    def _resource_status(self, feeds: Feeds) -> ResourceStatus:
        if feeds.asked:
            return feeds.status()
        if self._configmap is None:
            return ResourceStatus(SourceState.UNAVAILABLE, NAMELESS)
        waits = self._feeds[Resource.CONFIGMAPS].failed
        return ResourceStatus(SourceState.UNAVAILABLE, WAITS if waits else NOT_YET)


def _read_service(query: Query, obj: JsonObject) -> ServiceSeen | None:
    return ServiceSeen(parse.service(obj), parse.selector(obj)) if query.keeps(parse.key(obj)) else None


def _read_endpoints(query: Query, obj: JsonObject) -> SliceOfService | None:
    found = parse.slice_of(obj) if query.plural == "endpointslices" else parse.endpoints(obj)
    return found if found is not None and query.keeps(found[0]) else None


def _pod_parser(selectors: Mapping[NamespacedName, Mapping[str, str]] | None, own: query_plan.OwnPod | None) -> Parser:
    behind = query_plan.PodFilter(selectors)

    def read(_query: Query, obj: JsonObject) -> Pod | None:
        namespace, _ = parse.key(obj)
        controller = own is not None and namespace == own.namespace and parse.owner_uid(obj) == own.owner
        return parse.pod(obj, controller=controller) if controller or behind(namespace, parse.labels(obj)) else None

    return read


def probe_health(session: Session, mark_gone: Callable[[KubeError, float], None]) -> NoReturn:
    """Asks every few seconds whether the API still answers: a half-dead connection is silent, just as a quiet one is.

    Needs a thread of its own. When no answer comes, twice, it calls ``mark_gone`` with the time of the last answer.
    """
    timing = session.timing
    answered_at, probed = time.time(), time.monotonic()
    while True:
        time.sleep(min(timing.probe, timing.probe_failing))
        if not session.failing and time.monotonic() - probed < timing.probe:
            continue
        error = _probe(session)
        if isinstance(error, UnreachableError):
            error = _probe(session)  # a connection that was idle may just have been closed
        if error is None:
            answered_at = time.time()
            session.succeeded()
        elif isinstance(error, UnreachableError):
            session.failed()
            mark_gone(error, answered_at)
        probed = time.monotonic()


def _probe(session: Session) -> KubeError | None:
    try:
        session.open("GET", PROBE, what="get version", read_timeout=session.timing.probe_timeout).drain_conn()
    except KubeError as error:
        return None if isinstance(error, RejectedError) else error
    return None
