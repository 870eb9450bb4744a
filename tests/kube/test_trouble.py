"""What goes wrong with an API: told in one sentence, believed no longer than it is true, and over by itself."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import time
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.kube.errors import BadAccess, Unreachable
from kvtui.backend.kube.http import Connection
from kvtui.backend.kube.places import ServiceAccount
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.kube import Resource
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceState
from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.kube.seen import QUICK, SOON, TOKEN, Seen, place_of, seen, serving

if TYPE_CHECKING:
    from pathlib import Path

VIP = "10.4.0.50"
NGINX = ("default", "nginx")
OTHERS = [r for r in Resource if r is not Resource.ENDPOINTS]


async def test_the_api_goes_away_and_comes_back(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        left = time.time()
        with fake.outage():
            refused = f"127.0.0.1:{fake.port} refuses connections: the API server does not run there"
            kinds = "configmaps, services, endpointslices, pods, nodes"
            await here.until(lambda: here.source.detail == f"{kinds}: {refused}")
            assert here.source.state is SourceState.DEGRADED
            await asyncio.sleep(0.3)
            read_at = here.source.read_at
            assert read_at is not None
            assert left - 0.1 <= read_at <= left + 0.2  # the age grows
            assert [r.state for r in here.kube.resources] == [SourceState.DEGRADED] * 5
            assert [e.address for e in here.endpoints(*NGINX)] == ["10.2.68.5", "10.2.68.6"]  # still known
        fake.put(objects.endpointslice("nginx", objects.endpoint("10.2.68.9")))
        assert await here.until(lambda: [e.address for e in here.endpoints(*NGINX)] == ["10.2.68.9"]) < 1.0
        await here.until(lambda: here.source.state is SourceState.OK)
        assert here.source.detail == ""


async def test_what_happened_during_a_cut_is_not_missed(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        asked = len(fake.requests)
        fake.cut()
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        fake.delete("endpointslices", "default", "nginx-x1")
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000 and not here.endpoints(*NGINX))
        again = [r for r in fake.requests[asked:] if r.path != "/version"]
        assert all(
            "watch" in r.params and int(r.params["resourceVersion"]) >= 111 for r in again
        )  # resumed, not listed


async def test_a_line_that_is_cut_in_the_middle_is_no_event(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        fake.cut(halfway=True)
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await asyncio.sleep(0.1)  # the half of it is out
        assert here.services[NGINX].ports[0].port == 80
        fake.finish_halfway()
        assert await here.until(lambda: here.services[NGINX].ports[0].port == 8000) < 1.0


@pytest.mark.parametrize("running", [True, False], ids=["in the stream", "at the resume"])
async def test_after_410_it_is_listed_again(fake: FakeCluster, tmp_path: Path, running: bool) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        before = [r.path for r in fake.requests if "limit" in r.params]
        with fake.outage():  # unseen changes that no watch will tell
            fake.delete("endpointslices", "default", "nginx-x1")
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
            if not running:
                fake.compact()
        if running:
            await here.until(lambda: here.source.state is SourceState.OK)
            fake.expire()
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000 and not here.endpoints(*NGINX))
        await here.until(lambda: here.source.state is SourceState.OK)
        lists = [r.path for r in fake.requests if "limit" in r.params]
        await here.until(lambda: len([r for r in fake.requests if "limit" in r.params]) >= 2 * len(before))
        assert set(lists) == set(before)


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
            "no right to list endpointslices.discovery.k8s.io in namespace default: "
            "`kubectl apply -f packaging/kubernetes/sidecar/rbac.yaml` grants it"
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
    places = [f"shop-{n}" for n in range(6)]
    fake.put(*objects.tutorial(), objects.configmap({f"10.4.1.{n}": f"{ns}/web" for n, ns in enumerate(places)}))
    for ns in places:
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
        assert here.state(resource).detail == (
            f"no right to list {qualified} in the whole cluster (the ConfigMap names Services of 6 namespaces: too "
            "many to ask for each): `kubectl apply -f packaging/kubernetes/sidecar/rbac.yaml` grants it"
        )


async def test_a_right_that_is_taken_away_leaves_old_data_with_their_age(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        taken = time.time()
        fake.forbid("nodes")
        lost = "no right to list nodes in the whole cluster: "  # to watch first, then to list either
        await here.until(lambda: here.state(Resource.NODES).detail.startswith(lost))
        await here.until(lambda: all(here.state(r).state is SourceState.OK for r in Resource if r != Resource.NODES))
        state = here.state(Resource.NODES)
        assert state.state is SourceState.DEGRADED
        assert abs((state.read_at or 0) - taken) < 0.5
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
            "no right to list configmaps vip-configmap in namespace default: `kubectl apply -f "
            "packaging/kubernetes/sidecar/rbac.yaml` grants it, with default/vip-configmap as its ConfigMap"
        )
        assert here.source.detail.endswith(here.state(Resource.CONFIGMAPS).detail)
        await here.until(lambda: here.state(Resource.NODES).state is SourceState.OK)


async def test_old_clusters_have_endpoints_instead_of_slices(fake: FakeCluster, tmp_path: Path) -> None:
    fake.without("endpointslices")
    fake.put(*objects.tutorial(), objects.endpoints("nginx", ["10.2.68.5"], ["10.2.68.6"], port=8080))
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        assert [(e.address, e.ready, e.pod) for e in here.endpoints(*NGINX)] == [
            ("10.2.68.5", True, ("default", "nginx-5")),
            ("10.2.68.6", False, ("default", "nginx-6")),
        ]
        fake.put(objects.endpoints("nginx", ["10.2.68.5", "10.2.68.6"], port=8080))
        assert await here.until(lambda: all(e.ready for e in here.endpoints(*NGINX))) < 1.0


async def test_a_half_dead_connection_is_noticed(fake: FakeCluster, tmp_path: Path) -> None:
    """Nothing is closed, nothing comes: as quiet as a cluster in which nothing happens."""
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path, timing=dataclasses.replace(QUICK, pulse_patience=0.3)) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        with fake.frozen():
            silent = time.time()
            await here.until(lambda: here.source.state is SourceState.DEGRADED)
            assert "has not answered for 0.3 s" in here.source.detail
            assert silent - 0.5 <= (here.source.read_at or 0) <= silent + 0.1  # believed until it answered last
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000)
        await here.until(lambda: here.source.state is SourceState.OK)


async def test_a_watch_that_the_server_ends_is_opened_again(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path, timing=dataclasses.replace(QUICK, watch=1)) as here:

        def opened() -> int:
            return sum("watch" in r.params for r in fake.requests)

        await here.until(lambda: opened() >= 10)  # five kinds, twice
        assert here.source.state is SourceState.OK
        assert {r.params["timeoutSeconds"] for r in fake.requests if "watch" in r.params} == {"1"}


async def test_one_megabyte_of_anything_in_the_configmap_is_only_text(fake: FakeCluster, tmp_path: Path) -> None:
    evil = "[red]\x1b]0;owned\x07\u202e\n" + "/:" * 500_000
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        fake.put(objects.configmap({VIP: "default/nginx", "a": evil}))
        assert await here.until(lambda: here.kube.configmap and "a" in here.kube.configmap.data) < 1.0
        assert here.kube.configmap is not None
        assert here.kube.configmap.data["a"] == evil
        assert here.services.keys() == {NGINX}


async def test_a_renewed_token_is_taken_from_the_file(tmp_path: Path) -> None:
    with FakeCluster(token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        async with seen(fake, tmp_path) as here:
            assert here.source.state is SourceState.OK
            fake.require("another")
            fake.cut()
            await here.until(lambda: "does not accept these credentials (401)" in here.source.detail)
            assert TOKEN not in str(here.kube) + here.source.detail
            (tmp_path / "token").write_text("another")
            await here.until(lambda: here.source.state is SourceState.OK)


async def test_a_plugin_is_asked_again_when_its_token_expired(tmp_path: Path) -> None:
    status = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    plugin.chmod(0o755)
    (tmp_path / "answer").write_text(status % "first")
    with FakeCluster(token="first") as fake:  # noqa: S106 - of nobody
        fake.put(*objects.tutorial())
        config = json.loads(fake.kubeconfig(tmp_path / "config").read_text())
        run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
        config["users"][0]["user"] = {"exec": run}
        (tmp_path / "config").write_text(json.dumps(config))
        layer = KubeLayer(
            KubeSettings(kubeconfig=str(tmp_path / "config"), configmap="default/vip-configmap"),
            lambda: None,
            timing=QUICK,
            environ={},
        )
        layer.start()
        here = Seen(layer, [])
        try:
            await layer.settle(SOON)
            await here.until(lambda: here.source.state is SourceState.OK)
            (tmp_path / "answer").write_text(status % "second")
            fake.require("second")
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
            fake.cut()
            await here.until(lambda: here.source.state is SourceState.OK and here.services[NGINX].ports[0].port == 8000)
        finally:
            await layer.close()


async def test_tls_is_spoken_and_a_stranger_is_not_trusted(tmp_path: Path) -> None:
    with FakeCluster(tls=True, token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        async with seen(fake, tmp_path) as here:
            assert here.source.state is SourceState.OK
        place = place_of(fake, tmp_path)
        assert isinstance(place, ServiceAccount)
        assert fake.certificate is not None
        with FakeCluster(tls=True) as other:
            stranger = dataclasses.replace(place, server=other.url)
            detail = await _error(stranger)
        assert detail == (
            f"the certificate of 127.0.0.1:{other.port} is not trusted (self-signed certificate): "
            "compare the kubeconfig's certificate-authority with the cluster's"
        )
        plain = dataclasses.replace(place, server=fake.url.replace("https:", "http:"))
        assert "127.0.0.1" in await _error(plain)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("http://127.0.0.1:1", "127.0.0.1:1 refuses connections: the API server does not run there"),
        (
            "http://kubernetes.invalid:6443",
            "the name kubernetes.invalid cannot be resolved: check DNS, or the server in the kubeconfig",
        ),
        (
            f"http://{'a' * 70}.example:1",
            f"{'a' * 70}.example:1 cannot be connected to: the pod's service account names no usable host",
        ),
        ("ftp://10.0.0.1", "the API's address is no http or https URL: ftp://10.0.0.1"),
    ],
)
async def test_an_api_that_cannot_be_reached(tmp_path: Path, server: str, expected: str) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "ca.crt").write_text("")
    assert await _error(ServiceAccount(server, str(tmp_path))) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "does not speak as a Kubernetes API does: no JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "does not speak as a Kubernetes API does: no JSON object"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "in a way that kvtui does not know"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "is answered by a redirect (302)"),
        (b"HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", "with status 503: it is overloaded or ill"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (b"", "cut the connection"),
    ],
)
async def test_whatever_answers_there(tmp_path: Path, answer: bytes, expected: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with serving(serve) as port:
        (tmp_path / "token").write_text(TOKEN)
        (tmp_path / "ca.crt").write_text("")
        assert expected in await _error(ServiceAccount(f"http://127.0.0.1:{port}", str(tmp_path)))


async def _error(place: ServiceAccount) -> str:
    """What the source says of a place that never was of use."""
    layer = KubeLayer(
        KubeSettings(configmap="default/vip-configmap"), lambda: None, timing=QUICK, environ={}, place=place
    )
    layer.start()
    try:
        await layer.settle(SOON)
        source = layer.source(layer.kube(time.time()))
        assert source.state is SourceState.UNAVAILABLE
        assert source.read_at is None
        return source.detail
    finally:
        await layer.close()


async def test_a_proxy_is_gone_through_and_its_refusal_told(tmp_path: Path) -> None:
    """kubeconfig's proxy-url, or HTTPS_PROXY: a tunnel, with TLS to the API inside it."""
    asked: list[bytes] = []
    refuse = False

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        if refuse:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        onward, back = await asyncio.open_connection("127.0.0.1", fake.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pour(reader, back), _pour(onward, writer))

    with FakeCluster(tls=True, token=TOKEN) as fake:
        async with serving(tunnel) as port:
            place = place_of(fake, tmp_path)
            assert isinstance(place, ServiceAccount)
            plain = place.credentials()
            through = dataclasses.replace(plain, proxy=f"http://me:p%40ss@127.0.0.1:{port}")
            connection = await Connection.open(through, through.tls(), QUICK)
            response = await connection.get("/version")
            assert json.loads(await response.body(2))["major"] == "1"
            connection.close()
            assert asked[0].startswith(f"CONNECT 127.0.0.1:{fake.port} HTTP/1.1\r\n".encode())
            assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in asked[0]
            refuse = True
            with pytest.raises(Unreachable, match=rf"^the proxy 127.0.0.1:{port} does not lead to .* answers 407$"):
                await Connection.open(through, through.tls(), QUICK)
            socks = dataclasses.replace(plain, proxy="socks5://127.0.0.1:1080")
            with pytest.raises(BadAccess, match=r"a proxy of the kind «socks5»; only http:// is supported$"):
                await Connection.open(socks, socks.tls(), QUICK)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
    finally:
        writer.transport.abort()
