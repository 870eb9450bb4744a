"""The layers of the Kubernetes API: the ConfigMap's entry, its Service, the Service's ready endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import endpoint
from kvtui.model.kube import Resource
from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.chain.index import protocol
from kvtui.rules.chain.link import OUTDATED, Layer, Link, Mark
from kvtui.rules.chain.without_api import links_without_api
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.phrases import MAX_QUOTED, listed, service_name, shell_word
from kvtui.rules.servers.pods import pods

if TYPE_CHECKING:
    from kvtui.model.kube import Kube, KubeService, ServicePort
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import PodView
    from kvtui.rules.chain.index import ChainIndex, Port
    from kvtui.rules.mapping.backends import Backend, PortBackends


class Demand(Struct, frozen=True):
    """What the cluster requires of keepalived for a VIP and port.

    Attributes:
        vip: whether the VIP is required; None if unknown.
        reals: address and port of the ready endpoints, which must be the real servers; empty if no virtual server is
            required; None if unknown, or if a layer of the cluster is broken.
        method: NAT, DR, PROXY …; None if unknown.
    """

    vip: bool | None = None
    reals: frozenset[tuple[str, int]] | None = None
    method: str | None = None


UNKNOWN = Demand()
NOT_REQUIRED = Demand(vip=False)


def cluster_links(index: ChainIndex, address: str, port: Port | None) -> tuple[tuple[Link, Link, Link], Demand]:
    kube = index.seen.snapshot.kube
    entry = index.entries.get(address)
    if kube is None:
        return links_without_api(index, entry), UNKNOWN
    first = _configmap(index, kube, address, entry)
    if entry is None or first.mark is not Mark.OK:
        return (first, *_without_entry(first, entry)), NOT_REQUIRED if first.mark is Mark.BROKEN else UNKNOWN
    if entry.state is MappingState.VIP_ONLY or entry.target is None:
        none = "the entry has no Service"
        links = (first, Link(Layer.SERVICE, Mark.NONE, none), Link(Layer.ENDPOINTS, Mark.NONE, none))
        return links, Demand(vip=True, reals=frozenset())
    second, service, chosen = _service(index, kube, entry, port)
    if service is None or chosen is None:
        mark = second.mark if second.mark is Mark.UNKNOWN else Mark.NONE
        third = Link(Layer.ENDPOINTS, mark, "not known without the Service's port" if service else "no Service")
        missing = second.mark is Mark.BROKEN and service is None
        return (first, second, third), NOT_REQUIRED if missing else UNKNOWN
    third, behind = _endpoints(index, kube, service, chosen)
    if third.mark is not Mark.OK or behind is None:
        return (first, second, third), Demand(vip=_has_ready_port(kube, service) if kube.endpoints else None)
    # in proxy mode HAProxy accepts the connections, without a virtual server
    proxied = entry.method == "PROXY" or index.controller.proxy_mode
    reals = None if proxied else frozenset(b.key for b in behind.backends)
    return (first, second, third), Demand(vip=True, reals=reals, method=entry.method)


def _staleness(kube: Kube, resource: Resource) -> str:
    state = kube.resource(resource)
    if state is None or state.state is SourceState.OK or not state.detail:
        return ""
    return f"{OUTDATED}{state.detail})"


def _not_read(kube: Kube, resource: Resource) -> str:
    state = kube.resource(resource)
    return f"{resource.value} were not read: {state.detail if state and state.detail else 'not yet'}"


def _age(index: ChainIndex, kube: Kube, resource: Resource) -> float | None:
    state = kube.resource(resource)
    return index.since(state.read_at if state else None)


def _configmap(index: ChainIndex, kube: Kube, address: str, entry: Mapping | None) -> Link:
    age = _age(index, kube, Resource.CONFIGMAPS)
    if kube.configmap_name is None:
        unknown = "the ConfigMap with the VIPs is unknown: set --configmap NAMESPACE/NAME"
        return Link(Layer.CONFIGMAP, Mark.UNKNOWN, unknown, age)
    namespace, name = kube.configmap_name
    configmap, kubectl = f"ConfigMap {namespace}/{name}", f"kubectl -n {shell_word(namespace)}"
    if kube.configmap_missing:
        get = f"{kubectl} get configmap {shell_word(name)}  # the controller's --services-configmap names it"
        return Link(Layer.CONFIGMAP, Mark.BROKEN, f"the API has no {configmap}", age, get)
    if kube.configmap is None or index.seen.mappings is None:
        return Link(Layer.CONFIGMAP, Mark.UNKNOWN, _not_read(kube, Resource.CONFIGMAPS), age)
    edit = f"{kubectl} edit configmap {shell_word(name)}"
    if entry is None or entry.source != "configmap":
        if ":" in address:
            other = "an IPv6 address cannot be a key of a ConfigMap: this VIP has another source"
            return Link(Layer.CONFIGMAP, Mark.NONE, other, age)
        missing = f"{configmap} has no entry for {plain(address, MAX_QUOTED)}"
        add = f"{edit}  # add it as NAMESPACE/SERVICE; otherwise the controller's next sync removes the VIP"
        return Link(Layer.CONFIGMAP, Mark.BROKEN, missing, age, add)
    stale = _staleness(kube, Resource.CONFIGMAPS)
    if entry.state is MappingState.ERROR:
        skipped = f"the controller skips its entry: {entry.error}{stale}"
        return Link(Layer.CONFIGMAP, Mark.BROKEN, skipped, age, f"{edit}  # correct the entry")
    target = f"{service_name(entry)} with {plain(entry.method or '?', 20)}" if entry.target else "no Service (VIP only)"
    return Link(Layer.CONFIGMAP, Mark.OK, f"{namespace}/{name} maps it to {target}{stale}", age)


def _without_entry(first: Link, entry: Mapping | None) -> tuple[Link, Link]:
    if first.mark is Mark.UNKNOWN:
        why = "not known without the ConfigMap"
        return Link(Layer.SERVICE, Mark.UNKNOWN, why), Link(Layer.ENDPOINTS, Mark.UNKNOWN, why)
    skipped = entry is not None and entry.state is MappingState.ERROR  # it may name a Service: ns/service:nat
    why = "the controller skips its entry" if skipped else "the ConfigMap has no entry"
    return Link(Layer.SERVICE, Mark.NONE, why), Link(Layer.ENDPOINTS, Mark.NONE, why)


def _service(
    index: ChainIndex, kube: Kube, entry: Mapping, port: Port | None
) -> tuple[Link, KubeService | None, ServicePort | None]:
    age, name = _age(index, kube, Resource.SERVICES), service_name(entry)
    if kube.services is None or entry.target is None:
        return Link(Layer.SERVICE, Mark.UNKNOWN, _not_read(kube, Resource.SERVICES), age), None, None
    get = f"kubectl -n {shell_word(entry.namespace or '')} get service"
    watched = index.controller.namespace
    if watched and watched != entry.namespace:
        ignored = f"the controller watches only namespace {plain(watched, MAX_QUOTED)} and ignores Service {name}"
        edit = "remove --watch-namespace from the args of the controller's DaemonSet"
        return Link(Layer.SERVICE, Mark.BROKEN, ignored, age, edit), None, None
    service = kube.services.get(entry.target)
    if service is None:
        missing = f"the API has no Service {name}: the controller skips the entry"
        create = f"{get}  # create the Service, or correct the entry"
        return Link(Layer.SERVICE, Mark.BROKEN, missing, age, create), None, None
    if service.type == "ExternalName":
        external = f"Service {name} has type ExternalName (a DNS name) and so no endpoints and no real servers"
        select = f"{get}  # use a Service with a selector in the entry"
        return Link(Layer.SERVICE, Mark.BROKEN, external, age, select), None, None
    chosen = next((p for p in service.ports if port and (p.port, protocol(p.protocol)) == port), None)
    if chosen is None:
        ports = ", ".join(str(p.port) for p in service.ports) or "none"
        lacks = f"Service {name} has no port {port or ''}; its ports: {ports}"
        return Link(Layer.SERVICE, Mark.BROKEN, lacks, age, f"{get} -o wide"), service, None
    detail = f"{name} {chosen.port}/{chosen.protocol} to targetPort {plain(str(chosen.target_port), MAX_QUOTED)}"
    return Link(Layer.SERVICE, Mark.OK, detail + _staleness(kube, Resource.SERVICES), age), service, chosen


def _endpoints(
    index: ChainIndex, kube: Kube, service: KubeService, port: ServicePort
) -> tuple[Link, PortBackends | None]:
    age, layer = _age(index, kube, Resource.ENDPOINTS), Layer.ENDPOINTS
    if kube.endpoints is None:
        return Link(layer, Mark.UNKNOWN, _not_read(kube, Resource.ENDPOINTS), age), None
    behind = next(p for p in port_backends(service, endpoints_of(kube, service.key)) if p.port == port)
    known = pods(kube, service.key)

    def name(backend: Backend) -> str:
        return _pod(kube, backend, known.get(backend.address))

    waiting = listed(behind.others, name)
    if behind.backends:
        ready = f"{len(behind.backends)} ready: {listed(behind.backends, name)}"
        more = f"; {len(behind.others)} not ready: {waiting}" if waiting else ""
        return Link(layer, Mark.OK, ready + more + _staleness(kube, Resource.ENDPOINTS), age), behind
    none = f"port {port.port}: {behind.why_none}" + (f": {waiting}" if waiting else "")
    omitted = "; keepalived-vip omits a port without ready endpoints, and the VIP if no port has one"
    get = f"kubectl -n {shell_word(service.namespace)} get endpoints,pods -o wide"
    return Link(layer, Mark.BROKEN, none + omitted, age, get), None


def _has_ready_port(kube: Kube, service: KubeService) -> bool:
    return any(p.backends for p in port_backends(service, endpoints_of(kube, service.key)))


def _pod(kube: Kube, backend: Backend, pod: PodView | None) -> str:
    where = endpoint(*backend.key)
    if pod is None:
        return where
    known = (kube.pods or {}).get((pod.namespace, pod.name))
    node = f" on {plain(pod.node, MAX_QUOTED)}" if pod.node else ""
    why = f", {plain(known.reason, MAX_QUOTED)}" if known and known.reason and not backend.ready else ""
    return f"{plain(pod.name, MAX_QUOTED)}{node} ({where}{why})"
