"""The watch brings edits in the cluster into the snapshot; kvtui only reads from the API."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kvtui.backend.kube.query_plan import RBAC_FILE
from kvtui.backend.node import Node
from kvtui.model.kube import ConfigMap, Endpoint, EndpointPort, KubeNode, KubeService, Resource, ServicePort
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceName, SourceState
from tests.kube import objects
from tests.kube.running_layer import LIMIT_SECONDS, QUICK_TIMING, running_layer

if TYPE_CHECKING:
    from tests.kube.cluster import FakeCluster, RecordedRequest
    from tests.kube.real import RealCluster

VIP = "10.4.0.50"
RBAC = Path(__file__).parents[2] / RBAC_FILE


async def test_an_edit_of_configmap_service_or_slice_is_seen_by_the_watch(
    cluster: FakeCluster | RealCluster, tmp_path: Path
) -> None:
    ns = cluster.namespace
    nginx = (ns, "nginx")
    cluster.put(
        objects.configmap({VIP: f"{ns}/nginx"}, ns),
        objects.service("nginx", ns, ((80, 8080),), selector={}),
        objects.endpointslice("nginx", objects.endpoint("10.2.68.5"), namespace=ns, port=8080),
    )
    async with running_layer(cluster, tmp_path, configmap=f"{ns}/vip-configmap") as running:
        kube = running.kube
        assert kube.configmap is not None
        assert kube.configmap.data == {VIP: f"{ns}/nginx"}
        assert running.services[nginx].ports == (ServicePort("", 80, 8080),)
        assert kube.endpoints is not None
        assert [e.address for e in running.endpoints(*nginx)] == ["10.2.68.5"]
        assert running.source.state is SourceState.OK

        cluster.put(objects.endpointslice("nginx", objects.endpoint("10.2.68.5", ready=False), namespace=ns, port=8080))
        await running.until(lambda: [e.ready for e in running.endpoints(*nginx)] == [False])
        assert kube.endpoints[nginx][0].endpoints[0].ready  # an earlier result does not change

        cluster.put(objects.service("nginx", ns, ((81, 8080),), selector={}))
        await running.until(lambda: running.services[nginx].ports[0].port == 81)

        cluster.put(objects.service("web", ns, ((443, 8443),), selector={}))
        cluster.put(objects.configmap({VIP: f"{ns}/nginx", "10.4.0.51": f"{ns}/web:DR"}, ns))
        await running.until(lambda: (ns, "web") in running.services)
        assert running.services.keys() == {nginx, (ns, "web")}

        cluster.delete("endpointslices", ns, "nginx-x1")
        await running.until(lambda: nginx not in (running.kube.endpoints or {}))
        cluster.delete("configmaps", ns, "vip-configmap")
        await running.until(lambda: running.kube.configmap_missing)
        assert running.source.detail == (
            f"there is no ConfigMap {ns}/vip-configmap: create it, or name another with --configmap"
        )


async def test_the_complete_tutorial_cluster(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial(), objects.service("other"), objects.pod("stranger", labels={"app": "other"}))
    async with running_layer(fake, tmp_path, pod="default/kube-keepalived-vip-node-a") as running:
        await running.until(lambda: len(running.pods) == 5)
        kube = running.kube
        assert kube.configmap == ConfigMap("default", "vip-configmap", {VIP: "default/nginx"}, "101")
        assert kube.services == {
            ("default", "nginx"): KubeService(
                "default", "nginx", "ClusterIP", (ServicePort("", 80, 8080),), cluster_ip="10.96.0.10"
            )
        }
        (group,) = (kube.endpoints or {})[("default", "nginx")]
        assert group.ports == (EndpointPort("", 8080),)
        assert group.endpoints == (
            Endpoint("10.2.68.5", ready=True, pod=("default", "nginx-1"), node="node-a"),
            Endpoint("10.2.68.6", ready=True, pod=("default", "nginx-2"), node="node-b"),
        )
        assert {name[1]: p.controller for name, p in running.pods.items()} == {
            "nginx-1": False,
            "nginx-2": False,
            "kube-keepalived-vip-node-a": True,
            "kube-keepalived-vip-node-b": True,
            "kube-keepalived-vip-node-c": True,
        }
        assert (kube.nodes or {})["node-b"] == KubeNode("node-b", ("10.4.0.4",), ())
        assert [r.state for r in kube.resources] == [SourceState.OK] * 5


async def test_the_slices_of_a_service_are_merged(cluster: FakeCluster | RealCluster, tmp_path: Path) -> None:
    ns = cluster.namespace
    one, two = objects.endpoint("10.2.0.1"), objects.endpoint("10.2.0.2", terminating=True, ready=None)
    cluster.put(
        *objects.unmanaged(ns)[:2],
        objects.endpointslice("nginx", one, namespace=ns, suffix="b"),
        objects.endpointslice("nginx", two, namespace=ns, suffix="a"),
    )
    async with running_layer(cluster, tmp_path, configmap=f"{ns}/vip-configmap") as running:
        assert running.endpoints(ns, "nginx") == [
            Endpoint("10.2.0.2", ready=True, terminating=True),  # ready: None means yes
            Endpoint("10.2.0.1", ready=True),
        ]


async def test_changed_is_called_at_most_every_50_ms(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        running.changes.clear()
        for number in range(200):
            fake.put(objects.endpointslice("nginx", objects.endpoint(f"10.2.1.{number}")))
        await running.until(lambda: running.endpoints("default", "nginx")[0].address == "10.2.1.199")
        await asyncio.sleep(0.06)  # the call that is still due
        assert running.changes
        assert all(later - earlier > 0.049 for earlier, later in itertools.pairwise(running.changes))


async def test_many_services_and_namespaces_need_few_lists(fake: FakeCluster, tmp_path: Path) -> None:
    names = [(f"ns{i % 6}", f"svc{i}") for i in range(30)]
    fake.put(
        objects.configmap({f"10.5.0.{i}": f"{ns}/{name}" for i, (ns, name) in enumerate(names)}),
        *(objects.service(name, ns) for ns, name in names),
        *(objects.endpointslice(name, objects.endpoint("10.2.0.1"), namespace=ns) for ns, name in names),
        *(objects.pod(f"{name}-1", ns, labels={"app": name}) for ns, name in names),
        objects.service("unmapped", "ns0"),
        objects.endpointslice("unmapped", objects.endpoint("10.2.0.1"), namespace="ns0"),
        objects.pod("unmapped-1", "ns0", labels={"app": "unmapped"}),
        *(objects.node(f"n{i:03}", f"10.9.0.{i}") for i in range(250)),  # three pages
    )
    async with running_layer(fake, tmp_path) as running:
        kube = running.kube
        assert running.services.keys() == set(names)
        assert (kube.endpoints or {}).keys() == set(names)
        assert {n for _, n in running.pods} == {f"{name}-1" for _, name in names}
        assert len(kube.nodes or ()) == 250
        lists = [r for r in fake.requests if "limit" in r.params]
        assert len(lists) == 4 + 3  # one per kind, and three pages of nodes
        fake.put(objects.pod("svc3-2", "ns3", labels={"app": "svc3", "extra": "yes"}), objects.pod("x", "ns3"))
        await running.until(lambda: ("ns3", "svc3-2") in running.pods)
        assert ("ns3", "x") not in running.pods


async def test_kvtui_only_reads_and_the_manifest_allows_no_more(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path, pod="default/kube-keepalived-vip-node-a") as running:
        fake.without("endpointslices")
        fake.cut()
        await running.until(lambda: any(r.path.endswith("/endpoints") for r in fake.requests))
        fake.put(objects.configmap({VIP: "default/other"}))
        await running.until(lambda: any("other" in str(r.params) for r in fake.requests))
        fake.put(objects.configmap({f"10.4.1.{n}": f"shop-{n}/web" for n in range(6)}))  # too many for single queries
        whole = {"/api/v1/services", "/api/v1/endpoints"}
        await running.until(lambda: whole <= {r.path for r in fake.requests})
    documents = list(yaml.safe_load_all(RBAC.read_text()))
    roles = [d for d in documents if d["kind"] in {"Role", "ClusterRole"}]
    assert {v for d in roles for rule in d["rules"] for v in rule["verbs"]} == {"get", "list", "watch"}
    kinds = {r for d in roles for rule in d["rules"] for r in rule["resources"]}
    assert kinds == {*map(str, Resource), "endpoints"}
    for request in fake.requests:
        assert request.method == "GET"
        assert request.agent.startswith("kvtui/")
        assert request.path == "/version" or any(_allows(d, request) for d in roles), request


def _allows(role: objects.Object, request: RecordedRequest) -> bool:
    """Whether RBAC allows a request (kubernetes.io, "Using RBAC Authorization"): resourceNames by name or selector."""
    parts = request.path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = rest[1] if rest[0] == "namespaces" else None
    plural, *name = rest[2:] if namespace else rest
    verb = "get" if name else "watch" if request.params.get("watch") else "list"
    requested = name[0] if name else request.params.get("fieldSelector", "").removeprefix("metadata.name=")
    if role["kind"] == "Role" and role["metadata"]["namespace"] != namespace:
        return False
    return any(
        group in rule["apiGroups"]
        and plural in rule["resources"]
        and verb in rule["verbs"]
        and requested in rule.get("resourceNames", [requested])
        for rule in role["rules"]
    )


async def test_the_configmap_comes_from_the_pods_spec_when_the_controller_is_not_visible(
    fake: FakeCluster, tmp_path: Path
) -> None:
    """A sidecar without shareProcessNamespace reads the controller's arguments from its own pod's spec."""
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path, configmap=None, pod="default/kube-keepalived-vip-node-a") as running:

        def known() -> bool:
            running.layer.notice((), None)  # as each snapshot does
            return running.kube.configmap is not None

        await running.until(known)
        assert running.kube.configmap_name == ("default", "vip-configmap")


async def test_pods_are_read_where_no_service_of_the_configmap_exists(fake: FakeCluster, tmp_path: Path) -> None:
    """The controller's own pods show which nodes have a pod."""
    fake.put(*objects.tutorial())
    fake.put(objects.configmap({VIP: "default/missing"}))
    async with running_layer(fake, tmp_path, pod="default/kube-keepalived-vip-node-a", settle=False) as running:
        with fake.held("services"):
            await running.until(
                lambda: {"services", "endpointslices"} <= {r.path.split("/")[-1] for r in fake.requests}
            )
            await running.until(lambda: running.state(Resource.ENDPOINTS).state is SourceState.OK)
        await running.until(lambda: ("default", "kube-keepalived-vip-node-a") in running.pods)


async def test_without_a_configmap_name_nodes_are_read_and_a_remedy_is_shown(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path, configmap=None) as running:
        assert len(running.kube.nodes or ()) == 3
        assert running.kube.services is None
        assert running.source.state is SourceState.DEGRADED
        assert running.source.detail.endswith("name it with --configmap NS/NAME")


async def test_the_nodes_snapshot_has_the_cluster(cluster: FakeCluster | RealCluster, tmp_path: Path) -> None:
    """Uses a kubeconfig, as an operator's command does."""
    ns = cluster.namespace
    cluster.put(*objects.unmanaged(ns))
    settings = KubeSettings(kubeconfig=str(cluster.kubeconfig(tmp_path / "config")), configmap=f"{ns}/vip-configmap")
    node = Node(kube=settings, read_only=True)
    changes = asyncio.Event()
    await node.start(changes.set)
    try:
        await node.settle(LIMIT_SECONDS)
        snapshot = await node.read()
        assert snapshot.kube is not None
        assert snapshot.kube.server.startswith("http")
        assert (snapshot.kube.configmap or ConfigMap("", "", {})).data == {VIP: f"{ns}/nginx"}
        assert snapshot.source(SourceName.KUBERNETES).state is SourceState.OK
        await asyncio.sleep(0.06)
        changes.clear()
        cluster.put(objects.configmap({"10.4.0.51": f"{ns}/nginx"}, ns))
        async with asyncio.timeout(LIMIT_SECONDS):
            await changes.wait()  # without another read
    finally:
        await node.close()


@pytest.mark.parametrize("resource", list(Resource))
async def test_the_age_of_a_quiet_watch_does_not_grow(fake: FakeCluster, tmp_path: Path, resource: Resource) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path, timing=QUICK_TIMING) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        now = time.time() + 3
        found = running.layer.kube(now)
        assert found is not None
        state = found.resource(resource)
        assert state is not None
        assert state.read_at == now
