"""List and watch one query, for as long as it is needed; what is known stays known while the API is away.

The protocol (kubernetes.io, "API concepts"): list in pages, which all are of one resourceVersion; watch from there;
every event and bookmark moves the version on; when the watch ends or is cut, resume from the last version; 410 means
that the past is forgotten, so list again.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from kvtui.backend.kube.api import check, decode, refuse
from kvtui.backend.kube.errors import (
    BadAccess,
    Expired,
    Forbidden,
    KubeTrouble,
    Missing,
    Nonsense,
    Rejected,
    Unauthorized,
    Unreachable,
)
from kvtui.backend.kube.lines import Lines
from kvtui.backend.kube.parse import key
from kvtui.backend.kube.timing import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.kube.api import Api, JsonObject
    from kvtui.backend.kube.credentials import Credentials
    from kvtui.backend.kube.http import Connection
    from kvtui.backend.kube.query import Query
    from kvtui.model.kube import NamespacedName

STEADY = 5.0
"""Seconds: a watch that was open for so long may be opened again at once."""
PAGE = 100
"""Objects a page: parsing one takes some milliseconds, so that the UI draws between two (pods have 5 to 10 KB)."""


class Parsed(NamedTuple):
    """What is kept of an object."""

    key: NamespacedName
    value: Any


class Reflector:
    """Holds what one query brings.

    Args:
        api: whom to ask.
        query: what to ask for.
        parse: keeps what is needed of an object, None when nothing is.
        changed: called in the event loop when objects or state changed.

    Attributes:
        query: the same.
        objects: by namespace and name; never changed in place while somebody may hold it: see ``edition``.
        edition: grows with each change of objects.
        synced: it was listed at least once.
        trouble: why it is not current; None while the watch runs.
        tried: the first attempt is over, well or not.
    """

    def __init__(
        self,
        api: Api,
        query: Query,
        parse: Callable[[JsonObject], Parsed | None],
        changed: Callable[[], None],
    ) -> None:
        self._api, self._parse, self._changed = api, parse, changed
        self.query = query
        self.objects: dict[NamespacedName, Any] = {}
        self.edition = 0
        self.synced = False
        self.error: KubeTrouble | None = None
        self.tried = asyncio.Event()
        self._version = ""
        self._connection: Connection | None = None
        self._credentials: Credentials | None = None
        self._backoff = Backoff(api.timing)
        self._renewed = False
        self._current_at: float | None = None
        self._heard = False
        """Something came since the last attempt."""
        self._watching_since = float("inf")
        self._condemned: KubeTrouble | None = None

    @property
    def live(self) -> bool:
        """The watch is open."""
        return self.synced and self.error is None

    def current_at(self, now: float) -> float | None:
        """The last moment (seconds since the epoch) at which its objects were known to be current; None when never."""
        return now if self.live else self._current_at

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                pause = await self._once()
                self.tried.set()
                if pause:
                    await self._api.pause(pause)
        finally:
            self.tried.set()
            self._drop()

    async def _once(self) -> float:
        """Go on until something ends it; how long to pause before the next attempt."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
        except Expired:
            self._version = ""
            return 0.0 if self._went_on() else self._backoff.next()
        except Unauthorized as trouble:
            return self._unauthorized(trouble)
        except (Forbidden, Missing) as trouble:
            self._failed(trouble)
            self._version = ""
            return self._api.timing.forbidden
        except Rejected as trouble:
            self._failed(trouble)
            return self._backoff.next(min(trouble.retry_after or 0.0, 60.0))
        except (Unreachable, BadAccess, Nonsense) as trouble:
            condemned, self._condemned = self._condemned, None
            if isinstance(trouble, Unreachable) and not condemned and self._went_on():
                return 0.01  # a live watch was cut: resume at once, and only if that fails it is worth telling
            self._failed(condemned or trouble)
            self._api.went_wrong()
            return self._backoff.next()
        else:
            # The server ended the watch, as it was asked to. One that ends at once, again and again, is paused for.
            return 0.0 if self._went_on() else self._backoff.next()
        finally:
            self._drop()

    def _went_on(self) -> bool:
        """Whether the attempt that ended now was good for something, so that the next may follow at once."""
        lived = asyncio.get_running_loop().time() - self._watching_since
        went = self._heard or lived >= STEADY
        self._heard, self._watching_since = False, float("inf")
        if went:
            self._backoff.reset()
        return went

    def _unauthorized(self, trouble: Unauthorized) -> float:
        """Tokens expire: fetch another one and try again; if that is not accepted either, say so."""
        if self._credentials is not None:
            self._api.distrust(self._credentials)
        if not self._renewed:
            self._renewed = True
            return 0.01
        self._failed(trouble)
        return self._backoff.next()

    def _failed(self, trouble: KubeTrouble, at: float | None = None) -> None:
        if self.live:
            self._current_at = time.time() if at is None else at
        before, self.error = self.error, trouble
        if str(before) != str(trouble):
            self._changed()

    def _succeeded(self) -> None:
        self._watching_since = asyncio.get_running_loop().time()
        self._renewed = False
        self._api.went_well()
        if self.error is not None:
            self.error = None
            self._changed()

    def cut(self, trouble: KubeTrouble, at: float | None) -> None:
        """The connection is half-dead: drop it.

        Args:
            trouble: why.
            at: until when what it brought can be believed (seconds since the epoch).
        """
        if self.live:
            self._condemned = trouble
            self._failed(trouble, at)
            self._drop()  # whoever reads from it is told that it was cut

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection, self._credentials = await self._api.connect()
        return self._connection

    async def _list(self) -> None:
        found: dict[NamespacedName, Any] = {}
        continued = ""
        while True:
            page = await self._page(continued)
            await asyncio.sleep(0)  # decoding took some milliseconds: let the UI draw
            try:
                items, meta = page["items"] or (), page["metadata"]
                for obj in items:
                    if parsed := self._parse(obj):
                        found[parsed.key] = parsed.value
                version, continued = str(meta["resourceVersion"]), str(meta.get("continue") or "")
            except (KeyError, TypeError, AttributeError, ValueError):
                raise Nonsense(f"the API lists {self.query.qualified} in a way that kvtui does not know") from None
            if not continued:
                break
        self._version = version
        if not self.synced or found != self.objects:
            self.objects = found
            self.edition += 1
        self.synced = True
        self._changed()
        self.tried.set()

    async def _page(self, continued: str) -> JsonObject:
        timing = self._api.timing
        connection = await self._connected()
        response = await connection.get(self.query.target(limit=str(PAGE), **{"continue": continued}))
        await refuse(response, self.query, "list", timing)
        body = await response.body(timing.answer)
        if not response.finished:
            self._drop()
        return decode(body)

    async def _watch(self) -> None:
        timing = self._api.timing
        connection = await self._connected()
        response = await connection.get(
            self.query.target(
                watch="true",
                resourceVersion=self._version,
                allowWatchBookmarks="true",
                timeoutSeconds=str(max(1, round(timing.watch))),
            )
        )
        await refuse(response, self.query, "watch", timing)
        self._succeeded()
        lines = Lines()
        # The server ends the watch itself; one that it forgot is dropped a little later.
        try:
            async with asyncio.timeout(timing.watch + timing.answer):
                async for piece in response.pieces():
                    for line in lines.feed(piece):
                        self._event(decode(line))
        except TimeoutError:
            raise Unreachable("the API forgot to end a watch") from None

    def _event(self, event: JsonObject) -> None:
        """Take in one event.

        Raises:
            Rejected: the server ends the watch, mostly with 410.
            Nonsense: it is none.
        """
        try:
            kind, obj = event["type"], event["object"]
            if kind == "ERROR":
                status = int(obj.get("code") or 500)
                check(status, {}, what=f"`watch {self.query.qualified}`", right=self.query.right("watch"))
                return
            self._version = str(obj["metadata"]["resourceVersion"])
            self._heard = True
            if kind != "BOOKMARK":
                self._take(key(obj), None if kind == "DELETED" else self._parse(obj))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise Nonsense(f"the API sends an event of {self.query.qualified} that kvtui does not know") from None

    def _take(self, name: NamespacedName, parsed: Parsed | None) -> None:
        if parsed is None:
            if name not in self.objects:
                return
            del self.objects[name]
        elif self.objects.get(name) == parsed.value:
            return  # a heartbeat, a managed field: nothing that is kept
        else:
            self.objects[name] = parsed.value
        self.edition += 1
        self._changed()
