"""Tokens that expire, exec plugins, certificates, and servers that are not a Kubernetes API."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.kube.discovery import ServiceAccount
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceState
from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.kube.running_layer import (
    LIMIT_SECONDS,
    QUICK_TIMING,
    TOKEN,
    RunningLayer,
    kubeconfig_of,
    running_layer,
    serving,
)

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from kvtui.backend.kube.discovery import ApiPlace

NGINX = ("default", "nginx")


def account(fake: FakeCluster, folder: Path) -> ServiceAccount:
    """Returns a pod's service account: a token and the cluster's certificate."""
    assert fake.certificate is not None
    (folder / "token").write_text(TOKEN)
    (folder / "ca.crt").write_text(fake.certificate.read_text())
    return ServiceAccount("127.0.0.1", str(fake.port), str(folder))


async def test_a_renewed_token_is_read_from_the_file(tmp_path: Path) -> None:
    """The kubelet renews a pod's token on disk. kvtui reports a token that the API no longer accepts."""
    with FakeCluster(tls=True, token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        async with running_layer(fake, tmp_path, place=account(fake, tmp_path)) as running:
            assert running.source.state is SourceState.OK
            fake.require("another")
            fake.cut()
            await running.until(lambda: "does not accept these credentials (401)" in running.source.detail)
            assert TOKEN not in str(running.kube) + running.source.detail
            (tmp_path / "token").write_text("another")
            await running.until(lambda: running.source.state is SourceState.OK)


async def test_unknown_credentials_are_reported_at_once(tmp_path: Path) -> None:
    """401 is an answer: a one-shot command does not report that it is still connecting."""
    with FakeCluster(token="another") as fake:  # noqa: S106 - not a real secret
        assert "does not accept these credentials (401)" in await _detail(kubeconfig_of(fake.url, tmp_path))


async def test_the_exec_plugin_runs_again_when_its_token_expired(tmp_path: Path) -> None:
    status = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    plugin.chmod(0o755)
    (tmp_path / "answer").write_text(status % "first")
    with FakeCluster(token="first") as fake:  # noqa: S106 - not a real secret
        fake.put(*objects.tutorial())
        config = json.loads(fake.kubeconfig(tmp_path / "config").read_text())
        run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
        config["users"][0]["user"] = {"exec": run}
        (tmp_path / "config").write_text(json.dumps(config))
        layer = KubeLayer(
            KubeSettings(kubeconfig=str(tmp_path / "config"), configmap="default/vip-configmap"),
            lambda: None,
            timing=QUICK_TIMING,
            environ={},
        )
        layer.start()
        running = RunningLayer(layer, [])
        try:
            await layer.settle(LIMIT_SECONDS)
            await running.until(lambda: running.source.state is SourceState.OK)
            (tmp_path / "answer").write_text(status % "second")
            fake.require("second")
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
            fake.cut()
            await running.until(
                lambda: running.source.state is SourceState.OK and running.services[NGINX].ports[0].port == 8000
            )
        finally:
            await layer.close()


async def test_tls_and_an_untrusted_certificate(tmp_path: Path) -> None:
    with FakeCluster(tls=True, token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        async with running_layer(fake, tmp_path) as running:
            assert running.source.state is SourceState.OK
        with FakeCluster(tls=True) as other:
            detail = await _detail(kubeconfig_of(other.url, tmp_path, fake.certificate))
        assert detail == (
            f"the certificate of 127.0.0.1:{other.port} is not trusted (self-signed certificate): "
            "compare the kubeconfig's certificate-authority with the cluster's"
        )
        plain = kubeconfig_of(fake.url.replace("https:", "http:"), tmp_path)
        assert "127.0.0.1" in await _detail(plain)


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
            f"{'a' * 70}.example:1 cannot be connected to",
        ),
        ("ftp://10.0.0.1", "the API's address is not an http or https URL: ftp://10.0.0.1"),
        ("https://10.0.0.1:x", "the API's address is not an http or https URL: https://10.0.0.1:x"),
        ("https://me:secret@10.0.0.1:99999", "the API's address is not an http or https URL: 10.0.0.1:99999"),
    ],
)
async def test_an_unreachable_api(tmp_path: Path, server: str, expected: str) -> None:
    assert (await _detail(kubeconfig_of(server, tmp_path))).partition(": kubeconfig")[0] == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>",
            "does not answer like a Kubernetes API: not JSON",
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
            "does not answer like a Kubernetes API: not a JSON object",
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            "has a format that kvtui does not know",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /login\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "the server redirects `list configmaps` (302)",
        ),
        (
            b"HTTP/1.1 503 X\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "with status 503: it is overloaded or broken",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (b"", "cut the connection"),
    ],
)
async def test_a_server_that_is_not_a_kubernetes_api(tmp_path: Path, answer: bytes, expected: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with serving(serve) as port:
        assert expected in await _detail(kubeconfig_of(f"http://127.0.0.1:{port}", tmp_path))


async def _detail(place: ApiPlace) -> str:
    """Returns the source's detail for an API that never answered usefully."""
    layer = KubeLayer(
        KubeSettings(configmap="default/vip-configmap"), lambda: None, timing=QUICK_TIMING, environ={}, place=place
    )
    layer.start()
    try:
        await layer.settle(LIMIT_SECONDS)
        source = layer.source(layer.kube(time.time()))
        assert source.state is SourceState.UNAVAILABLE
        assert source.read_at is None
        return source.detail
    finally:
        await layer.close()
