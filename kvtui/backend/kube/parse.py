"""Turns the API's JSON into kvtui's own values. It drops what is not needed, labels and managed fields first.

Field meanings: the API reference of Kubernetes 1.31, core/v1 and discovery.k8s.io/v1.
"""

from __future__ import annotations

from datetime import datetime
from sys import intern
from typing import TYPE_CHECKING, Any

from kvtui.model.ip import canonical_or_same
from kvtui.model.keepalived import parse_flags
from kvtui.model.kube import (
    ConfigMap,
    Endpoint,
    EndpointGroup,
    EndpointPort,
    KubeNode,
    KubeService,
    Pod,
    ServicePort,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.model.kube import NamespacedName

JsonObject = dict[str, Any]
SERVICE_LABEL = "kubernetes.io/service-name"


def key(obj: JsonObject) -> NamespacedName:
    """Namespace (empty for a node) and name."""
    meta = obj["metadata"]
    return (intern(str(meta.get("namespace") or "")), str(meta["name"]))


def configmap(obj: JsonObject) -> ConfigMap:
    """``binaryData`` is left out: the controller ignores it too."""
    meta = obj["metadata"]
    return ConfigMap(
        *key(obj),
        _strings(obj.get("data")),
        str(meta.get("resourceVersion", "")),
        tuple(sorted(meta.get("annotations") or {})),
    )


def service(obj: JsonObject) -> KubeService:
    spec = obj.get("spec") or {}
    ports = tuple(
        ServicePort(str(p.get("name") or ""), int(p["port"]), _target(p), _protocol(p)) for p in spec.get("ports") or ()
    )
    cluster_ip = spec.get("clusterIP")
    return KubeService(
        *key(obj),
        str(spec.get("type") or "ClusterIP"),
        ports,
        str(cluster_ip) if cluster_ip else None,
        tuple(str(ip) for ip in spec.get("externalIPs") or ()),
    )


def selector(obj: JsonObject) -> Mapping[str, str]:
    """Labels of the pods behind a Service; empty when somebody else makes its endpoints."""
    return _strings((obj.get("spec") or {}).get("selector"))


def _strings(values: JsonObject | None) -> dict[str, str]:
    return {str(k): str(v) for k, v in (values or {}).items()}


def _interned(value: object) -> str | None:
    return intern(str(value)) if value else None


def _target(port: JsonObject) -> int | str:
    value = port.get("targetPort") or int(port["port"])
    if isinstance(value, int):
        return value
    text = str(value)
    return int(text) if text.isdecimal() else text


def _protocol(port: JsonObject) -> str:
    return intern(str(port.get("protocol") or "TCP"))


def slice_of(obj: JsonObject) -> tuple[NamespacedName, tuple[EndpointGroup, ...]] | None:
    """The Service of an EndpointSlice, and its endpoints; None when it names no Service, or is of FQDNs."""
    owner = (obj["metadata"].get("labels") or {}).get(SERVICE_LABEL)
    if not owner or obj.get("addressType") == "FQDN":
        return None
    namespace, _ = key(obj)
    found = tuple(
        _endpoint(str(address), e, namespace) for e in obj.get("endpoints") or () for address in e.get("addresses", ())
    )
    return ((namespace, intern(str(owner))), (EndpointGroup(_ports(obj.get("ports") or ()), found),))


def _endpoint(address: str, e: JsonObject, namespace: str) -> Endpoint:
    conditions = e.get("conditions") or {}
    return Endpoint(
        canonical(address),
        conditions.get("ready") is not False,  # None means ready
        conditions.get("terminating") is True,
        _pod_of(e.get("targetRef"), namespace),
        _interned(e.get("nodeName")),
    )


def _pod_of(ref: JsonObject | None, namespace: str) -> NamespacedName | None:
    if not ref or ref.get("kind") != "Pod" or not ref.get("name"):
        return None
    return (intern(str(ref.get("namespace") or namespace)), str(ref["name"]))


_known_ports: dict[tuple[EndpointPort, ...], tuple[EndpointPort, ...]] = {}


def _ports(ports: Iterable[JsonObject]) -> tuple[EndpointPort, ...]:
    """Equal ones are kept once: thousands of slices have the same. A slice's port may be None (all ports): left out."""
    found = tuple(
        EndpointPort(intern(str(p.get("name") or "")), int(p["port"]), _protocol(p)) for p in ports if p.get("port")
    )
    if len(_known_ports) > 10_000:
        _known_ports.clear()
    return _known_ports.setdefault(found, found)


def endpoints(obj: JsonObject) -> tuple[NamespacedName, tuple[EndpointGroup, ...]]:
    """The same from an Endpoints object (clusters before 1.19): one group a subset."""
    owner = key(obj)
    return (owner, tuple(_subset(s, owner[0]) for s in obj.get("subsets") or ()))


def _subset(subset: JsonObject, namespace: str) -> EndpointGroup:
    both = ((True, subset.get("addresses") or ()), (False, subset.get("notReadyAddresses") or ()))
    found = tuple(
        Endpoint(
            canonical(str(a["ip"])),
            ready,
            pod=_pod_of(a.get("targetRef"), namespace),
            node=_interned(a.get("nodeName")),
        )
        for ready, addresses in both
        for a in addresses
    )
    return EndpointGroup(_ports(subset.get("ports") or ()), found)


def pod(obj: JsonObject, *, controller: bool = False) -> Pod:
    status = obj.get("status") or {}
    ready, ip = _ready_condition(status).get("status") == "True", status.get("podIP")
    return Pod(
        *key(obj),
        _interned((obj.get("spec") or {}).get("nodeName")),
        canonical(str(ip)) if ip else None,
        ready,
        intern(str(status.get("phase") or "Unknown")),
        "" if ready else _reason(obj, status),
        controller,
        _started(status),
    )


def _ready_condition(status: JsonObject) -> JsonObject:
    return next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})


def _started(status: JsonObject) -> float | None:
    """When its last container started, since those of a pod are restarted without it; else when its node took it up."""
    states = (c.get("state") or {} for c in status.get("containerStatuses") or ())
    moments = [_moment((s.get("running") or {}).get("startedAt")) for s in states]
    return max((m for m in moments if m is not None), default=None) or _moment(status.get("startTime"))


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _reason(obj: JsonObject, status: JsonObject) -> str:
    """As ``kubectl get pods`` would put it: deletion, the pod's own reason, else the first container that waits."""
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    states = [(c.get("state") or {}).get(kind) or {} for c in containers for kind in ("waiting", "terminated")]
    waiting = [s["reason"] for s in states if s.get("reason") != "Completed" and "reason" in s]
    reasons = (status.get("reason"), *waiting, _ready_condition(status).get("reason"))
    return str(next((r for r in reasons if r), ""))


def owner_uid(obj: JsonObject) -> str | None:
    """The uid of the controller (a DaemonSet) that made a pod."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((str(o.get("uid")) for o in owners if o.get("controller") and o.get("uid")), None)


def labels(obj: JsonObject) -> Mapping[str, str]:
    return _strings(obj["metadata"].get("labels"))


def node(obj: JsonObject) -> KubeNode:
    status = obj.get("status") or {}
    addresses = [(a.get("type"), canonical(str(a.get("address")))) for a in status.get("addresses") or ()]
    return KubeNode(
        key(obj)[1],
        tuple(a for kind, a in addresses if kind == "InternalIP"),
        tuple(a for kind, a in addresses if kind == "ExternalIP"),
        _ready_condition(status).get("status") == "True",
    )


def canonical(address: str) -> str:
    if address.count(".") == 3 and ":" not in address:
        return address  # the API only accepts canonical IPv4; 20,000 of them need not be parsed
    return canonical_or_same(address)


def services_configmap(obj: JsonObject) -> str | None:
    for container in (obj.get("spec") or {}).get("containers") or ():
        words = ("", *(container.get("command") or ()), *(container.get("args") or ()))
        if named := parse_flags([str(w) for w in words]).get("services-configmap"):
            return named
    return None
