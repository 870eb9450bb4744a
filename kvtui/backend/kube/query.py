"""One thing to list and watch: a kind, where, and which of it."""

from __future__ import annotations

from shlex import quote as quote_shell
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from msgspec import Struct

if TYPE_CHECKING:
    from kvtui.model.kube import NamespacedName, Resource

RBAC_FILE = "packaging/kubernetes/sidecar/rbac.yaml"
"""What grants every right that is used here; tests compare it with the requests made."""
SIDECAR_ACCOUNT = "system:serviceaccount:default:kube-keepalived-vip"
"""Whom that file grants them to; a test compares."""


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
