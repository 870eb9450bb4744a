"""Proxies: which one kvtui uses, which servers bypass it, and whether an error is the proxy's or the API's."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.kube.access import bypasses_proxy, load
from kvtui.backend.kube.errors import AccessError
from kvtui.model.source import SourceState
from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.kube.running_layer import TOKEN, RunningLayer, kubeconfig_of, running_layer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = "api.cluster.example"
"""A name that DNS cannot resolve; only the proxy connects to it."""


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextlib.asynccontextmanager
async def proxy(port: int, connects: list[bytes], refusal: bytes = b"") -> AsyncIterator[int]:
    """Runs a proxy and yields its port. Each CONNECT leads to ``port`` on this machine."""

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connects.append(await reader.readuntil(b"\r\n\r\n"))
        if refusal:
            writer.write(refusal)
            return
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pour(reader, back), _pour(onward, writer))

    async with serving(tunnel) as own:
        yield own


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.transport.abort()


async def reaches_ok(running: RunningLayer) -> None:
    await running.until(lambda: running.source.state is SourceState.OK)


@pytest.mark.parametrize("by_file", [True, False], ids=["proxy-url", "HTTPS_PROXY"])
async def test_a_proxy_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_file: bool) -> None:
    connects: list[bytes] = []
    with FakeCluster(tls=True, token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        async with proxy(fake.port, connects) as port:
            url = f"http://me:p%40ss@127.0.0.1:{port}"
            extra = {"proxy-url": url} if by_file else {}
            monkeypatch.setenv("NO_PROXY" if by_file else "HTTPS_PROXY", "*" if by_file else url)  # kubectl's order
            place = kubeconfig_of(
                f"https://{NAME}:6443", tmp_path, fake.certificate, **extra, **{"tls-server-name": "localhost"}
            )
            async with running_layer(fake, tmp_path, place=place) as running:
                await reaches_ok(running)
    assert connects[0].startswith(f"CONNECT {NAME}:6443 HTTP/1.".encode())
    assert b"proxy-authorization: basic " + base64.b64encode(b"me:p@ss").lower() in connects[0].lower()


async def test_a_loopback_server_bypasses_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeCluster(tls=True, token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        async with running_layer(fake, tmp_path) as running:  # loopback
            await reaches_ok(running)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (b"", "the proxy 127.0.0.1:1 refuses connections: the proxy does not run there; the API {name}:6443 itself"),
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "the proxy 127.0.0.1:{port} does not lead to {name}:6443: it answers 407",
        ),
    ],
    ids=["dead", "refusing"],
)
async def test_a_proxy_error_names_the_proxy(tmp_path: Path, refusal: bytes, expected: str) -> None:
    async with proxy(1, [], refusal or b"x") as port:
        chosen = port if refusal else 1
        place = kubeconfig_of(f"https://{NAME}:6443", tmp_path, None, **{"proxy-url": f"http://127.0.0.1:{chosen}"})
        with FakeCluster() as unused:
            async with running_layer(unused, tmp_path, place=place) as running:
                assert running.source.detail.startswith(expected.format(name=NAME, port=port))


def test_an_unsupported_proxy_scheme_is_an_error(tmp_path: Path) -> None:
    place = kubeconfig_of(f"https://{NAME}", tmp_path, None, **{"proxy-url": "socks5://127.0.0.1:1080"})
    with pytest.raises(AccessError, match=r'a proxy of the kind "socks5"; only http and https are supported$'):
        load(place)


@pytest.mark.parametrize("url", ["http://10.0.0.1:x", "http://me:secret@10.0.0.1:99999"])
def test_a_proxy_with_a_bad_port_is_an_error_without_its_password(tmp_path: Path, url: str) -> None:
    place = kubeconfig_of(f"https://{NAME}", tmp_path, None, **{"proxy-url": url})
    with pytest.raises(AccessError, match=r"is not an http or https URL: .*10\.0\.0\.1") as raised:
        load(place)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("no_proxy", "server", "excepted"),
    [
        ("", "https://10.1.2.3", False),
        ("*", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://10.1.2.3:6443", True),
        ("10.0.0.0/16", "https://10.1.2.3:6443", False),
        ("10.1.2.3", "https://10.1.2.3:6443", True),
        ("fd00::/8", "https://[fd00::1]:6443", True),
        ("example.com", "https://api.example.com", True),
        (".example.com", "https://api.example.com", True),
        ("*.example.com", "https://api.example.com", True),
        ("example.com", "https://example.com", True),
        ("example.com", "https://notexample.com", False),
        ("a.example:6443, b.example", "https://a.example:6443", True),
        ("a.example:6443, b.example", "https://a.example:443", False),
        ("a.example:6443, b.example", "https://B.example:443", True),
        ("", "https://127.0.0.1:6443", True),
        ("", "https://localhost:6443", True),
    ],
)
def test_no_proxy(no_proxy: str, server: str, excepted: bool) -> None:
    assert bypasses_proxy(server, no_proxy) is excepted
