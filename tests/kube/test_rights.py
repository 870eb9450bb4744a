"""403: kvtui names the account and the missing right, reports it only if it persists, and recovers by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from kvtui.backend.kube.query_plan import SIDECAR_ACCOUNT
from kvtui.model.kube import Resource
from kvtui.model.source import SourceState
from kvtui.rules.observe import observe
from kvtui.rules.triage.kubernetes import missing_right
from tests.kit import kube as build_kube
from tests.kube import objects
from tests.kube.running_layer import QUICK_TIMING, RunningLayer, running_layer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.cluster import FakeCluster

NGINX = ("default", "nginx")
OTHERS = [r for r in Resource if r is not Resource.ENDPOINTS]
WHO = "system:serviceaccount:default:kvtui"


async def test_a_missing_right_degrades_one_kind_only(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.forbid("endpointslices")
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: all(running.state(r).state is SourceState.OK for r in OTHERS))
        state = running.state(Resource.ENDPOINTS)
        assert state.state is SourceState.UNAVAILABLE
        assert state.forbidden
        assert state.read_at is None
        assert state.detail == (
            "no right to list endpointslices.discovery.k8s.io in namespace default for "
            f"{WHO}: `{state.remedy}` grants it"
        )
        assert state.remedy == (
            "kubectl create role kvtui-endpointslices -n default --verb=get,list,watch "
            "--resource=endpointslices.discovery.k8s.io && kubectl create rolebinding kvtui-endpointslices -n default "
            "--role=kvtui-endpointslices --serviceaccount=default:kvtui"
        )
        assert running.kube.endpoints is None  # unknown, not empty
        assert len(running.pods) == 2
        assert running.source.state is SourceState.DEGRADED
        assert running.source.detail == f"endpointslices: {state.detail}"
        fake.allow("endpointslices")
        await running.until(lambda: running.source.state is SourceState.OK)
        assert len(running.endpoints(*NGINX)) == 2


def many_namespaces(fake: FakeCluster) -> None:
    """Puts Services of so many namespaces into the ConfigMap that kvtui uses one query for the whole cluster."""
    namespaces = [f"shop-{n}" for n in range(6)]
    fake.put(*objects.tutorial(), objects.configmap({f"10.4.1.{n}": f"{ns}/web" for n, ns in enumerate(namespaces)}))
    for ns in namespaces:
        fake.put(objects.service("web", ns), objects.endpointslice("web", objects.endpoint("10.2.68.5"), namespace=ns))


async def test_services_of_many_namespaces_are_listed_in_one_query(fake: FakeCluster, tmp_path: Path) -> None:
    many_namespaces(fake)
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: len(running.services) == 6 and running.source.state is SourceState.OK)
        paths = {r.path for r in fake.requests if r.path.endswith(("/services", "/endpointslices", "/pods"))}
        assert paths == {"/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/pods"}


@pytest.mark.parametrize(
    ("resource", "plural", "qualified"),
    [
        (Resource.SERVICES, "services", "services"),
        (Resource.ENDPOINTS, "endpointslices", "endpointslices.discovery.k8s.io"),
        (Resource.PODS, "pods", "pods"),
    ],
)
async def test_a_missing_cluster_wide_right_is_explained(
    fake: FakeCluster, tmp_path: Path, resource: Resource, plural: str, qualified: str
) -> None:
    many_namespaces(fake)
    fake.forbid(plural, namespace="")
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.state(resource).forbidden)
        assert running.state(resource).detail.startswith(
            f"no right to list {qualified} in the whole cluster (the ConfigMap names Services of 6 namespaces: too "
            f"many to ask for each) for {WHO}: `kubectl create clusterrole "
        )


async def test_a_revoked_right_leaves_old_data_with_its_age(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    started = time.time()
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        fake.forbid("nodes")
        lost = f"no right to list nodes in the whole cluster for {WHO}: "
        await running.until(lambda: running.state(Resource.NODES).detail.startswith(lost))
        await running.until(
            lambda: all(running.state(r).state is SourceState.OK for r in Resource if r != Resource.NODES)
        )
        state = running.state(Resource.NODES)
        assert state.state is SourceState.DEGRADED
        assert started <= (state.read_at or 0) < time.time()
        await running.until(lambda: (running.state(Resource.PODS).read_at or 0) > (state.read_at or 0))
        assert running.state(Resource.NODES).read_at == state.read_at
        assert len(running.kube.nodes or ()) == 3


async def test_without_a_right_to_services_pods_are_still_read(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.forbid("services")
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: len(running.pods) == 5)
        assert running.kube.services is None
        assert len(running.endpoints(*NGINX)) == 2


async def test_without_the_configmap_services_are_not_read(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.forbid("configmaps")
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.state(Resource.CONFIGMAPS).forbidden)
        assert running.kube.configmap is None
        assert not running.kube.configmap_missing
        assert running.state(Resource.SERVICES).detail.startswith("not read: the ConfigMap, which could not be read")
        assert running.state(Resource.CONFIGMAPS).detail == (
            f"no right to list configmaps vip-configmap in namespace default for {WHO}: "
            f"`{running.state(Resource.CONFIGMAPS).remedy}` grants it"
        )
        assert "--resource-name=vip-configmap" in running.state(Resource.CONFIGMAPS).remedy
        assert running.source.detail.endswith(running.state(Resource.CONFIGMAPS).detail)
        await running.until(lambda: running.state(Resource.NODES).state is SourceState.OK)


def findings(running: RunningLayer) -> list[str]:
    """Returns the remedies of triage's findings about missing rights."""
    view = observe(build_kube.snapshot(kube=running.kube))
    return [f.remedy for f in missing_right(view)]


async def test_403_while_the_api_server_starts_is_not_a_missing_right(fake: FakeCluster, tmp_path: Path) -> None:
    """A real API server answers 403 to ServiceAccounts until it has loaded its RBAC rules: in this test for 2 s."""
    fake.put(*objects.tutorial())
    timing = structs.replace(QUICK_TIMING, refused=0.2, pending=4.0, forbidden=30.0)
    async with running_layer(fake, tmp_path, timing=timing) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        with fake.outage():
            fake.starting(refuses=True)
            await running.until(lambda: "refuses connections" in running.source.detail)
        await running.until(lambda: "is refused (403), as an API server does while it starts" in running.source.detail)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert findings(running) == []
            assert len(running.endpoints(*NGINX)) == 2  # still known
            await asyncio.sleep(0.02)
        fake.starting(refuses=False)
        await running.until(lambda: running.source.state is SourceState.OK)


async def test_kvtui_waits_for_an_api_server_that_starts(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.starting(refuses=True)
    timing = structs.replace(QUICK_TIMING, refused=0.2, pending=20.0)
    async with running_layer(fake, tmp_path, timing=timing, settle=False) as running:
        settled = asyncio.create_task(running.layer.settle(30))
        await running.until(lambda: "is refused (403)" in running.source.detail)
        assert not settled.done()  # a one-shot command waits for it, too
        assert not any(r.forbidden for r in running.kube.resources)
        fake.starting(refuses=False)
        await settled
        await running.until(lambda: running.source.state is SourceState.OK)


async def test_a_persistent_403_is_a_missing_right(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        fake.starting(refuses=True)
        fake.cut()
        await running.until(lambda: all(r.forbidden for r in running.kube.resources))
        assert sorted(findings(running)) == sorted(r.remedy for r in running.kube.resources)
        fake.starting(refuses=False)
        await running.until(lambda: running.source.state is SourceState.OK)


@pytest.mark.parametrize("reviews", [True, False], ids=["SelfSubjectReview", "the 403 message of an old cluster"])
async def test_the_remedy_names_the_refused_account(fake: FakeCluster, tmp_path: Path, reviews: bool) -> None:
    fake.put(*objects.tutorial())
    fake.identify("Jane O'Doe", reviews=reviews)
    fake.forbid("nodes")
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.state(Resource.NODES).forbidden)
        state = running.state(Resource.NODES)
        assert state.detail.startswith("no right to list nodes in the whole cluster for Jane O'Doe: ")
        assert state.remedy == (
            "kubectl create clusterrole kvtui-nodes --verb=get,list,watch --resource=nodes && kubectl create "
            "clusterrolebinding kvtui-nodes --clusterrole=kvtui-nodes --user='Jane O'\"'\"'Doe'"
        )


async def test_the_remedy_for_the_sidecars_account_is_its_manifest(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.identify(SIDECAR_ACCOUNT)
    fake.forbid("configmaps")
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.state(Resource.CONFIGMAPS).forbidden)
        assert running.state(Resource.CONFIGMAPS).remedy == (
            "kubectl apply -f packaging/kubernetes/sidecar/rbac.yaml  # with default/vip-configmap as its ConfigMap"
        )
