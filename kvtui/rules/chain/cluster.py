"""The layers of the Kubernetes API: the ConfigMap's entry, its Service, the Service's ready endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import endpoint
from kvtui.model.kube import Kube, KubeService, Resource, ServicePort
from kvtui.model.mapping import Mapping, MappingState
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain
from kvtui.rules.chain.index import ChainIndex, Port, protocol
from kvtui.rules.chain.link import OUTDATED, ChainLink, Layer, LayerReading, Mark
from kvtui.rules.mapping.backends import Backend, PortBackends, endpoints_of, port_backends
from kvtui.rules.phrases import MAX_QUOTED, listed, service_name, shell_word
from kvtui.rules.servers.views import pods

if TYPE_CHECKING:
    from kvtui.model.observation import PodView


class Demand(Struct, frozen=True):
    """Requirements of the cluster on keepalived for a VIP and port.

    Attributes:
        vip: whether the VIP is required; None if unknown.
        reals: address and port of the ready endpoints, which must be the real servers; empty if no virtual server is
            required; None if unknown, or if a layer of the cluster is broken.
        method: NAT, DR, PROXY …; None if unknown.
    """

    vip: bool | None = None
    reals: frozenset[tuple[str, int]] | None = None
    method: str | None = None


REASONS = {
    UnavailableReason.ABSENT: "no Kubernetes API is configured",
    UnavailableReason.UNWANTED: "Kubernetes is disabled (--no-kube)",
}
NO_API_REMEDY = "set --kubeconfig FILE, or disable these layers with --no-kube"
UNKNOWN = Demand()
NOT_REQUIRED = Demand(vip=False)


def cluster_links(
    index: ChainIndex, address: str, port: Port | None
) -> tuple[tuple[ChainLink, ChainLink, ChainLink], Demand]:
    kube = index.seen.snapshot.kube
    entry = index.entries.get(address)
    if kube is None:
        return _without_api(index, entry), UNKNOWN
    first = _configmap(index, kube, address, entry)
    if entry is None or first.mark is not Mark.OK:
        return (first, *_without_entry(first, entry)), NOT_REQUIRED if first.mark is Mark.BROKEN else UNKNOWN
    if entry.state is MappingState.VIP_ONLY or entry.target is None:
        second, third = _service_and_endpoints(Mark.NONE, "the entry has no Service")
        return (first, second, third), Demand(vip=True, reals=frozenset())
    second, service, chosen = _service(index, kube, entry, port)
    if service is None or chosen is None:
        mark = second.mark if second.mark is Mark.UNKNOWN else Mark.NONE
        third = ChainLink(Layer.ENDPOINTS, mark, "not known without the Service's port" if service else "no Service")
        missing = second.mark is Mark.BROKEN and service is None
        return (first, second, third), NOT_REQUIRED if missing else UNKNOWN
    third, behind = _endpoints(index, kube, service, chosen)
    if behind is None:
        ports = port_backends(service, endpoints_of(kube, service.key))
        return (first, second, third), Demand(vip=any(p.backends for p in ports) if kube.endpoints else None)
    # in proxy mode HAProxy accepts the connections, without a virtual server
    proxied = entry.method == "PROXY" or index.controller.proxy_mode
    reals = None if proxied else frozenset(b.key for b in behind.backends)
    return (first, second, third), Demand(vip=True, reals=reals, method=entry.method)


def _service_and_endpoints(mark: Mark, why: str) -> tuple[ChainLink, ChainLink]:
    return ChainLink(Layer.SERVICE, mark, why), ChainLink(Layer.ENDPOINTS, mark, why)


def _without_api(index: ChainIndex, entry: Mapping | None) -> tuple[ChainLink, ChainLink, ChainLink]:
    """Returns the mapping as derived from keepalived.conf.

    The layers are unknown if a cluster exists but cannot be read. They are not needed with ``--no-kube``, or if nothing
    on the node refers to a cluster: no API, no controller, no Service in a comment.
    """
    source = index.seen.snapshot.source(SourceName.KUBERNETES)
    why = REASONS.get(source.reason) if source.reason else None
    why = why or f"no data from the API: {source.detail or 'not yet read'}"
    mark = Mark.UNKNOWN if _has_cluster(index, source.reason) else Mark.NONE
    remedy = NO_API_REMEDY if source.reason in REASONS and mark is Mark.UNKNOWN else ""
    comment = f"; the config's comment names {service_name(entry)}" if entry and entry.target else ""
    return (
        ChainLink(Layer.CONFIGMAP, mark, why + _from_conf(entry), remedy=remedy),
        ChainLink(Layer.SERVICE, mark, why + comment, remedy=remedy),
        ChainLink(Layer.ENDPOINTS, mark, why, remedy=remedy),
    )


def _has_cluster(index: ChainIndex, reason: UnavailableReason | None) -> bool:
    if reason is UnavailableReason.UNWANTED:
        return False
    controlled = any(k.controller is not None for k in index.seen.snapshot.keepalived)
    return reason is None or controlled or any(m.target is not None for m in index.entries.values())


def _from_conf(entry: Mapping | None) -> str:
    if entry is None:
        return ""
    if entry.state is MappingState.VIP_ONLY:
        return "; keepalived.conf has only the VIP"
    target = service_name(entry) if entry.target else "no Service"
    return f"; according to keepalived.conf: {target} with {plain(entry.method or '?', 20)}"


def _staleness(kube: Kube, resource: Resource) -> str:
    state = kube.resource(resource)
    if state is None or state.state is SourceState.OK or not state.detail:
        return ""
    return f"{OUTDATED}{state.detail})"


def _not_read(kube: Kube, resource: Resource) -> str:
    state = kube.resource(resource)
    return f"{resource.value} were not read: {state.detail if state and state.detail else 'not yet'}"


def _layer(index: ChainIndex, kube: Kube, layer: Layer, resource: Resource) -> LayerReading:
    state = kube.resource(resource)
    return LayerReading(layer, index.since(state.read_at if state else None))


def _configmap(index: ChainIndex, kube: Kube, address: str, entry: Mapping | None) -> ChainLink:
    layer = _layer(index, kube, Layer.CONFIGMAP, Resource.CONFIGMAPS)
    if kube.configmap_name is None:
        return layer.unknown("the ConfigMap with the VIPs is unknown: set --configmap NAMESPACE/NAME")
    namespace, name = kube.configmap_name
    configmap, kubectl = f"ConfigMap {namespace}/{name}", f"kubectl -n {shell_word(namespace)}"
    if kube.configmap_missing:
        get = f"{kubectl} get configmap {shell_word(name)}  # the controller's --services-configmap names it"
        return layer.broken(f"the API has no {configmap}", get)
    if kube.configmap is None or index.seen.mappings is None:
        return layer.unknown(_not_read(kube, Resource.CONFIGMAPS))
    edit = f"{kubectl} edit configmap {shell_word(name)}"
    if entry is None or entry.source != "configmap":
        if ":" in address:
            return layer.none("an IPv6 address cannot be a key of a ConfigMap: this VIP has another source")
        add = f"{edit}  # add it as NAMESPACE/SERVICE; otherwise the controller's next sync removes the VIP"
        return layer.broken(f"{configmap} has no entry for {plain(address, MAX_QUOTED)}", add)
    stale = _staleness(kube, Resource.CONFIGMAPS)
    if entry.state is MappingState.ERROR:
        return layer.broken(f"the controller skips its entry: {entry.error}{stale}", f"{edit}  # correct the entry")
    target = f"{service_name(entry)} with {plain(entry.method or '?', 20)}" if entry.target else "no Service (VIP only)"
    return layer.ok(f"{namespace}/{name} maps it to {target}{stale}")


def _without_entry(first: ChainLink, entry: Mapping | None) -> tuple[ChainLink, ChainLink]:
    if first.mark is Mark.UNKNOWN:
        return _service_and_endpoints(Mark.UNKNOWN, "not known without the ConfigMap")
    skipped = entry is not None and entry.state is MappingState.ERROR  # it may name a Service: ns/service:nat
    return _service_and_endpoints(
        Mark.NONE, "the controller skips its entry" if skipped else "the ConfigMap has no entry"
    )


def _service(
    index: ChainIndex, kube: Kube, entry: Mapping, port: Port | None
) -> tuple[ChainLink, KubeService | None, ServicePort | None]:
    layer, name = _layer(index, kube, Layer.SERVICE, Resource.SERVICES), service_name(entry)
    if kube.services is None or entry.target is None:
        return layer.unknown(_not_read(kube, Resource.SERVICES)), None, None
    get = f"kubectl -n {shell_word(entry.namespace or '')} get service"
    watched = index.controller.namespace
    if watched and watched != entry.namespace:
        ignored = f"the controller watches only namespace {plain(watched, MAX_QUOTED)} and ignores Service {name}"
        edit = "remove --watch-namespace from the args of the controller's DaemonSet"
        return layer.broken(ignored, edit), None, None
    service = kube.services.get(entry.target)
    if service is None:
        create = f"{get}  # create the Service, or correct the entry"
        return layer.broken(f"the API has no Service {name}: the controller skips the entry", create), None, None
    if service.type == "ExternalName":
        external = f"Service {name} has type ExternalName (a DNS name) and so no endpoints and no real servers"
        return layer.broken(external, f"{get}  # use a Service with a selector in the entry"), None, None
    chosen = next((p for p in service.ports if port and (p.port, protocol(p.protocol)) == port), None)
    if chosen is None:
        ports = ", ".join(str(p.port) for p in service.ports) or "none"
        lacks = f"Service {name} has no port {port or ''}; its ports: {ports}"
        return layer.broken(lacks, f"{get} -o wide"), service, None
    detail = f"{name} {chosen.port}/{chosen.protocol} to targetPort {plain(str(chosen.target_port), MAX_QUOTED)}"
    return layer.ok(detail + _staleness(kube, Resource.SERVICES)), service, chosen


def _endpoints(
    index: ChainIndex, kube: Kube, service: KubeService, port: ServicePort
) -> tuple[ChainLink, PortBackends | None]:
    layer = _layer(index, kube, Layer.ENDPOINTS, Resource.ENDPOINTS)
    if kube.endpoints is None:
        return layer.unknown(_not_read(kube, Resource.ENDPOINTS)), None
    behind = next(p for p in port_backends(service, endpoints_of(kube, service.key)) if p.port == port)
    known = pods(kube, service.key)

    def name(backend: Backend) -> str:
        return _pod(kube, backend, known.get(backend.address))

    waiting = listed(behind.others, name)
    if behind.backends:
        ready = f"{len(behind.backends)} ready: {listed(behind.backends, name)}"
        more = f"; {len(behind.others)} not ready: {waiting}" if waiting else ""
        return layer.ok(ready + more + _staleness(kube, Resource.ENDPOINTS)), behind
    none = f"port {port.port}: {behind.why_none}" + (f": {waiting}" if waiting else "")
    omitted = "; keepalived-vip omits a port without ready endpoints, and the VIP if no port has one"
    get = f"kubectl -n {shell_word(service.namespace)} get endpoints,pods -o wide"
    return layer.broken(none + omitted, get), None


def _pod(kube: Kube, backend: Backend, pod: PodView | None) -> str:
    where = endpoint(*backend.key)
    if pod is None:
        return where
    known = (kube.pods or {}).get((pod.namespace, pod.name))
    node = f" on {plain(pod.node, MAX_QUOTED)}" if pod.node else ""
    why = f", {plain(known.reason, MAX_QUOTED)}" if known and known.reason and not backend.ready else ""
    return f"{plain(pod.name, MAX_QUOTED)}{node} ({where}{why})"
