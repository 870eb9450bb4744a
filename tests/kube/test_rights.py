"""403: told with who lacks which right, believed only when it persists, and over by itself."""

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
from tests.kube.seen import QUICK, Seen, seen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.cluster import FakeCluster

NGINX = ("default", "nginx")
OTHERS = [r for r in Resource if r is not Resource.ENDPOINTS]
WHO = "system:serviceaccount:default:kvtui"


async def test_a_right_that_is_missing_degrades_one_kind_alone(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.forbid("endpointslices")
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: all(here.state(r).state is SourceState.OK for r in OTHERS))
        state = here.state(Resource.ENDPOINTS)
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
        assert here.kube.endpoints is None  # unknown, not none
        assert len(here.pods) == 2
        assert here.source.state is SourceState.DEGRADED
        assert here.source.detail == f"endpointslices: {state.detail}"
        fake.allow("endpointslices")
        await here.until(lambda: here.source.state is SourceState.OK)
        assert len(here.endpoints(*NGINX)) == 2


def many_namespaces(fake: FakeCluster) -> None:
    """A ConfigMap with Services of so many namespaces that one query for all takes the place of one for each."""
    namespaces = [f"shop-{n}" for n in range(6)]
    fake.put(*objects.tutorial(), objects.configmap({f"10.4.1.{n}": f"{ns}/web" for n, ns in enumerate(namespaces)}))
    for ns in namespaces:
        fake.put(objects.service("web", ns), objects.endpointslice("web", objects.endpoint("10.2.68.5"), namespace=ns))


async def test_services_of_many_namespaces_are_asked_for_at_once(fake: FakeCluster, tmp_path: Path) -> None:
    many_namespaces(fake)
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: len(here.services) == 6 and here.source.state is SourceState.OK)
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
async def test_whoever_has_rights_to_the_namespaces_alone_is_told_why_that_does_not_do(
    fake: FakeCluster, tmp_path: Path, resource: Resource, plural: str, qualified: str
) -> None:
    many_namespaces(fake)
    fake.forbid(plural, namespace="")
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.state(resource).forbidden)
        assert here.state(resource).detail.startswith(
            f"no right to list {qualified} in the whole cluster (the ConfigMap names Services of 6 namespaces: too "
            f"many to ask for each) for {WHO}: `kubectl create clusterrole "
        )


async def test_a_right_that_is_taken_away_leaves_old_data_with_their_age(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    started = time.time()
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        fake.forbid("nodes")
        lost = f"no right to list nodes in the whole cluster for {WHO}: "
        await here.until(lambda: here.state(Resource.NODES).detail.startswith(lost))
        await here.until(lambda: all(here.state(r).state is SourceState.OK for r in Resource if r != Resource.NODES))
        state = here.state(Resource.NODES)
        assert state.state is SourceState.DEGRADED
        assert started <= (state.read_at or 0) < time.time()
        await here.until(lambda: (here.state(Resource.PODS).read_at or 0) > (state.read_at or 0))
        assert here.state(Resource.NODES).read_at == state.read_at
        assert len(here.kube.nodes or ()) == 3


async def test_without_a_right_to_services_pods_are_still_read(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.forbid("services")
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: len(here.pods) == 5)
        assert here.kube.services is None
        assert len(here.endpoints(*NGINX)) == 2


async def test_without_the_configmap_the_rest_says_that_it_waits_for_it(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.forbid("configmaps")
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.state(Resource.CONFIGMAPS).forbidden)
        assert here.kube.configmap is None
        assert not here.kube.configmap_missing
        assert here.state(Resource.SERVICES).detail.startswith("not read: the ConfigMap, which could not be read")
        assert here.state(Resource.CONFIGMAPS).detail == (
            f"no right to list configmaps vip-configmap in namespace default for {WHO}: "
            f"`{here.state(Resource.CONFIGMAPS).remedy}` grants it"
        )
        assert "--resource-name=vip-configmap" in here.state(Resource.CONFIGMAPS).remedy
        assert here.source.detail.endswith(here.state(Resource.CONFIGMAPS).detail)
        await here.until(lambda: here.state(Resource.NODES).state is SourceState.OK)


def findings(here: Seen) -> list[str]:
    """What triage finds missing."""
    seen = observe(build_kube.snapshot(kube=here.kube))
    return [f.remedy for f in missing_right(seen)]


async def test_an_api_that_refuses_everything_while_it_starts_is_no_fault(fake: FakeCluster, tmp_path: Path) -> None:
    """A real API server answers 403 to ServiceAccounts until it has loaded its rights: here for 2 s of 4."""
    fake.put(*objects.tutorial())
    timing = structs.replace(QUICK, refused=0.2, pending=4.0, forbidden=30.0)
    async with seen(fake, tmp_path, timing=timing) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        with fake.outage():
            fake.starting(refuses=True)
            await here.until(lambda: "refuses connections" in here.source.detail)
        await here.until(lambda: "is refused (403), as an API server does while it starts" in here.source.detail)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert findings(here) == []
            assert len(here.endpoints(*NGINX)) == 2  # still known
            await asyncio.sleep(0.02)
        fake.starting(refuses=False)
        await here.until(lambda: here.source.state is SourceState.OK)


async def test_a_kvtui_that_starts_while_the_api_does_waits(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.starting(refuses=True)
    timing = structs.replace(QUICK, refused=0.2, pending=20.0)
    async with seen(fake, tmp_path, timing=timing, settle=False) as here:
        settled = asyncio.create_task(here.layer.settle(30))
        await here.until(lambda: "is refused (403)" in here.source.detail)
        assert not settled.done()  # a single call waits for it, too
        assert not any(r.forbidden for r in here.kube.resources)
        fake.starting(refuses=False)
        await settled
        await here.until(lambda: here.source.state is SourceState.OK)


async def test_a_refusal_that_persists_is_a_missing_right(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        fake.starting(refuses=True)
        fake.cut()
        await here.until(lambda: all(r.forbidden for r in here.kube.resources))
        assert sorted(findings(here)) == sorted(r.remedy for r in here.kube.resources)
        fake.starting(refuses=False)
        await here.until(lambda: here.source.state is SourceState.OK)


@pytest.mark.parametrize("reviews", [True, False], ids=["SelfSubjectReview", "an old cluster's own words"])
async def test_the_remedy_names_who_is_refused(fake: FakeCluster, tmp_path: Path, reviews: bool) -> None:
    fake.put(*objects.tutorial())
    fake.identify("Jane O'Doe", reviews=reviews)
    fake.forbid("nodes")
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.state(Resource.NODES).forbidden)
        state = here.state(Resource.NODES)
        assert state.detail.startswith("no right to list nodes in the whole cluster for Jane O'Doe: ")
        assert state.remedy == (
            "kubectl create clusterrole kvtui-nodes --verb=get,list,watch --resource=nodes && kubectl create "
            "clusterrolebinding kvtui-nodes --clusterrole=kvtui-nodes --user='Jane O'\"'\"'Doe'"
        )


async def test_the_sidecars_account_is_helped_by_its_manifest(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    fake.identify(SIDECAR_ACCOUNT)
    fake.forbid("configmaps")
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.state(Resource.CONFIGMAPS).forbidden)
        assert here.state(Resource.CONFIGMAPS).remedy == (
            "kubectl apply -f packaging/kubernetes/sidecar/rbac.yaml  # with default/vip-configmap as its ConfigMap"
        )
