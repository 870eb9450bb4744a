"""Which objects are needed: from the ConfigMap to queries as narrow as the API allows.

A query for one name or one label costs the API server and this process least; hundreds of them would cost more than one
for a whole namespace, and dozens of namespaces more than one for the cluster. What a wide query brings that is not
needed is dropped as it is read.
"""

from __future__ import annotations

import re
from shlex import quote as quote_shell
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.kube.parse import SERVICE_LABEL
from kvtui.model.kube import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.model.kube import NamespacedName

RBAC_FILE = "packaging/kubernetes/sidecar/rbac.yaml"
"""What grants every right that is used here; tests compare it with the requests made."""
SIDECAR_ACCOUNT = "system:serviceaccount:default:kube-keepalived-vip"
"""Whom that file grants them to; a test compares."""
NARROW = 4
"""Queries of one kind that may run side by side before one wider query takes their place."""
MAX_SELECTOR_CHARACTERS = 2000
"""Characters: some proxies cut URLs at 4 KiB."""
MAX_NAME_CHARACTERS = 253
DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
VERSIONING = frozenset({"controller-revision-hash", "pod-template-generation", "pod-template-hash"})
"""Labels that differ between pods of one DaemonSet while it is updated."""


class Query(Struct, frozen=True):
    """A list and watch; ``namespace`` None for all.

    Attributes:
        plural: its name in the URL; ``endpoints`` for ``Resource.ENDPOINTS`` on old clusters.
        wanted: what is kept of what it brings (names; for pods, Services and their selectors); None keeps all. A query
            that keeps something else is another query: what was dropped must be read again.
    """

    resource: Resource
    plural: str
    namespace: str | None = None
    labels: str = ""
    fields: str = ""
    wanted: frozenset[NamespacedName] | None = None

    def keeps(self, name: NamespacedName) -> bool:
        return self.wanted is None or name in self.wanted

    @property
    def group(self) -> str:
        return "discovery.k8s.io" if self.plural == "endpointslices" else ""

    @property
    def qualified(self) -> str:
        """The kind as RBAC messages write it: ``endpointslices.discovery.k8s.io``."""
        return f"{self.plural}.{self.group}".rstrip(".")

    @property
    def path(self) -> str:
        root = f"/apis/{self.group}/v1" if self.group else "/api/v1"
        where = f"/namespaces/{quote(self.namespace, safe='')}" if self.namespace else ""
        return f"{root}{where}/{self.plural}"

    def target(self, **parameters: str) -> str:
        chosen = {"labelSelector": self.labels, "fieldSelector": self.fields, **parameters}
        given = {name: value for name, value in chosen.items() if value}
        return f"{self.path}?{urlencode(given)}" if given else self.path

    @property
    def object_name(self) -> str:
        """The one object that is asked for by its name: a Role's resourceNames allow exactly this; else empty."""
        return self.fields.removeprefix("metadata.name=") if self.plural == "configmaps" else ""

    def missing_right(self, verb: str, identity: str | None) -> str:
        """Returns what a 403 means, a sentence without its remedy; ``identity`` is who is refused."""
        where = f"in namespace {self.namespace}" if self.namespace else f"in the whole cluster{self._why_whole()}"
        what = f"{self.qualified} {self.object_name}".rstrip()
        who = f" for {identity}" if identity else ""
        return f"no right to {verb} {what} {where}{who}"

    def remedy(self, identity: str | None) -> str:
        if identity == SIDECAR_ACCOUNT:
            edit = f"  # with {self.namespace}/{self.object_name} as its ConfigMap" if self.object_name else ""
            return f"kubectl apply -f {RBAC_FILE}{edit}"
        kind, place = ("role", f" -n {quote_shell(self.namespace)}") if self.namespace else ("clusterrole", "")
        name = f"kvtui-{self.plural}"
        only = f" --resource-name={quote_shell(self.object_name)}" if self.object_name else ""
        return (
            f"kubectl create {kind} {name}{place} --verb=get,list,watch --resource={self.qualified}{only} && "
            f"kubectl create {kind}binding {name}{place} --{kind}={name} {_subject(identity)}"
        )

    def _why_whole(self) -> str:
        """Why a right to some namespaces alone does not do; empty where the kind has none (nodes)."""
        names = {first.partition("/")[0] for first, _ in self.wanted or ()}  # of pods: namespace/service
        return f" (the ConfigMap names Services of {len(names)} namespaces: too many to ask for each)" if names else ""


def _subject(identity: str | None) -> str:
    if identity is None:
        return "--user=NAME"
    account = identity.removeprefix("system:serviceaccount:")
    if account != identity:
        return f"--serviceaccount={quote_shell(account)}"
    return f"--user={quote_shell(identity)}"


def services_named(data: Mapping[str, str]) -> frozenset[NamespacedName]:
    """Every Service that a ConfigMap's values could mean; rules.mapping.grammar decides which they do mean.

    Generous on purpose (``ns/svc:80:DR`` means ``svc:80`` to the controller and ``svc`` to whoever wrote it), so that
    an error's explanation can say that the Service exists. Linear in the length of a value.
    """
    found = set()
    for value in data.values():
        for line in value[: 4 * MAX_NAME_CHARACTERS].splitlines()[:2]:
            namespace, slash, rest = line.partition("/")
            service = rest.partition(":")[0]
            pair = (namespace.strip(), service.strip())
            if slash and all(len(p) <= MAX_NAME_CHARACTERS and DNS_NAME.fullmatch(p) for p in pair):
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
    return f"{SERVICE_LABEL} in ({names})" if len(names) <= MAX_SELECTOR_CHARACTERS else SERVICE_LABEL


class OwnPod(Struct, frozen=True):
    """The own pod's DaemonSet: its uid is ``owner``, and ``labels`` select its pods."""

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
