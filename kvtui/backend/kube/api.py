"""One API server: credentials that are renewed, connections, and what an answer's status means."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from kvtui.backend.kube import errors
from kvtui.backend.kube.http import Connection
from kvtui.backend.kube.kubeconfig import load
from kvtui.backend.kube.places import ServiceAccount
from kvtui.backend.kube.query import RBAC_FILE

if TYPE_CHECKING:
    import ssl

    from kvtui.backend.kube.credentials import Credentials
    from kvtui.backend.kube.http import Response
    from kvtui.backend.kube.places import Kubeconfig
    from kvtui.backend.kube.query import Query
    from kvtui.backend.kube.timing import Timing

JsonObject = dict[str, Any]
LONGEST_SPACING = 20
"""Times ``Timing.renew``: at most so long between two readings of a kubeconfig that does not help."""


class Api:
    """The API at one place.

    Args:
        place: where credentials come from.
        timing: how long to wait.

    Attributes:
        timing: the same.
        server: its URL, once known.
        revived: set when something succeeded after a failure, so that whoever pauses tries again at once.
    """

    def __init__(self, place: ServiceAccount | Kubeconfig, timing: Timing) -> None:
        self._place = place
        self.timing = timing
        self._credentials: Credentials | None = None
        self._tls: ssl.SSLContext | None = None
        self._lock = asyncio.Lock()
        self._distrusted = False
        self._bad: errors.BadAccess | None = None
        self._loaded_at = float("-inf")
        self._spacing = timing.renew
        self._stamp: tuple[object, ...] = ()
        self.revived = asyncio.Event()
        self._failing = False

    @property
    def server(self) -> str:
        """Its URL without credentials; empty while unknown."""
        return self._credentials.server if self._credentials else ""

    async def connect(self) -> tuple[Connection, Credentials]:
        """A new connection, and the credentials it uses.

        Raises:
            KubeTrouble: BadAccess or Unreachable.
        """
        async with self._lock:
            credentials = await self._current()
        return await Connection.open(credentials, self._tls, self.timing), credentials

    async def _current(self) -> Credentials:
        if isinstance(self._place, ServiceAccount):  # the kubelet renews the token: read the file each time
            return self._adopt(self._place.credentials())
        if self._credentials is not None and not self._distrusted:
            return self._credentials
        now = asyncio.get_running_loop().time()
        if now - self._loaded_at < self._spacing and self._place.stamp() == self._stamp:
            if self._credentials is None:
                raise self._bad or errors.BadAccess("no credentials")
            return self._credentials
        self._loaded_at, self._stamp = now, self._place.stamp()
        old = self._credentials
        # Longer from time to time: a plugin may ask a person, who is not to be asked for ever.
        self._spacing = min(self._spacing * 2, LONGEST_SPACING * self.timing.renew)
        try:
            fresh = self._adopt(await load(self._place))
        except errors.BadAccess as bad:
            self._bad = bad
            raise
        if fresh != old:
            self._spacing = self.timing.renew
        self._distrusted = False
        return fresh

    def _adopt(self, fresh: Credentials) -> Credentials:
        if fresh != self._credentials:
            self._tls = fresh.tls()
            self._credentials = fresh
        return fresh

    def distrust(self, used: Credentials) -> None:
        """The API did not know these credentials: fetch others for the next connection (a plugin's token expired)."""
        if self._credentials == used:
            self._distrusted = True

    def went_well(self) -> None:
        """Whoever pauses may try again."""
        if self._failing:
            self._failing = False
            self.revived.set()
            self.revived = asyncio.Event()

    def went_wrong(self) -> None:
        """The API cannot be reached."""
        self._failing = True

    async def pause(self, seconds: float) -> None:
        """Wait; shorter when something else succeeds meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self.revived.wait()
        except TimeoutError:
            return

    async def fetch(self, target: str) -> JsonObject:
        """One object, over a connection of its own.

        Raises:
            KubeTrouble: whatever kept it from coming.
        """
        connection, credentials = await self.connect()
        try:
            response = await connection.get(target)
            body = await response.body(self.timing.answer)
            if response.status == 401:
                self.distrust(credentials)
            check(response.status, response.headers, what=f"`get {target.partition('?')[0]}`", right=None)
            return decode(body)
        finally:
            connection.close()


async def refuse(response: Response, query: Query, verb: str, timing: Timing) -> None:
    """Raise what a status means; nothing for 200.

    Raises:
        Rejected: one of its kinds.
    """
    if response.status != 200:
        await response.body(timing.answer, most=1 << 20)
        check(response.status, response.headers, what=f"`{verb} {query.qualified}`", right=query.right(verb))


def check(status: int, headers: dict[str, str], *, what: str, right: str | None) -> None:
    """Raise what a status means.

    Args:
        status: of HTTP, or the code of a Status object in a watch.
        headers: of the answer.
        what: what was asked, for the sentence.
        right: the sentence for 403.

    Raises:
        Rejected: one of its kinds.
        Nonsense: a status that no Kubernetes API gives.
    """
    match status:
        case 200:
            return
        case 401:
            raise errors.Unauthorized(
                "the API does not accept these credentials (401): log in again, or renew the token or certificate "
                "in the kubeconfig",
                status,
            )
        case 403:
            raise errors.Forbidden(right or f"no right to {what.strip('`')}: see {RBAC_FILE}", status)
        case 404:
            raise errors.Missing(f"the API does not have what {what} asks for (404)", status)
        case 410:
            raise errors.Expired(f"the past that {what} resumes from is forgotten (410)", status)
        case _ if status == 429 or status >= 500:
            after = headers.get("retry-after", "")
            wait = float(after) if after.isdecimal() else None
            raise errors.Rejected(f"the API answers {what} with status {status}: it is overloaded or ill", status, wait)
        case _ if 300 <= status < 400:
            raise errors.Nonsense(f"{what} is answered by a redirect ({status}): the kubeconfig's server is no API")
        case _:
            raise errors.Rejected(f"the API answers {what} with status {status}", status)


def decode(body: bytes) -> JsonObject:
    """JSON → an object.

    Raises:
        Nonsense: it is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise errors.Nonsense("what answers does not speak as a Kubernetes API does: no JSON") from None
    if not isinstance(found, dict):
        raise errors.Nonsense("what answers does not speak as a Kubernetes API does: no JSON object")
    return found
