"""The tables of `kubectl get`: the API server answers with tables, and kubectl only aligns them.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.kube.objects import Object

Column = tuple[str, int, "Callable[[Object], str]"]
"""Title, priority (1: only with ``-o wide``), and the cell of an object."""


def accepts_table(accept: str) -> bool:
    """Whether the client accepts tables."""
    return "as=Table" in accept


def _ports(service: Object) -> str:
    return ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in service["spec"].get("ports") or ())


def _endpoints(found: Object) -> str:
    pairs = [
        f"{address['ip']}:{port['port']}"
        for subset in found.get("subsets") or ()
        for port in subset["ports"]
        for address in subset.get("addresses") or ()
    ]
    return ",".join(pairs) or "<none>"


def _is_ready(obj: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in obj.get("status", {}).get("conditions") or ())


def _internal_ip(node: Object) -> str:
    return next((a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"), "<none>")


def _slice(found: Object) -> str:
    return ",".join(address for endpoint in found["endpoints"] for address in endpoint["addresses"]) or "<none>"


COLUMNS: dict[str, tuple[Column, ...]] = {
    "configmaps": (("Data", 0, lambda o: str(len(o.get("data") or {}))),),
    "services": (
        ("Type", 0, lambda o: str(o["spec"].get("type", "ClusterIP"))),
        ("Cluster-IP", 0, lambda o: str(o["spec"].get("clusterIP", "<none>"))),
        ("Port(s)", 0, _ports),
    ),
    "endpoints": (("Endpoints", 0, _endpoints),),
    "endpointslices": (("Endpoints", 0, _slice),),
    "pods": (
        ("Ready", 0, lambda o: "1/1" if _is_ready(o) else "0/1"),
        ("Status", 0, lambda o: str(o.get("status", {}).get("phase", "Pending"))),
        ("IP", 1, lambda o: str(o.get("status", {}).get("podIP", "<none>"))),
        ("Node", 1, lambda o: str(o.get("spec", {}).get("nodeName", "<none>"))),
    ),
    "nodes": (
        ("Status", 0, lambda o: "Ready" if _is_ready(o) else "NotReady"),
        ("Internal-IP", 1, _internal_ip),
    ),
}


def table(plural: str, objects: Sequence[Object], resource_version: str = "") -> Object:
    """Returns the table of these objects."""
    columns = COLUMNS.get(plural, ())
    titles = [("Name", 0), *((title, priority) for title, priority, _ in columns)]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": resource_version},
        "columnDefinitions": [
            {"name": title, "type": "string", "format": "name" if title == "Name" else "", "priority": priority}
            for title, priority in titles
        ],
        "rows": [
            {
                "cells": [obj["metadata"]["name"], *(cell(obj) for _, _, cell in columns)],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": obj["metadata"],
                },
            }
            for obj in objects
        ],
    }
