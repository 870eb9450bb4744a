"""Small objects of the Kubernetes API as the API sends them; by default those of the tutorial's cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Object = dict[str, Any]

CONFIGMAP = ("default", "vip-configmap")
CONTROLLER_LABELS = {"name": "kube-keepalived-vip", "controller-revision-hash": "6d5f7", "pod-template-generation": "1"}
DAEMONSET_UID = "b5b0a4f6-0001-4c6e-9d5e-000000000001"


def metadata(namespace: str | None, name: str, **more: Any) -> Object:
    """Returns the metadata: name, namespace and further fields."""
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def configmap(data: Mapping[str, str], namespace: str = CONFIGMAP[0], name: str = CONFIGMAP[1]) -> Object:
    """Returns the ConfigMap: VIP → Service."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(namespace, name), "data": dict(data)}


def service(
    name: str,
    namespace: str = "default",
    ports: Sequence[tuple[int, int | str]] = ((80, 80),),
    selector: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """Returns a Service; ``ports`` are (port, targetPort); a real cluster assigns a clusterIP."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(namespace, name),
        "spec": {
            "type": "ClusterIP",
            **spec,
            "selector": dict(selector if selector is not None else {"app": name}),
            "ports": [{"port": p, "targetPort": t, "protocol": "TCP"} for p, t in ports],
        },
    }


def endpoint(address: str, pod: str | None = None, *, namespace: str = "default", **conditions: Any) -> Object:
    """Returns an endpoint of a slice; ``conditions`` such as ``ready=False``; ``node`` is its node's name."""
    node = conditions.pop("node", None)
    found: Object = {"addresses": [address], "conditions": {"ready": True, **conditions}}
    if pod:
        found["targetRef"] = {"kind": "Pod", "namespace": namespace, "name": pod}
    if node:
        found["nodeName"] = node
    return found


def endpointslice(
    service: str, *endpoints: Object, namespace: str = "default", suffix: str = "x1", port: int = 80
) -> Object:
    """Returns an EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata(namespace, f"{service}-{suffix}", labels={"kubernetes.io/service-name": service}),
        "addressType": "IPv4",
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def endpoints(
    service: str, ready: Sequence[str], unready: Sequence[str] = (), *, namespace: str = "default", port: int = 80
) -> Object:
    """Returns an Endpoints object; clusters before 1.19 have these instead of EndpointSlices."""
    subset: Object = {"ports": [{"port": port, "protocol": "TCP"}]}
    for field, addresses in (("addresses", ready), ("notReadyAddresses", unready)):
        if addresses:
            subset[field] = [
                {"ip": a, "targetRef": {"kind": "Pod", "namespace": namespace, "name": f"{service}-{a[-1]}"}}
                for a in addresses
            ]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": metadata(namespace, service),
        "subsets": [subset] if ready or unready else [],
    }


def pod(
    name: str,
    namespace: str = "default",
    *,
    labels: Mapping[str, str] | None = None,
    ip: str | None = None,
    node: str | None = None,
    ready: bool = True,
    waiting: str = "",
    owner: str = "",
    args: Sequence[str] = (),
) -> Object:
    """Returns a pod; ``waiting`` is a reason such as CrashLoopBackOff, ``owner`` the uid of its DaemonSet."""
    meta = metadata(namespace, name, labels=dict(labels or {}))
    if owner:
        meta["ownerReferences"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "name": "kube-keepalived-vip",
                "uid": owner,
                "controller": True,
            }
        ]
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {
            "containers": [{"name": "main", "args": list(args)}],
            **({"nodeName": node} if node else {}),
        },
        "status": {
            "phase": "Running",
            **({"podIP": ip} if ip else {}),
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "main", "ready": ready, "state": state}],
        },
    }


def controller_pod(node: str, ip: str, *, ready: bool = True, configmap: str = "/".join(CONFIGMAP)) -> Object:
    """Returns a pod of the keepalived-vip DaemonSet, ``kube-keepalived-vip-NODE``."""
    return pod(
        f"kube-keepalived-vip-{node}",
        labels=CONTROLLER_LABELS,
        ip=ip,
        node=node,
        ready=ready,
        owner=DAEMONSET_UID,
        args=(f"--services-configmap={configmap}", "--vrid=50"),
    )


def node(name: str, internal: str, external: str | None = None, *, ready: bool = True) -> Object:
    """Returns a Node with its addresses."""
    addresses = [{"type": "InternalIP", "address": internal}, {"type": "Hostname", "address": name}]
    if external:
        addresses.append({"type": "ExternalIP", "address": external})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata(None, name),
        "status": {
            "addresses": addresses,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def tutorial(
    vip: str = "10.4.0.50",
    nodes: Mapping[str, str] | None = None,
    pods: Sequence[str] = ("10.2.68.5", "10.2.68.6"),
    port: int = 80,
    target_port: int = 8080,
) -> list[Object]:
    """Returns the tutorial's cluster: one VIP, default/nginx with two pods, three nodes with a controller each.

    Args:
        vip: the key in the ConfigMap.
        nodes: name → address.
        pods: addresses of nginx's pods; their names are ``nginx-1``, ``nginx-2``, …
        port: the Service's port.
        target_port: the pods' port.
    """
    nodes = nodes or {"node-a": "10.4.0.3", "node-b": "10.4.0.4", "node-c": "10.4.0.5"}
    names = list(nodes)
    placed = [(f"nginx-{i + 1}", ip, names[i % len(names)]) for i, ip in enumerate(pods)]
    return [
        configmap({vip: "default/nginx"}),
        service("nginx", ports=((port, target_port),), clusterIP="10.96.0.10"),
        endpointslice("nginx", *(endpoint(ip, name, node=on) for name, ip, on in placed), port=target_port),
        *(pod(name, labels={"app": "nginx"}, ip=ip, node=on) for name, ip, on in placed),
        *(node(name, ip) for name, ip in nodes.items()),
        *(controller_pod(name, ip) for name, ip in nodes.items()),
    ]


def unmanaged(namespace: str, vip: str = "10.4.0.50") -> list[Object]:
    """Returns one VIP and a Service without selector, with endpoints of the test: also for a real cluster."""
    return [
        configmap({vip: f"{namespace}/nginx"}, namespace),
        service("nginx", namespace, ((80, 8080),), selector={}),
        endpointslice("nginx", endpoint("10.2.68.5"), endpoint("10.2.68.6"), namespace=namespace, port=8080),
    ]
