"""The objects of the lab's API, and the endpoints that a cluster's controllers derive from Services and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.kube import objects
from tests.lab.spec import REAL_SERVERS, real4

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.kube.cluster import FakeCluster
    from tests.kube.objects import Object

VIP, ECHO_VIP, GATEWAY_VIP = "10.4.0.50", "10.4.0.51", "10.4.0.60"
CONFIGMAP = {VIP: "default/nginx", ECHO_VIP: "default/echo:DR", GATEWAY_VIP: ""}
"""The tutorial's entry (NAT), one by direct routing, and a VIP without Service, the pods' gateway for NAT answers."""
APPS = {"nginx": (1, 2, 3), "echo": (4, 5)}
"""Service → the numbers of its real servers, which are its pods."""


def pods() -> dict[str, Object]:
    """Returns the Services' pods by name: nginx-1 is rs-1, … echo-2 is rs-5."""
    return {
        f"{app}-{place}": objects.pod(
            f"{app}-{place}",
            labels={"app": app},
            ip=real4(number),
            node=f"node-{'abc'[number % 3]}",
        )
        for app, numbers in APPS.items()
        for place, number in enumerate(numbers, start=1)
    }


def initial_objects(nodes: Mapping[str, str]) -> list[Object]:
    """Returns the API's objects at the lab's start; ``nodes`` are addresses by name."""
    return [
        objects.configmap(CONFIGMAP),
        *(objects.service(app, clusterIP=f"10.96.0.{number}") for number, app in enumerate(APPS, start=10)),
        *pods().values(),
        *(objects.node(name, address) for name, address in nodes.items()),
        *(objects.controller_pod(name, address) for name, address in nodes.items()),
    ]


def server_of(pod: str) -> str:
    """Returns the real server (a network namespace) of this pod.

    Raises:
        KeyError: There is no such pod.
    """
    address = pods()[pod]["status"]["podIP"]
    return next(f"rs-{number}" for number in range(1, REAL_SERVERS + 1) if real4(number) == address)


def with_readiness(pod: Object, *, ready: bool) -> Object:
    """Returns the pod with this Ready condition."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {**pod, "status": {**pod["status"], "conditions": [condition]}}


def reconcile(cluster: FakeCluster) -> None:
    """Updates Endpoints and EndpointSlices from Services and pods, as the endpoint controllers do."""
    services = {_key(s): s for s in cluster.all("services")}
    everyone = cluster.all("pods")
    for key, service in services.items():
        if selector := service.get("spec", {}).get("selector"):
            chosen = [p for p in everyone if p["metadata"]["namespace"] == key[0] and _selected(p, selector)]
            for made in _endpoint_objects(service, chosen):
                _put_if_changed(cluster, made)
    for plural in ("endpoints", "endpointslices"):
        for found in cluster.all(plural):
            namespace, name = _key(found)
            labels = found["metadata"].get("labels") or {}
            if (namespace, labels.get("kubernetes.io/service-name", name)) not in services:
                cluster.delete(plural, namespace, name)


def targets(cluster: FakeCluster) -> list[tuple[str, int]]:
    """Returns each VIP and TCP port that the client requests. It waits for answers, so their Services must be ready."""
    data = next((c.get("data") or {} for c in cluster.all("configmaps") if _key(c) == objects.CONFIGMAP), {})
    ready = {_key(e) for e in cluster.all("endpoints") if any(s.get("addresses") for s in e.get("subsets") or ())}
    services = {"/".join(_key(s)): s for s in cluster.all("services") if _key(s) in ready}
    return [
        (vip, port["port"])
        for vip, value in data.items()
        if (service := services.get(value.partition(":")[0]))
        for port in service["spec"].get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _selected(pod: Object, selector: Mapping[str, str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(pod.get("status", {}).get("podIP")) and selector.items() <= labels.items()


def _endpoint_objects(service: Object, chosen: list[Object]) -> Iterator[Object]:
    namespace, name = _key(service)
    numbers = [
        {"name": p.get("name", ""), "port": p.get("targetPort", p["port"]), "protocol": p.get("protocol", "TCP")}
        for p in service["spec"].get("ports") or ()
        if isinstance(p.get("targetPort", p["port"]), int)  # the lab's pods have no named ports
    ]
    subset: dict[str, Any] = {"ports": numbers}
    for pod in chosen:
        field = "addresses" if _is_ready(pod) else "notReadyAddresses"
        subset.setdefault(field, []).append({"ip": pod["status"]["podIP"], "targetRef": _reference(pod)})
    yield {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": objects.metadata(namespace, name),
        "subsets": [subset] if chosen else [],
    }
    places = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": _is_ready(pod)},
            "targetRef": _reference(pod),
            "nodeName": pod["spec"].get("nodeName"),
        }
        for pod in chosen
    ]
    yield {**objects.endpointslice(name, *places, namespace=namespace), "ports": numbers}


def _is_ready(pod: Object) -> bool:
    return {"type": "Ready", "status": "True"} in pod["status"].get("conditions", ())


def _reference(pod: Object) -> Object:
    namespace, name = _key(pod)
    return {"kind": "Pod", "namespace": namespace, "name": name}


def _put_if_changed(cluster: FakeCluster, made: Object) -> None:
    plural = {"Endpoints": "endpoints", "EndpointSlice": "endpointslices"}[made["kind"]]
    before = next((o for o in cluster.all(plural) if _key(o) == _key(made)), {})
    if {n: v for n, v in before.items() if n != "metadata"} != {n: v for n, v in made.items() if n != "metadata"}:
        cluster.put(made)
