"""Adds to kmock what a watching client relies on: resource versions, selectors, pages, bookmarks, 410, 403.

kmock 0.8's own emulator supports none of these: its watch ignores resourceVersion and begins with all objects, and
its lists ignore selectors. This module has the store and the two verbs; kmock parses, routes, logs and answers.
Reference: https://kubernetes.io/docs/reference/using-api/api-concepts/ (sections on watches, chunks, bookmarks).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import aiohttp.web
import kmock

from tests.kube import tables
from tests.kube.kinds import BY_PLURAL, Kind, discovery
from tests.kube.label_selectors import requirements
from tests.kube.patches import patched
from tests.kube.store import EXPIRED, Rule, Store, StoreChange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.kube.objects import Object

EXIT_SECONDS = 60.0
"""Seconds that a command has to exit after its input ended."""


class Emulator(kmock.KubernetesScaffold):
    """Serves a store; ``tests.kube.cluster.FakeCluster`` controls it."""

    async def __call__(self, raw_request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
        """Serves paths that kmock 0.8 cannot parse: discovery, exec, and namespaces.

        Every namespace exists. Deleting a namespace deletes its objects.
        """
        self.seen_headers.append(list(raw_request.headers.items()))
        if (found := discovery(raw_request.path)) is not None:
            return found
        path = raw_request.path.split("/")[1:]
        if path[4:5] == ["pods"] and path[6:] == ["exec"]:
            return await self._exec(raw_request)
        if path[:3] != ["api", "v1", "namespaces"] or len(path) > 4:
            return await super().__call__(raw_request)
        if raw_request.method == "DELETE":
            for key in [k for k in self.store.objects if k[1] == path[3]]:
                self.store.delete(*key)
        return aiohttp.web.json_response({"kind": "Namespace", "metadata": {"name": path[-1]}})

    async def _exec(self, request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
        """Runs the command on this machine for every pod; speaks v4.channel.k8s.io as the kubelet does."""
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return aiohttp.web.json_response({"kind": "Status", "message": "Unauthorized"}, status=401)
        _api, _v1, _namespaces, namespace, _pods, pod = request.path.split("/")[1:7]
        if ("pods", namespace, pod) not in self.store.objects:
            message = f'pods "{pod}" not found'
            return aiohttp.web.json_response({"kind": "Status", "message": message}, status=404)
        socket = aiohttp.web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        pipe, argv = asyncio.subprocess.PIPE, request.query.getall("command")
        if shutil.which(argv[0]) is None:
            message = f'OCI runtime exec failed: exec: "{argv[0]}": executable file not found in $PATH: unknown'
            await socket.send_bytes(b"\x03" + json.dumps({"status": "Failure", "message": message}).encode())
            await socket.close()
            return socket
        has_input = request.query.get("stdin") == "true"
        stdin = pipe if has_input else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=pipe, stderr=pipe, start_new_session=True
        )

        async def copy(channel: int, stream: asyncio.StreamReader | None) -> None:
            while stream is not None and (data := await stream.read(1 << 14)):
                await socket.send_bytes(bytes([channel]) + data)

        copies = [asyncio.create_task(copy(1, process.stdout)), asyncio.create_task(copy(2, process.stderr))]
        gone = asyncio.create_task(self._pass_in(socket, process.stdin))
        try:
            either: set[asyncio.Future[Any]] = {asyncio.gather(*copies, return_exceptions=True), gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                code = await process.wait()
                causes = [{"reason": "ExitCode", "message": str(code)}]
                failed: Object = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
                status = failed if code else {"status": "Success"}
                await socket.send_bytes(b"\x03" + json.dumps({"metadata": {}, **status}).encode())
                await socket.close()
        finally:
            if has_input:  # as with containerd, the process keeps running after its input ended
                await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=EXIT_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            gone.cancel()
            await asyncio.shield(asyncio.gather(process.wait(), *copies, return_exceptions=True))
        return socket

    async def _pass_in(self, socket: aiohttp.web.WebSocketResponse, stdin: asyncio.StreamWriter | None) -> None:
        """Writes the client's input to the process until the client closes the connection."""
        async for message in socket:
            if stdin is not None and message.data[:1] == b"\x00":
                stdin.write(message.data[1:])
        if stdin is not None:
            stdin.close()

    def begin(self) -> None:
        """Registers the verbs. Call it within the event loop, after entering the handler."""
        self.store = Store()
        self.rules: set[Rule] = set()
        self.missing: set[str] = set()
        self.token: str | None = None
        self.bookmark_every = 60.0
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.held: dict[str, asyncio.Event] = {}
        """Lists of these plurals wait for their event."""
        self.sent: list[tuple[float, str]] = []
        """Time (monotonic clock) and plural of each event that was sent."""
        self.user = "system:serviceaccount:default:kvtui"
        """The user that every client is authenticated as."""
        self.starting = False
        """Whether the API server has not loaded its RBAC rules yet: it forbids everything to everyone."""
        self.reviews = True
        """Whether the API has SelfSubjectReview (1.28 and newer)."""
        self.seen_headers: list[list[tuple[str, str]]] = []
        self.half_lines = False
        """Whether events are sent only by half, as by a proxy that dies in the middle of a line."""
        self["get /version"] << self._version
        self["post /apis/authentication.k8s.io/v1/selfsubjectreviews"] << self._review
        self[kmock.action.LIST] << self._list
        # kubectl reads a stream of this type only
        self[kmock.action.WATCH] << {"Content-Type": "application/json"} << self._watch
        self[kmock.action.FETCH] << self._fetch
        self[kmock.action.CREATE] << self._create
        self[kmock.method.PUT] << self._write
        self[kmock.action.UPDATE] << self._patch
        self[kmock.action.DELETE] << self._delete

    async def _version(self, request: kmock.Request) -> Any:
        await self.thawed.wait()
        self._authenticate(request)
        if self.starting:
            raise _error(403, "Forbidden", f'forbidden: User "{self.user}" cannot get path "/version"')
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}

    def _authenticate(self, request: kmock.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self.token is not None and (scheme.lower(), token) != ("bearer", self.token):
            raise _error(401, "Unauthorized", "Unauthorized")

    async def _review(self, request: kmock.Request) -> Any:
        await self.thawed.wait()
        self._authenticate(request)
        if not self.reviews:
            raise _error(404, "NotFound", "the server could not find the requested resource")
        if self.starting:
            raise _error(403, "Forbidden", f'selfsubjectreviews is forbidden: User "{self.user}" cannot create')
        user = request.headers.get("Impersonate-User") or self.user
        return {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": user}}}

    async def _list(self, request: kmock.Request) -> Any:
        await self.thawed.wait()
        kind = self._admit(request, "list")
        if held := self.held.get(kind.plural):
            await held.wait()
        matches = _selector(kind, request)
        params = request.params
        after, revision = _continued(params.get("continue", ""), self.store.revision)
        found = sorted(k for k in self.store.objects if k[0] == kind.plural and k > after)
        found = [k for k in found if matches(self.store.objects[k])]
        limit = int(params.get("limit", "0")) or len(found)
        meta: Object = {"resourceVersion": str(revision)}
        if len(found) > limit:
            meta |= {
                "continue": json.dumps([*found[limit - 1], revision]),
                "remainingItemCount": len(found) - limit,
            }
        if tables.accepts_table(request.headers.get("Accept", "")):
            return tables.table(kind.plural, [self.store.objects[k] for k in found[:limit]], str(revision))
        return {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.group_version,
            "metadata": meta,
            # The items of a list have no kind and apiVersion, as in the real API.
            "items": [
                {n: v for n, v in self.store.objects[k].items() if n not in {"kind", "apiVersion"}}
                for k in found[:limit]
            ],
        }

    async def _watch(self, request: kmock.Request) -> Any:
        await self.thawed.wait()
        return self._events(request, self._admit(request, "watch"))

    async def _events(self, request: kmock.Request, kind: Kind) -> AsyncIterator[Any]:
        yield b""  # sends the headers before the first event
        matches = _selector(kind, request)
        as_table = tables.accepts_table(request.headers.get("Accept", ""))
        bookmarks = request.params.get("allowWatchBookmarks") == "true"
        ends = time.monotonic() + float(request.params.get("timeoutSeconds", "1800"))
        revision = int(request.params.get("resourceVersion") or self.store.revision)
        expiries = self.store.expiries if revision >= self.store.oldest else -1
        while (left := ends - time.monotonic()) > 0:
            if expiries != self.store.expiries:
                yield {"type": "ERROR", "object": EXPIRED}
                return
            changed = self.store.changed
            for change in self.store.since(revision):
                revision = change.revision
                await self.thawed.wait()
                if change.key[0] == kind.plural and (event := _event(change, matches)):
                    if as_table:
                        event["object"] = tables.table(kind.plural, [event["object"]])
                    line = json.dumps(event).encode() + b"\n"
                    self.sent.append((time.monotonic(), kind.plural))
                    yield line[: len(line) // 2] if self.half_lines else line
            try:
                async with asyncio.timeout(min(self.bookmark_every, left)):
                    await changed.wait()
            except TimeoutError:
                await self.thawed.wait()
                if bookmarks and not any(self.store.since(revision)):  # a change made just now goes first
                    revision = self.store.revision
                    yield {"type": "BOOKMARK", "object": _bookmark(kind, revision)}

    async def _fetch(self, request: kmock.Request) -> Any:
        await self.thawed.wait()
        kind = self._admit(request, "get")
        found = self.store.objects.get((kind.plural, request.namespace or "", request.name or ""))
        if found is None:
            raise _error(404, "NotFound", f'{kind.plural} "{request.name}" not found')
        if request.method is kmock.method.GET and tables.accepts_table(request.headers.get("Accept", "")):
            return tables.table(kind.plural, [found], found["metadata"]["resourceVersion"])
        return found

    async def _create(self, request: kmock.Request) -> Any:
        kind = self._admit(request, "create")
        if request.data is None:  # `kubectl create` sends protobuf for some kinds
            raise _error(
                415,
                "UnsupportedMediaType",
                "this API reads JSON: kubectl create … -o yaml --dry-run=client | kubectl apply -f -",
            )
        name = request.data["metadata"]["name"]
        if (kind.plural, request.namespace or "", name) in self.store.objects:
            raise _error(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        return self.store.put({"kind": kind.kind, **request.data})

    async def _write(self, request: kmock.Request) -> Any:
        kind = self._admit(request, "update")
        return self.store.put({"kind": kind.kind, **request.data})

    async def _patch(self, request: kmock.Request) -> Any:
        kind = self._admit(request, "patch")
        before = await self._fetch(request)
        strategic = "strategic" in request.headers.get("Content-Type", "")
        return self.store.put({"kind": kind.kind, **patched(before, request.data, strategic=strategic)})

    async def _delete(self, request: kmock.Request) -> Any:
        kind = self._admit(request, "delete")
        try:
            return self.store.delete(kind.plural, request.namespace or "", request.name or "")
        except KeyError:
            raise _error(404, "NotFound", f'{kind.plural} "{request.name}" not found') from None

    def _admit(self, request: kmock.Request, verb: str) -> Kind:
        """Returns the requested kind; raises an API error if it is not served or not allowed."""
        self._authenticate(request)
        plural = request.resource.plural if request.resource else None
        kind = BY_PLURAL.get(str(plural))
        if kind is None or kind.plural in self.missing or request.resource.group != kind.group:  # type: ignore[union-attr]
            raise _error(404, "NotFound", "the server could not find the requested resource")
        if self.starting:
            raise _forbidden(kind, verb, request.namespace, self.user)
        for rule in self.rules:
            if rule.plural == kind.plural and verb in rule.verbs and rule.namespace in {None, request.namespace or ""}:
                raise _forbidden(kind, verb, request.namespace, self.user)
        return kind


def _forbidden(kind: Kind, verb: str, namespace: str | None, who: str) -> kmock.KubernetesError:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f"{kind.plural}.{kind.group}".rstrip(".")
    return _error(
        403,
        "Forbidden",
        f'{what} is forbidden: User "{who}" cannot {verb} resource "{kind.plural}" in API group "{kind.group}" {where}',
    )


def _error(status: int, reason: str, message: str) -> kmock.KubernetesError:
    return kmock.KubernetesError(status=status, reason=reason, message=message, details={"x": "y"})


def _bookmark(kind: Kind, revision: int) -> Object:
    return {"kind": kind.kind, "metadata": {"resourceVersion": str(revision), "creationTimestamp": None}}


def _continued(text: str, revision: int) -> tuple[tuple[str, ...], int]:
    if not text:
        return (), revision
    *key, revision = json.loads(text)
    return tuple(key), revision


def _event(change: StoreChange, matches: Callable[[Object], bool]) -> Object | None:
    """Returns the event that a watch with that selector gets for a change; None for no event."""
    before = change.before is not None and matches(change.before)
    after = change.after is not None and matches(change.after)
    if after:
        return {"type": "MODIFIED" if before else "ADDED", "object": change.after}
    if not before or change.before is None:
        return None
    last = copy.deepcopy(change.before)
    last["metadata"]["resourceVersion"] = str(change.revision)
    return {"type": "DELETED", "object": last}


def _selector(kind: Kind, request: kmock.Request) -> Callable[[Object], bool]:
    """Returns a filter for objects by the namespace and the field and label selectors of a request."""
    if kind.plural == "events":  # the emulator has no events
        return lambda _obj: False
    fields = [f.partition("=") for f in request.params.get("fieldSelector", "").split(",") if f]
    labels = requirements(request.params.get("labelSelector", ""))
    supported = {"metadata.name": ("metadata", "name"), "metadata.namespace": ("metadata", "namespace")}
    if any(name not in supported for name, _, _ in fields):
        raise _error(400, "BadRequest", "field label not supported")

    def matches(obj: Object) -> bool:
        meta = obj["metadata"]
        if kind.namespaced and request.namespace and meta["namespace"] != request.namespace:
            return False
        if any(meta.get(supported[name][1]) != value.lstrip("=") for name, _, value in fields):
            return False
        own = meta.get("labels") or {}
        return all(requirement(own) for requirement in labels)

    return matches
