"""A Kubernetes API for tests: a real HTTP server on this machine, based on kmock (tests/kube/emulator.py).

It runs in its own thread and serves synchronous and asyncio tests, in the lab's kernel too:

    from tests.kube.cluster import FakeCluster
    from tests.kube import objects

    with FakeCluster() as cluster:                          # host="0.0.0.0" to be reached from a lab node's namespace
        cluster.put(*objects.tutorial(vip="10.4.0.50"))     # create or replace, any of the kinds in kinds.KINDS
        path = cluster.kubeconfig(tmp_path / "config")      # kvtui --kubeconfig PATH --configmap default/vip-configmap
        cluster.put(objects.endpointslice("nginx", objects.endpoint("10.2.68.5", "nginx-1", ready=False)))
        cluster.delete("endpointslices", "default", "nginx-x1")
        cluster.forbid("endpointslices"); cluster.allow("endpointslices")       # 403
        with cluster.outage(): ...                          # connection refused, all connections cut; then back again
        with cluster.frozen(): ...                          # connections stay open, the server sends nothing
        cluster.cut(); cluster.cut(halfway=True)            # drop connections; in the middle of a JSON line
        cluster.compact(); cluster.expire()                 # the next resume gets 410; running watches get 410
        cluster.requests                                    # the requests and their user agents
        cluster.sent                                        # times and kinds of the events sent to watches

A lab node reaches it at the host's end of the bridge. Or run it inside the node's namespace
(``python -m tests.kube.serve``) and control it by lines on its standard input.

Tests that can use a real cluster use that of ``KVTUI_TEST_KUBECONFIG`` instead (tests/kube/real.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import socket
import ssl
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp.web

from tests.kube.emulator import Emulator
from tests.kube.store import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tests.kube.objects import Object

T = TypeVar("T")
READING = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that the API received."""

    method: str
    path: str
    params: dict[str, str]
    agent: str


class FakeCluster:
    """See the module's text.

    Args:
        host: address to listen on.
        port: 0 for any free port; it stays the same through outages.
        token: the bearer token that clients must send; None accepts all clients.
        tls: whether to speak HTTPS, with a new self-signed certificate (needs the ``openssl`` program).
        bookmark_every: seconds between bookmarks; the real API sends one about every minute.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        tls: bool = False,
        bookmark_every: float = 60.0,
    ) -> None:
        self.host, self.port = host, port
        self._token, self._tls, self._bookmark_every = token, tls, bookmark_every
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-cluster", daemon=True)
        self._folder = tempfile.TemporaryDirectory(prefix="fake-cluster-")
        self._runner: aiohttp.web.ServerRunner | None = None
        self._servers: list[aiohttp.web.Server] = []
        """One for each period between outages. An old server may still get a connection accepted at its end."""
        self.certificate: Path | None = None
        self.namespace = "default"

    def __enter__(self) -> Self:
        self._thread.start()
        if self._tls:
            self.certificate = self._make_certificate()
        self._call(self._begin)
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._run(self._emulator.__aexit__(None, None, None))
        self._run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """The API's URL."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def put(self, *objects: Object) -> None:
        """Creates or replaces objects."""
        self._call(lambda: [self._emulator.store.put(o) for o in objects])

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """Deletes an object; nodes have namespace ""."""
        self._call(lambda: self._emulator.store.delete(plural, namespace, name))

    def get(self, plural: str, namespace: str, name: str) -> Object:
        """Returns the stored object."""
        return self._call(lambda: self._emulator.store.objects[(plural, namespace, name)])

    def all(self, plural: str) -> list[Object]:
        """Returns copies of all objects of a kind."""
        found = self._call(lambda: [o for k, o in self._emulator.store.objects.items() if k[0] == plural])
        return copy.deepcopy(found)

    def changed_since(self, revision: int) -> int:
        """Waits for a change after that revision; returns the current revision."""

        async def wait() -> int:
            while self._emulator.store.revision <= revision:
                await self._emulator.store.changed.wait()
            return self._emulator.store.revision

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result()

    def forbid(self, plural: str, *verbs: str, namespace: str | None = None) -> None:
        """Answers 403 and drops all connections, as an API server does that restarted with other RBAC rules."""
        self._call(lambda: self._emulator.rules.add(Rule(plural, frozenset(verbs or READING), namespace)))
        self.cut()

    def allow(self, plural: str) -> None:
        """Undoes ``forbid``."""
        emulator = self._emulator
        self._call(lambda: emulator.rules.difference_update([r for r in emulator.rules if r.plural == plural]))

    def without(self, plural: str) -> None:
        """Stops serving this kind, as a cluster does that is too old for it."""
        self._call(lambda: self._emulator.missing.add(plural))

    def require(self, token: str | None) -> None:
        """Changes the bearer token that clients must send."""
        self._token = token
        self._call(lambda: setattr(self._emulator, "token", token))

    def starting(self, *, refuses: bool) -> None:
        """Answers 403 to everything, as an API server does until it has loaded its RBAC rules."""
        self._call(lambda: setattr(self._emulator, "starting", refuses))

    def identify(self, user: str, *, reviews: bool = True) -> None:
        """Sets every client's user; ``reviews``: whether the API has SelfSubjectReview (Kubernetes 1.28 and newer)."""
        self._call(lambda: setattr(self._emulator, "user", user))
        self._call(lambda: setattr(self._emulator, "reviews", reviews))

    def cut(self, *, halfway: bool = False) -> None:
        """Drops all connections. With ``halfway`` it sends half of the next event; call ``finish_halfway`` then."""
        if halfway:
            self._call(lambda: setattr(self._emulator, "half_lines", True))
        else:
            self._call(self._abort)

    def finish_halfway(self) -> None:
        """Drops all connections after half a line was sent; sends whole lines again."""
        self._call(self._abort)
        self._call(lambda: setattr(self._emulator, "half_lines", False))

    def compact(self) -> None:
        """Forgets old revisions: a client that resumes a watch gets 410."""
        self._call(self._emulator.store.compact)

    def expire(self) -> None:
        """Sends 410 in the stream of running watches."""
        self._call(self._emulator.store.expire)

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Refuses connections."""
        self._run(self._close())
        try:
            yield
        finally:
            self._run(self._listen())

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Keeps connections open but sends and answers nothing, as a network that drops packets."""
        self._call(self._emulator.thawed.clear)
        try:
            yield
        finally:
            self._call(self._emulator.thawed.set)

    @contextlib.contextmanager
    def held(self, plural: str) -> Iterator[None]:
        """Delays answers to lists of this kind until the block ends."""
        event = asyncio.Event()
        self._call(lambda: self._emulator.held.update({plural: event}))
        try:
            yield
        finally:
            self._call(event.set)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far."""

        def read() -> list[RecordedRequest]:
            return [
                RecordedRequest(r.method.value, r.url.path, dict(r.params), r.headers.get("User-Agent", ""))
                for r in self._emulator  # a handler is the sequence of its requests
            ]

        return self._call(read)

    @property
    def headers(self) -> list[list[tuple[str, str]]]:
        """The headers of each request so far; a header may occur more than once."""
        return self._call(lambda: list(self._emulator.seen_headers))

    @property
    def sent(self) -> list[tuple[float, str]]:
        """Time (``time.monotonic``) and plural of each event sent to a watch so far."""
        return self._call(lambda: list(self._emulator.sent))

    def kubeconfig(self, path: Path | str, *, token: str | None = None, namespace: str = "default") -> Path:
        """Writes a kubeconfig for it (context ``fake``); returns its path."""
        cluster: dict[str, Any] = {"server": self.url}
        if self.certificate is not None:
            cluster["certificate-authority"] = str(self.certificate)
        token = token or self._token
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "fake", "user": {"token": token} if token else {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": namespace}}],
        }
        file = Path(path)
        file.write_text(json.dumps(config))  # JSON is YAML
        file.chmod(0o600)
        return file

    def _begin(self) -> None:
        self._emulator = Emulator()

        async def enter() -> None:
            await self._emulator.__aenter__()
            self._emulator.begin()
            self._emulator.token = self._token
            self._emulator.bookmark_every = self._bookmark_every

        self._entering = self._loop.create_task(enter())

    async def _listen(self) -> None:
        await self._entering
        server = aiohttp.web.Server(self._emulator, handler_cancellation=True)
        self._servers.append(server)
        self._runner = aiohttp.web.ServerRunner(server, shutdown_timeout=0.0)
        await self._runner.setup()
        context = None
        if self.certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listening = socket.create_server((self.host, self.port), family=family)
        self._listening.settimeout(0)
        site = aiohttp.web.SockSite(self._runner, self._listening, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await stop_accepting(self._listening.fileno())
            for site in list(runner.sites):
                await site.stop()
            self._abort()
            await runner.cleanup()
            await self._settle()

    async def _settle(self) -> None:
        """Lets pending work end (an aborted TLS handshake, a new connection) and drops the connections it made."""
        for _ in range(5):
            await asyncio.sleep(0)
            self._abort()

    async def _finish(self) -> None:
        # asyncio leaks a connection that is cancelled between accept and TLS: first wait until such tasks fail.
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            _, late = await asyncio.wait(others, timeout=1.0)
            for task in late:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        await self._settle()

    def _abort(self) -> None:
        for server in self._servers:
            for connection in list(server.connections):
                if connection.transport is not None:
                    connection.transport.abort()

    def _make_certificate(self) -> Path:
        path = Path(self._folder.name) / "api.crt"
        own = f",IP:{self.host}" if self.host not in {"127.0.0.1", "0.0.0.0"} else ""
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=fake-cluster "
            f"-addext subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default{own} "
            f"-keyout {path.with_suffix('.key')} -out {path}"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        return path

    def _call(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return self._run(call())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


async def stop_accepting(fileno: int) -> None:
    """Stops accepting before a server closes: asyncio (3.11) leaks connections accepted just before that."""
    asyncio.get_running_loop().remove_reader(fileno)
    for _ in range(5):
        await asyncio.sleep(0)
