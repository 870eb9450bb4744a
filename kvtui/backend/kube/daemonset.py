"""Run as a program: prints which pods a DaemonSet has, and on which nodes it should have one and has none.

    python -m kvtui.backend.kube.daemonset NAMESPACE NAME CONTAINER KUBECONFIG CONTEXT

A JSON document a line, every few seconds, until its reader is gone. A process of its own, as ``exec`` is.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from kvtui.backend.kube.errors import NO_LIBRARY, ForbiddenError, KubeError
from kvtui.backend.kube.exec import fail, find_place
from kvtui.backend.kube.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    Object = dict[str, Any]

SECONDS = 3.0
PRESSURE = ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
"""Taints that every pod of a DaemonSet tolerates (node.kubernetes.io/…); with hostNetwork network-unavailable too."""
OPERATORS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "Exists": lambda value, _wanted: value is not None,
    "DoesNotExist": lambda value, _wanted: value is None,
    "Gt": lambda value, wanted: value is not None and value.isdigit() and int(value) > int(wanted[0]),
    "Lt": lambda value, wanted: value is not None and value.isdigit() and int(value) < int(wanted[0]),
}


def main() -> None:
    namespace, name, container, kubeconfig, context = sys.argv[1:]
    try:
        from kvtui.backend.kube.session import Session  # noqa: PLC0415 - the library may be missing
    except ImportError:
        fail(NO_LIBRARY)
    try:
        session = Session(find_place(kubeconfig, context), Timing())
        while True:
            what = f"get DaemonSet {namespace}/{name}"
            found = session.get(f"/apis/apps/v1/namespaces/{quote(namespace)}/daemonsets/{quote(name)}", what=what)
            labels = ",".join(f"{k}={v}" for k, v in (found["spec"]["selector"].get("matchLabels") or {}).items())
            query = urlencode({"labelSelector": labels})
            listed = session.get(f"/api/v1/namespaces/{quote(namespace)}/pods?{query}", what="list pods")
            try:
                nodes = session.get("/api/v1/nodes", what="list nodes").get("items") or []
            except ForbiddenError:  # then the number of nodes without a pod is known, not their names
                nodes = []
            document = pods_of(found, listed.get("items") or [], nodes, container)
            sys.stdout.write(json.dumps({"schema": 1, **document}) + "\n")
            sys.stdout.flush()
            time.sleep(SECONDS)
    except BrokenPipeError:
        sys.exit(0)
    except KubeError as error:
        fail(f"DaemonSet {namespace}/{name}: {error}")


def pods_of(daemonset: Object, pods: list[Object], nodes: list[Object], container: str) -> Object:
    """Returns the pods by the names of their nodes, the nodes without one, and how many more lack one."""
    uid = daemonset["metadata"].get("uid")
    own = {p["spec"]["nodeName"]: p for p in pods if _is_of(p, uid) and p["spec"].get("nodeName")}
    spec = daemonset["spec"].get("template", {}).get("spec", {})
    missing = sorted(n["metadata"]["name"] for n in nodes if is_wanted(spec, n) and n["metadata"]["name"] not in own)
    status = daemonset.get("status") or {}
    lacking = (status.get("desiredNumberScheduled") or 0) - (status.get("currentNumberScheduled") or 0)
    found = {node: _place(pod, container) for node, pod in own.items()}
    return {"pods": found, "missing": missing, "unnamed": 0 if nodes else max(0, lacking)}


def _is_of(pod: Object, uid: str | None) -> bool:
    meta = pod["metadata"]
    ended = meta.get("deletionTimestamp") or (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
    return not ended and any(o.get("uid") == uid for o in meta.get("ownerReferences") or ())


def _place(pod: Object, container: str) -> Object:
    """Returns the container to exec into, and whether kvtui is there."""
    spec, meta = pod["spec"], pod["metadata"]
    every = [*spec.get("containers", ()), *(spec.get("ephemeralContainers") or ())]
    here = [c["name"] for c in every]
    keepalived = [c["name"] for c in every if "keepalived" in f"{c['name']} {c.get('image')}"]
    chosen = container if container in here else next(iter([*keepalived, *here]), container)
    return {"host": f"pod/{meta['namespace']}/{meta['name']}/{chosen}", "kvtui": container in here}


def is_wanted(spec: Object, node: Object) -> bool:
    """Decides whether a node gets a pod, as the DaemonSet controller does."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is not None and not any(_matches(term, node) for term in required.get("nodeSelectorTerms") or ()):
        return False
    always = (*PRESSURE, "network-unavailable") if spec.get("hostNetwork") else PRESSURE
    tolerations = [{"key": f"node.kubernetes.io/{name}", "operator": "Exists"} for name in always]
    tolerations += spec.get("tolerations") or ()
    taints = [t for t in node["spec"].get("taints") or () if t.get("effect") in {"NoSchedule", "NoExecute"}]
    return all(any(_tolerates(t, taint) for t in tolerations) for taint in taints)


def _matches(term: Object, node: Object) -> bool:
    labels, fields = node["metadata"].get("labels") or {}, {"metadata.name": node["metadata"]["name"]}
    wanted = [(e, labels) for e in term.get("matchExpressions") or ()]
    wanted += [(e, fields) for e in term.get("matchFields") or ()]
    return bool(wanted) and all(
        e.get("operator") in OPERATORS and OPERATORS[e["operator"]](values.get(e.get("key")), e.get("values") or [])
        for e, values in wanted
    )


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in {None, "", taint.get("effect")}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in {None, "", taint.get("key")}
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


if __name__ == "__main__":
    main()
