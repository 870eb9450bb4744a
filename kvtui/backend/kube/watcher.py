"""Lists and watches one query, in a thread of its own.

The protocol (kubernetes.io, "API concepts"): list in pages, which all are of one resourceVersion; watch from there;
every event and bookmark moves the version on; when the watch ends or is cut, resume from the last version; 410 means
that this version is no longer there, so list again. The library's ``Watch`` reads the stream.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3

from kvtui.backend.kube import errors, library
from kvtui.backend.kube.parse import key
from kvtui.backend.kube.session import refusal
from kvtui.backend.kube.timing import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.kube.parse import JsonObject
    from kvtui.backend.kube.query_plan import Query
    from kvtui.backend.kube.session import Session
    from kvtui.model.kube import NamespacedName

    Parser = Callable[[Query, JsonObject], Any]
    """Returns what is kept of an object; None when that is nothing."""

STEADY = 5.0
"""Seconds: a watch that was open for so long may be opened again at once."""
PAGE = 100
"""Objects a page: pods have 5 to 10 KB, and a decoded page takes ten times its size in memory."""
MAX_RETRY_AFTER = 60.0
AT_ONCE = 0.01


class Listed(NamedTuple):
    objects: dict[NamespacedName, Any]


class Changed(NamedTuple):
    """``value`` is None when it is gone."""

    key: NamespacedName
    value: Any


class Opened(NamedTuple):
    """The watch is open: what was listed stays current."""


class Failed(NamedTuple):
    """It is not current.

    Attributes:
        at: the last moment at which it was current (seconds since the epoch); None for now.
        pending: it may pass by itself: not to be reported as a fault yet.
        identity: who is refused, for a 403.
    """

    error: errors.KubeError
    at: float | None = None
    pending: bool = False
    identity: str | None = None


Report = Listed | Changed | Opened | Failed


class Watcher:
    """The thread of one query, in which ``send`` is called."""

    def __init__(self, session: Session, query: Query, parse: Parser, send: Callable[[Report], None]) -> None:
        self.query = query
        self._session, self._parse, self._send = session, parse, send
        self._stopped = self._live = self._went_live = self._renewed = False
        self._version = ""
        self._stream: Any = None
        self._cut: Failed | None = None
        timing = session.timing
        self._backoff = Backoff(timing.first_pause, timing.max_pause)
        self._refusals = Backoff(timing.refused, timing.forbidden)
        self._refused_since: float | None = None
        self._heard = False
        """Something came since the last attempt."""
        self._watching_since = float("inf")

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"watch {self.query.plural}", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._session.wake()
        self._interrupt()

    def cut(self, error: errors.KubeError, at: float) -> None:
        """Drops a half-dead connection; what it brought can be believed until ``at`` (seconds since the epoch)."""
        if self._live:
            self._cut = Failed(error, at)
            self._report(self._cut)
            self._live = False
            self._interrupt()

    def _interrupt(self) -> None:
        if (stream := self._stream) is not None:
            stream.stop()  # shuts the socket down, which wakes its reader

    def _report(self, what: Report) -> None:
        if not self._stopped:
            self._send(what)

    def _run(self) -> None:
        while not self._stopped:
            pause = self._attempt()
            if pause and not self._stopped:
                self._session.pause(pause, lambda: self._stopped)

    def _attempt(self) -> float:
        """Goes on until something ends it; returns how long to pause before the next attempt."""
        try:
            if not self._version:
                self._list()
            self._watch()
        except errors.ExpiredError:
            self._version = ""
        except errors.UnauthorizedError as error:
            return self._unauthorized(error)
        except errors.ForbiddenError as error:
            return self._forbidden(error)
        except errors.MissingError as error:
            self._failed(Failed(error))
            self._version = ""
            return self._session.timing.forbidden
        except errors.RejectedError as error:
            self._failed(Failed(error))
            return self._backoff.next(min(error.retry_after or 0.0, MAX_RETRY_AFTER))
        except (errors.UnreachableError, errors.AccessError, errors.UnexpectedAnswerError) as error:
            return self._unreachable(error)
        # The server ended the watch, as it was asked to. One that ends at once, again and again, is paused for.
        return 0.0 if self._went_on() else self._backoff.next()

    def _went_on(self) -> bool:
        """Returns whether the attempt that ended now was good for something, so that the next may follow at once."""
        went_on = self._heard or time.monotonic() - self._watching_since >= STEADY
        self._heard, self._watching_since = False, float("inf")
        if went_on:
            self._backoff.reset()
        return went_on

    def _unreachable(self, error: errors.KubeError) -> float:
        cut, self._cut = self._cut, None
        if isinstance(error, errors.UnreachableError) and not cut and self._went_on():
            return AT_ONCE  # a live watch was cut: resume at once, and only if that fails it is worth telling
        if isinstance(error, errors.UnreachableError):
            self._session.failed()
        self._failed(cut or Failed(error))
        return self._backoff.next()

    def _unauthorized(self, error: errors.UnauthorizedError) -> float:
        """Tokens expire: reads another one and tries again; reports if that is not accepted either."""
        self._session.invalidate()
        self._session.succeeded()
        if not self._renewed:
            self._renewed = True
            return AT_ONCE
        self._failed(Failed(error))
        return self._backoff.next()

    def _forbidden(self, error: errors.ForbiddenError) -> float:
        """An API server that starts answers 403 until it has loaded its rights: a fault only when it persists."""
        timing, now = self._session.timing, time.monotonic()
        self._version = ""
        self._session.succeeded()
        if self._refused_since is None:
            self._refused_since = now
            self._refusals.reset()
        identity, loaded = self._identity(error)
        restarted = not loaded or self._went_live or now - self._session.failed_at < timing.pending
        pending = restarted and now - self._refused_since < timing.pending
        self._failed(Failed(error, pending=pending, identity=identity))
        return timing.refused * 0.9 if pending else self._refusals.next()

    def _identity(self, error: errors.ForbiddenError) -> tuple[str | None, bool]:
        """Returns who is refused, and whether the API has loaded its rights."""
        try:
            name = self._session.identity()
        except errors.KubeError as refused:
            return quoted_user(error.message), not isinstance(refused, errors.ForbiddenError)
        return name or quoted_user(error.message), True

    def _failed(self, what: Failed) -> None:
        self._live = False
        self._report(what)

    def _opened(self) -> None:
        self._watching_since = time.monotonic()
        self._renewed = False
        self._refused_since = None
        self._live = self._went_live = True
        self._cut = None
        self._session.succeeded()
        self._report(Opened())

    def _list(self) -> None:
        found: dict[NamespacedName, Any] = {}
        target, what = self.query.target, f"list {self.query.qualified}"
        continued = ""
        while True:
            page = self._session.get(target(limit=str(PAGE), **{"continue": continued}), what=what)
            try:
                for obj in page["items"] or ():
                    if (value := self._parse(self.query, obj)) is not None:
                        found[key(obj)] = value
                version, continued = str(page["metadata"]["resourceVersion"]), page["metadata"].get("continue") or ""
            except (KeyError, TypeError, AttributeError, ValueError):
                raise errors.UnexpectedAnswerError(
                    f"the API's list of {self.query.qualified} has a format that kvtui does not know"
                ) from None
            if not continued or self._stopped:
                break
        self._version = version
        self._report(Listed(found))

    def _watch(self) -> None:
        timing = self._session.timing
        self._stream = stream = library.Watch()
        try:
            # With a time-out of its own the library leaves retries to the caller.
            for event in stream.stream(self._open, timeout_seconds=max(1, round(timing.watch))):
                if self._stopped or self._cut is not None:
                    break
                self._take(event)
        except library.ApiException as error:  # an ERROR event
            raise refusal(int(error.status or 500), f"watch {self.query.qualified}") from None
        except (urllib3.exceptions.ReadTimeoutError, TimeoutError):
            return  # no event and no bookmark for long: open it again
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._session.explained(error, timing.answer) from None
        except (KeyError, TypeError, AttributeError, ValueError):
            if self._cut is None:
                raise errors.UnexpectedAnswerError(
                    f"the API sent an event for {self.query.qualified} that kvtui does not know"
                ) from None
        finally:
            self._stream = None
        if self._cut is not None:
            raise errors.UnreachableError(str(self._cut.error))

    def _open(self, *, timeout_seconds: int, **_: Any) -> urllib3.BaseHTTPResponse:
        target = self.query.target(
            watch="true", resourceVersion=self._version, allowWatchBookmarks="true", timeoutSeconds=str(timeout_seconds)
        )
        timeout = min(self._session.timing.silence_timeout, timeout_seconds + 30)
        response = self._session.open("GET", target, what=f"watch {self.query.qualified}", read_timeout=timeout)
        self._opened()
        return response

    def _take(self, event: Any) -> None:
        if event is None:
            raise ValueError("no JSON")
        obj = event["object"]
        self._version = str(obj["metadata"]["resourceVersion"])
        self._heard = True
        if event["type"] != "BOOKMARK":
            self._report(Changed(key(obj), None if event["type"] == "DELETED" else self._parse(self.query, obj)))


def quoted_user(message: str) -> str | None:
    """Returns the user that a 403's message names; for clusters without SelfSubjectReview (before 1.28)."""
    found = re.search(r'User "([^"]+)"', message)
    return found[1] if found else None
