"""The layers that the Kubernetes API shows: the ConfigMap's entry, its Service, the Service's ready endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import endpoint
from kvtui.model.kube import Resource
from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.chain.index import protocol
from kvtui.rules.chain.link import DOUBT, Layer, Link, Mark
from kvtui.rules.chain.names import QUOTED, listed, named
from kvtui.rules.chain.without_api import links_without_api
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.servers.pods import pods
from kvtui.rules.triage.words import quoted

if TYPE_CHECKING:
    from kvtui.model.kube import Kube, KubeService, ServicePort
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import PodView
    from kvtui.rules.chain.index import ChainIndex, Port
    from kvtui.rules.mapping.backends import Backend, PortBackends


class Demand(Struct, frozen=True):
    """What the cluster asks of keepalived for one VIP and port.

    Attributes:
        vip: whether the VIP is asked for; None when that cannot be said.
        reals: address and port of the ready endpoints, which must be the real servers; empty when no virtual server
            is asked for; None when not known, or when the cluster's own layers are broken: then no layer below is at
            fault for it.
        method: NAT, DR, PROXY …; None when not known.
    """

    vip: bool | None = None
    reals: frozenset[tuple[str, int]] | None = None
    method: str | None = None


NOT_KNOWN = Demand()
NOT_ASKED = Demand(vip=False)


def cluster_links(index: ChainIndex, address: str, port: Port | None) -> tuple[tuple[Link, Link, Link], Demand]:
    """The first three links, and what follows from them for the others."""
    kube = index.seen.snapshot.kube
    entry = index.entries.get(address)
    if kube is None:
        return links_without_api(index, entry), NOT_KNOWN
    first = _configmap(index, kube, address, entry)
    if entry is None or first.mark is not Mark.OK:
        return (first, *_without_entry(first, entry)), NOT_ASKED if first.mark is Mark.BROKEN else NOT_KNOWN
    if entry.state is MappingState.VIP_ONLY or entry.target is None:
        second = Link(Layer.SERVICE, Mark.NONE, "the entry asks for none")
        return (first, second, Link(Layer.ENDPOINTS, Mark.NONE, "the entry asks for none")), Demand(
            vip=True, reals=frozenset()
        )
    second, service, chosen = _service(index, kube, entry, port)
    if service is None or chosen is None:
        third = Link(Layer.ENDPOINTS, second.mark if second.mark is Mark.UNKNOWN else Mark.NONE, "of no Service")
        gone = second.mark is Mark.BROKEN and service is None
        return (first, second, third), NOT_ASKED if gone else NOT_KNOWN
    third, found = _endpoints(index, kube, service, chosen)
    if third.mark is not Mark.OK or found is None:
        return (first, second, third), Demand(vip=_other_port_is_ready(kube, service) if kube.endpoints else None)
    # in proxy mode HAProxy takes the connections, and there is no virtual server
    proxied = entry.method == "PROXY" or index.controller.proxy_mode
    reals = None if proxied else frozenset(b.key for b in found.backends)
    return (first, second, third), Demand(vip=True, reals=reals, method=entry.method)


def _doubt(kube: Kube, resource: Resource) -> str:
    """Why a kind is not known to be current, for the end of a sentence."""
    state = kube.resource(resource)
    if state is None or state.state is SourceState.OK or not state.detail:
        return ""
    return f"{DOUBT}{state.detail})"


def _why_not(kube: Kube, resource: Resource) -> str:
    state = kube.resource(resource)
    return f"{resource.value} were not read: {state.detail if state and state.detail else 'not yet'}"


def _age(index: ChainIndex, kube: Kube, resource: Resource) -> float | None:
    state = kube.resource(resource)
    return index.since(state.read_at if state else None)


def _configmap(index: ChainIndex, kube: Kube, address: str, entry: Mapping | None) -> Link:
    age = _age(index, kube, Resource.CONFIGMAPS)
    if kube.configmap_name is None:
        which = "which ConfigMap maps the VIPs is not known: name it with --configmap NAMESPACE/NAME"
        return Link(Layer.CONFIGMAP, Mark.UNKNOWN, which, age)
    namespace, name = kube.configmap_name
    whole, at = f"ConfigMap {namespace}/{name}", f"kubectl -n {quoted(namespace)}"
    if kube.configmap_missing:
        create = f"{at} get configmap {quoted(name)}  # the controller's --services-configmap names it"
        return Link(Layer.CONFIGMAP, Mark.BROKEN, f"the API has no {whole}", age, create)
    if kube.configmap is None or index.seen.mappings is None:
        return Link(Layer.CONFIGMAP, Mark.UNKNOWN, _why_not(kube, Resource.CONFIGMAPS), age)
    edit = f"{at} edit configmap {quoted(name)}"
    if entry is None or entry.source != "configmap":
        if ":" in address:
            other = "an IPv6 address cannot be a key of a ConfigMap: this VIP comes from elsewhere"
            return Link(Layer.CONFIGMAP, Mark.NONE, other, age)
        return Link(
            Layer.CONFIGMAP, Mark.BROKEN, f"{whole} has no entry for {plain(address, QUOTED)}", age,
            f"{edit}  # add it as NAMESPACE/SERVICE; else the controller's next sync takes the VIP away",
        )  # fmt: skip
    doubt = _doubt(kube, Resource.CONFIGMAPS)
    if entry.state is MappingState.ERROR:
        return Link(
            Layer.CONFIGMAP, Mark.BROKEN, f"its entry is skipped: {entry.error}{doubt}", age, f"{edit}  # fix it"
        )
    what = f"{named(entry)} by {plain(entry.method or '?', 20)}" if entry.target else "an empty value, the VIP alone"
    return Link(Layer.CONFIGMAP, Mark.OK, f"{namespace}/{name} maps it to {what}{doubt}", age)


def _without_entry(first: Link, entry: Mapping | None) -> tuple[Link, Link]:
    """Service and endpoints when no usable entry tells which: they are not at fault."""
    if first.mark is Mark.UNKNOWN:
        why = "not known without the ConfigMap"
        return Link(Layer.SERVICE, Mark.UNKNOWN, why), Link(Layer.ENDPOINTS, Mark.UNKNOWN, why)
    skipped = entry is not None and entry.state is MappingState.ERROR  # it may name one: ns/service:nat
    why = "its entry is skipped" if skipped else "no entry of the ConfigMap names one"
    return Link(Layer.SERVICE, Mark.NONE, why), Link(Layer.ENDPOINTS, Mark.NONE, why)


def _service(
    index: ChainIndex, kube: Kube, entry: Mapping, port: Port | None
) -> tuple[Link, KubeService | None, ServicePort | None]:
    age, name = _age(index, kube, Resource.SERVICES), named(entry)
    if kube.services is None or entry.target is None:
        return Link(Layer.SERVICE, Mark.UNKNOWN, _why_not(kube, Resource.SERVICES), age), None, None
    look = f"kubectl -n {quoted(entry.namespace or '')} get service"
    only = index.controller.namespace
    if only and only != entry.namespace:
        unseen = f"Service {name} is not seen by the controller, which watches {plain(only, QUOTED)} only"
        return (
            Link(Layer.SERVICE, Mark.BROKEN, unseen, age, "kubectl edit daemonset  # args: without --watch-namespace"),
            None,
            None,
        )
    service = kube.services.get(entry.target)
    if service is None:
        gone = f"the API has no Service {name}: the controller skips the entry"
        return (
            Link(Layer.SERVICE, Mark.BROKEN, gone, age, f"{look}  # create it, or name another one in the entry"),
            None,
            None,
        )
    if service.type == "ExternalName":
        external = f"Service {name} is of type ExternalName, a DNS name without endpoints: no real server comes of it"
        remedy = f"{look}  # name a Service with a selector in the entry"
        return Link(Layer.SERVICE, Mark.BROKEN, external, age, remedy), None, None
    chosen = next((p for p in service.ports if port and (p.port, protocol(p.protocol)) == port), None)
    if chosen is None:
        has = ", ".join(str(p.port) for p in service.ports) or "none"
        wrong = f"Service {name} has no port {port or ''}; its ports: {has}"
        return Link(Layer.SERVICE, Mark.BROKEN, wrong, age, f"{look} -o wide"), service, None
    words = f"{name} {chosen.port}/{chosen.protocol} to targetPort {plain(str(chosen.target_port), QUOTED)}"
    return Link(Layer.SERVICE, Mark.OK, words + _doubt(kube, Resource.SERVICES), age), service, chosen


def _endpoints(
    index: ChainIndex, kube: Kube, service: KubeService, port: ServicePort
) -> tuple[Link, PortBackends | None]:
    age, layer = _age(index, kube, Resource.ENDPOINTS), Layer.ENDPOINTS
    if kube.endpoints is None:
        return Link(layer, Mark.UNKNOWN, _why_not(kube, Resource.ENDPOINTS), age), None
    found = next(p for p in port_backends(service, endpoints_of(kube, service.key)) if p.port == port)
    known = pods(kube, service.key)

    def name(backend: Backend) -> str:
        return _pod(kube, backend, known.get(backend.address))

    waiting = listed(found.others, name)
    if found.backends:
        words = f"{len(found.backends)} ready: {listed(found.backends, name)}"
        more = f"; {len(found.others)} not ready: {waiting}" if waiting else ""
        return Link(layer, Mark.OK, words + more + _doubt(kube, Resource.ENDPOINTS), age), found
    none = f"port {port.port}: {found.why_none}" + (f": {waiting}" if waiting else "")
    left_out = "; keepalived-vip leaves out a port without a ready one, and the VIP when no port has one"
    look = f"kubectl -n {quoted(service.namespace)} get endpoints,pods -o wide"
    return Link(layer, Mark.BROKEN, none + left_out, age, look), None


def _other_port_is_ready(kube: Kube, service: KubeService) -> bool:
    """Whether a port of the Service keeps the VIP in keepalived's config."""
    return any(p.backends for p in port_backends(service, endpoints_of(kube, service.key)))


def _pod(kube: Kube, backend: Backend, pod: PodView | None) -> str:
    """A backend by the name of its pod, with why it is not ready where the API says so."""
    where = endpoint(*backend.key)
    if pod is None:
        return where
    known = (kube.pods or {}).get((pod.namespace, pod.name))
    node = f" on {plain(pod.node, QUOTED)}" if pod.node else ""
    why = f", {plain(known.reason, QUOTED)}" if known and known.reason and not backend.ready else ""
    return f"{plain(pod.name, QUOTED)}{node} ({where}{why})"
