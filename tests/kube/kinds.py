"""The kinds that the emulator serves, and kubectl's discovery of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import aiohttp.web

if TYPE_CHECKING:
    from tests.kube.objects import Object


class Kind(NamedTuple):
    """A kind of the API and its names."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: str = ""

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}".lstrip("/")


KINDS = (
    Kind("", "v1", "configmaps", "ConfigMap", short="cm"),
    Kind("", "v1", "services", "Service", short="svc"),
    Kind("", "v1", "endpoints", "Endpoints", short="ep"),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Kind("", "v1", "pods", "Pod", short="po"),
    Kind("", "v1", "nodes", "Node", namespaced=False, short="no"),
    Kind("apps", "v1", "daemonsets", "DaemonSet", short="ds"),
    Kind("", "v1", "events", "Event", short="ev"),  # for `kubectl describe`; always empty
)
BY_PLURAL = {k.plural: k for k in KINDS}
BY_KIND = {k.kind: k for k in KINDS}


def discovery(path: str) -> aiohttp.web.Response | None:
    """Answers kubectl's discovery requests; None for another path."""
    groups: dict[str, list[Kind]] = {}
    for kind in KINDS:
        groups.setdefault(kind.group_version, []).append(kind)
    if path == "/api":
        return aiohttp.web.json_response({"kind": "APIVersions", "versions": ["v1"]})
    if path == "/apis":
        named = [(kinds[0].group, {"groupVersion": v, "version": kinds[0].version}) for v, kinds in groups.items()]
        listed = [{"name": g, "versions": [v], "preferredVersion": v} for g, v in named if g]
        return aiohttp.web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
    if path == "/openapi/v2":
        return aiohttp.web.Response()  # an empty protobuf document: without a schema kubectl validates nothing
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in groups:
        return None
    found = {"kind": "APIResourceList", "groupVersion": version, "resources": [_resource(k) for k in groups[version]]}
    return aiohttp.web.json_response(found)


def _resource(kind: Kind) -> Object:
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        "shortNames": [kind.short] if kind.short else [],
    }
