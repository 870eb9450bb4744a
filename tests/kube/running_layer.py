"""Runs kvtui's Kubernetes layer on a cluster and waits for conditions."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from kvtui.backend.kube.discovery import Kubeconfig
from kvtui.backend.kube.timing import Timing
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.settings import KubeSettings
from tests.kube.cluster import stop_accepting
from tests.lab.poll import PollTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from kvtui.backend.kube.discovery import ApiPlace
    from kvtui.model.kube import Endpoint, Kube, KubeService, NamespacedName, Pod, Resource, ResourceState
    from kvtui.model.source import Source
    from tests.kube.cluster import FakeCluster
    from tests.kube.real import RealCluster

QUICK_TIMING = Timing(
    connect=2,
    answer=2,
    watch=60,
    probe=0.1,
    probe_timeout=1.5,
    probe_failing=0.05,
    first_pause=0.02,
    max_pause=0.1,
    refused=0.05,
    pending=0.3,
    forbidden=0.1,
    renew=0.05,
)
"""Short pauses: a test takes tenths of seconds for what takes half a minute in use."""
LIMIT_SECONDS = 120.0
"""Seconds until a wait fails. It is long because the machine may be busy; `make bench` measures kvtui's speed."""


class RunningLayer:
    """The running layer and what it has read.

    Args:
        layer: already started.
        changes: times of its change notifications (monotonic clock).
    """

    def __init__(self, layer: KubeLayer, changes: list[float]) -> None:
        self.layer = layer
        self.changes = changes

    @property
    def kube(self) -> Kube:
        found = self.layer.kube(time.time())
        assert found is not None, self.layer.source(None).detail
        return found

    @property
    def services(self) -> Mapping[NamespacedName, KubeService]:
        return self.kube.services or {}

    @property
    def pods(self) -> Mapping[NamespacedName, Pod]:
        return self.kube.pods or {}

    def endpoints(self, namespace: str, name: str) -> list[Endpoint]:
        """Returns the endpoints of a Service from all its slices."""
        groups = (self.kube.endpoints or {}).get((namespace, name), ())
        return [e for g in groups for e in g.endpoints]

    @property
    def source(self) -> Source:
        return self.layer.source(self.layer.kube(time.time()))

    def state(self, resource: Resource) -> ResourceState:
        found = self.kube.resource(resource)
        assert found is not None
        return found

    async def until(self, condition: Callable[[], object]) -> None:
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > LIMIT_SECONDS:
                known = self.layer.kube(time.time())
                raise PollTimeoutError(f"not within {LIMIT_SECONDS:g} s; {self.layer.source(known)}; {known}")
            await asyncio.sleep(0.005)


TOKEN = "t0ken-of-the-service-account"  # noqa: S105 - not a real secret


def kubeconfig_of(url: str, folder: Path, certificate: Path | None = None, **cluster: str) -> Kubeconfig:
    """Writes a kubeconfig with the token in a separate file."""
    (folder / "token").write_text(TOKEN)
    authority = {"certificate-authority": str(certificate)} if certificate else {}
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url, **authority, **cluster}}],
        "users": [{"name": "u", "user": {"tokenFile": str(folder / "token")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return Kubeconfig(str(folder / "kubeconfig"), None)


def place_of(cluster: FakeCluster | RealCluster, folder: Path) -> ApiPlace:
    """Returns how kvtui finds the cluster's API."""
    if isinstance(found := getattr(cluster, "place", None), Kubeconfig):
        return found
    return kubeconfig_of(cluster.url, folder, getattr(cluster, "certificate", None))  # type: ignore[union-attr]


@asynccontextmanager
async def running_layer(
    cluster: FakeCluster | RealCluster,
    folder: Path,
    *,
    configmap: str | None = "default/vip-configmap",
    timing: Timing = QUICK_TIMING,
    pod: str | None = None,
    settle: bool = True,
    place: ApiPlace | None = None,
) -> AsyncIterator[RunningLayer]:
    """Runs the layer on a cluster and closes it afterwards.

    Args:
        cluster: the cluster to read.
        folder: for the kubeconfig and the token.
        configmap: ``--configmap``.
        timing: pauses.
        pod: ``namespace/name`` of the controller's pod.
        settle: whether to wait for the first lists.
        place: how to find the API; None for the cluster's kubeconfig.
    """
    namespace, _, name = (pod or "/").partition("/")
    environ = {"POD_NAMESPACE": namespace, "POD_NAME": name}
    settings = KubeSettings(configmap=configmap)
    changes: list[float] = []
    layer = KubeLayer(
        settings,
        lambda: changes.append(time.monotonic()),
        timing=timing,
        environ=environ,
        place=place or place_of(cluster, folder),
    )
    layer.start()
    try:
        if settle:
            await layer.settle(LIMIT_SECONDS)
        yield RunningLayer(layer, changes)
    finally:
        await layer.close()


@asynccontextmanager
async def serving(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Runs a server that calls ``handle`` for each connection; yields its port and closes all connections."""
    running: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client went away
            await handle(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        running.add(asyncio.create_task(guarded(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    listening = server.sockets[0]
    try:
        yield listening.getsockname()[1]
    finally:
        await stop_accepting(listening.fileno())
        server.close()
        for _ in range(5):  # a socket accepted a moment ago becomes a connection in the loop's next iterations
            for task in running:
                task.cancel()
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0.002)
        await asyncio.gather(*running, return_exceptions=True)
