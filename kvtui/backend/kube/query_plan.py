"""Which objects are needed: from the ConfigMap to queries as narrow as the API allows.

A query for one name or one label costs the API server and this process least; hundreds of them would cost more than one
for a whole namespace, and dozens of namespaces more than one for the cluster. What a wide query brings that is not
needed is dropped as it is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.kube.parse import SERVICE_LABEL
from kvtui.backend.kube.query import Query
from kvtui.model.kube import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.model.kube import NamespacedName

NARROW = 4
"""Queries of one kind that may run side by side before one wider query takes their place."""
LONGEST_SELECTOR = 2000
"""Characters: some proxies cut URLs at 4 KiB."""
LONGEST_NAME = 253
DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
VERSIONING = frozenset({"controller-revision-hash", "pod-template-generation", "pod-template-hash"})
"""Labels that differ between pods of one DaemonSet while it is updated."""


def services_named(data: Mapping[str, str]) -> frozenset[NamespacedName]:
    """Every Service that a ConfigMap's values could mean; rules.mapping.grammar decides which they do mean.

    Generous on purpose (``ns/svc:80:DR`` means ``svc:80`` to the controller and ``svc`` to whoever wrote it), so that
    an error's explanation can say that the Service exists. Linear in the length of a value.
    """
    found = set()
    for value in data.values():
        for line in value[: 4 * LONGEST_NAME].splitlines()[:2]:
            namespace, slash, rest = line.partition("/")
            service = rest.partition(":")[0]
            pair = (namespace.strip(), service.strip())
            if slash and all(len(p) <= LONGEST_NAME and DNS_NAME.fullmatch(p) for p in pair):
                found.add(pair)
    return frozenset(found)


def _by_name(resource: Resource, plural: str, wanted: Iterable[NamespacedName]) -> set[Query]:
    return {Query(resource, plural, n[0], fields=f"metadata.name={n[1]}", wanted=frozenset({n})) for n in wanted}


def configmap(name: NamespacedName) -> set[Query]:
    """The one ConfigMap; RBAC with resourceNames allows exactly this."""
    return _by_name(Resource.CONFIGMAPS, "configmaps", [name])


def nodes() -> set[Query]:
    return {Query(Resource.NODES, "nodes")}


def services(wanted: frozenset[NamespacedName]) -> set[Query]:
    if len(wanted) <= NARROW:
        return _by_name(Resource.SERVICES, "services", wanted)
    return {Query(Resource.SERVICES, "services", ns, wanted=names) for ns, names in _by_place(wanted).items()}


def endpoints(wanted: frozenset[NamespacedName], *, slices: bool) -> set[Query]:
    if not slices:
        return {replace(q, resource=Resource.ENDPOINTS, plural="endpoints") for q in services(wanted)}
    return {
        Query(Resource.ENDPOINTS, "endpointslices", ns, labels=_service_labels(names), wanted=names)
        for ns, names in _by_place(wanted).items()
    }


def _service_labels(wanted: frozenset[NamespacedName]) -> str:
    names = ",".join(sorted({name for _, name in wanted}))
    return f"{SERVICE_LABEL} in ({names})" if len(names) <= LONGEST_SELECTOR else SERVICE_LABEL


class OwnPod(Struct, frozen=True):
    """Tells which pods to look at: those of one DaemonSet, whose uid is ``owner``, by its label selector."""

    namespace: str
    labels: str
    owner: str


def own_pod(namespace: str, labels: Mapping[str, str], owner: str | None) -> OwnPod | None:
    kept = {k: v for k, v in labels.items() if k not in VERSIONING}
    return OwnPod(namespace, _equal(kept), owner) if owner else None


def pods(
    selectors: Mapping[NamespacedName, Mapping[str, str]] | None,
    wanted: frozenset[NamespacedName],
    own: OwnPod | None,
) -> set[Query]:
    """The pods behind Services, and those of the controller.

    ``selectors`` are of the Services that were read; None when they cannot be: then all pods of their namespaces.
    """
    chosen = {k: s for k, s in (selectors or {}).items() if s}
    if selectors is None:
        found = {Query(Resource.PODS, "pods", ns) for ns in _by_place(wanted)}
    elif len(chosen) <= NARROW:
        found = {Query(Resource.PODS, "pods", ns, labels=_equal(s)) for (ns, _), s in chosen.items()}
    else:
        meaning = frozenset((f"{ns}/{name}", _equal(s)) for (ns, name), s in chosen.items())
        found = {Query(Resource.PODS, "pods", ns, wanted=meaning) for ns in _by_place(chosen)}
    if own is not None:
        found.add(Query(Resource.PODS, "pods", own.namespace, labels=own.labels))
    return found


def _equal(labels: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()))


def _by_place(wanted: Iterable[NamespacedName]) -> dict[str | None, frozenset[NamespacedName]]:
    """By namespace; all under None, which is the whole cluster, when the namespaces are many."""
    spaces = {namespace for namespace, _ in wanted}
    if len(spaces) > NARROW:
        return {None: frozenset(wanted)}
    return {space: frozenset(w for w in wanted if w[0] == space) for space in spaces}


class PodFilter:
    """Whether a pod is behind one of the Services, fast for hundreds of them; None lets every pod through."""

    def __init__(self, selectors: Mapping[NamespacedName, Mapping[str, str]] | None) -> None:
        self._all = selectors is None
        self._by_label: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
        for (namespace, _), chosen in (selectors or {}).items():
            if chosen:
                label, value = min(chosen.items())
                self._by_label.setdefault((namespace, label, value), []).append(chosen)

    def __call__(self, namespace: str, labels: Mapping[str, str]) -> bool:
        return self._all or any(
            chosen.items() <= labels.items()
            for label, value in labels.items()
            for chosen in self._by_label.get((namespace, label, value), ())
        )
