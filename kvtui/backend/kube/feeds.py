"""All queries of one kind, and what they bring together. Used by the coordinator's thread alone."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from kvtui.backend.kube.errors import ForbiddenError, MissingError
from kvtui.backend.kube.facts import ResourceStatus
from kvtui.backend.kube.watcher import Changed, Failed, Listed, Opened, Watcher
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.backend.kube.query_plan import Query
    from kvtui.backend.kube.session import Session
    from kvtui.backend.kube.watcher import Parser, Report
    from kvtui.model.kube import NamespacedName

NOT_YET = "not read yet"
REFUSED = "as an API server does while it starts, or after a right was taken away; asked again every second"


class Feed:
    """What one query brought.

    Attributes:
        failure: why it is not current; None while the watch runs.
        tried: the first attempt is over, well or not.
        read_at: when it is not live: the last moment at which it was.
    """

    def __init__(self, session: Session, query: Query, parse: Parser, report: Callable[[Feed, Report], None]) -> None:
        self.query = query
        self.watcher = Watcher(session, query, parse, partial(report, self))
        self.objects: dict[NamespacedName, Any] = {}
        self.synced = self.tried = False
        self.failure: Failed | None = None
        self.read_at: float | None = None

    @property
    def live(self) -> bool:
        return self.synced and self.failure is None

    @property
    def forbidden(self) -> bool:
        failure = self.failure
        return failure is not None and isinstance(failure.error, ForbiddenError) and not failure.pending

    @property
    def given_up(self) -> bool:
        return self.forbidden or (self.failure is not None and isinstance(self.failure.error, MissingError))

    def take(self, report: Report) -> Iterable[NamespacedName]:
        """Takes in a report; returns the keys whose object may be another now."""
        match report:
            case Listed(objects):
                before, self.objects = self.objects, objects
                self.synced = self.tried = True
                return before.keys() | objects.keys()
            case Changed(name, value):
                if value is None:
                    self.objects.pop(name, None)
                else:
                    self.objects[name] = value
                return (name,)
            case Opened():
                self.failure = None
            case Failed(at=at, pending=pending):
                if self.live:
                    self.read_at = time.time() if at is None else at
                self.failure = report
                self.tried = self.tried or not pending
        return ()

    def detail(self) -> tuple[str, str]:
        if self.failure is None:
            return "", ""
        error, identity = self.failure.error, self.failure.identity
        if not isinstance(error, ForbiddenError):
            return str(error), ""
        if self.failure.pending:
            return f"{identity or 'kvtui'} is refused (403), {REFUSED}", ""
        remedy = self.query.remedy(identity)
        return f"{self.query.missing_right(error.verb, identity)}: `{remedy.partition('  #')[0]}` grants it", remedy


class Feeds:
    """The feeds of one kind. When other queries are wanted, the old ones' objects stay until the new are listed.

    Watchers use ``call_later``, in their threads.
    """

    def __init__(self, session: Session, call_later: Callable[[Callable[[], None]], None]) -> None:
        self._session, self._call_later = session, call_later
        self._wanted: dict[Query, Feed] = {}
        self._leaving: list[Feed] = []
        self._sent: dict[NamespacedName, Any] = {}
        self._dirty: set[NamespacedName] = set()
        self.asked = False
        """It was decided which queries are wanted; there may be none."""
        self.generation = 0
        """Grows whenever objects may have changed."""

    def set_queries(self, wanted: set[Query], parse: Parser) -> None:
        """Watches these queries from now on, and no others."""
        if self.asked and wanted == self._wanted.keys():
            return
        self.asked = True
        self.generation += 1
        for query in [q for q in self._wanted if q not in wanted]:
            old = self._wanted.pop(query)
            if old.synced:
                self._leaving.append(old)
            else:
                old.watcher.stop()
        for query in sorted(wanted - self._wanted.keys(), key=repr):
            feed = Feed(self._session, query, parse, lambda *report: self._call_later(partial(self._take, *report)))
            self._wanted[query] = feed
            feed.watcher.start()
        self._release()

    def _take(self, feed: Feed, report: Report) -> None:
        """Takes nothing of a feed that has been dropped since."""
        if feed not in (*self._wanted.values(), *self._leaving):
            return
        if keys := feed.take(report):
            self._dirty.update(keys)
            self.generation += 1
        self._release()

    def _release(self) -> None:
        """Drops the old feeds as soon as the new ones know, or cannot know."""
        if self._leaving and all(f.synced or f.given_up for f in self._wanted.values()):
            for old in self._leaving:
                old.watcher.stop()
                self._dirty.update(old.objects)
            self._leaving.clear()
            self.generation += 1

    def cut(self, error: Any, at: float) -> None:
        for feed in self._wanted.values():
            feed.watcher.cut(error, at)

    @property
    def known(self) -> bool:
        """Whether each query was listed at least once, or there is none to list."""
        return self.asked and all(f.synced for f in self._wanted.values())

    @property
    def missing(self) -> bool:
        return any(f.failure and isinstance(f.failure.error, MissingError) for f in self._wanted.values())

    @property
    def forbidden(self) -> bool:
        return any(f.forbidden for f in self._wanted.values())

    @property
    def tried(self) -> bool:
        return all(f.tried for f in self._wanted.values())

    @property
    def failed(self) -> bool:
        return any(f.failure for f in self._wanted.values())

    def objects(self) -> dict[NamespacedName, Any]:
        found: dict[NamespacedName, Any] = {}
        for feed in (*self._leaving, *self._wanted.values()):
            found.update(feed.objects)
        return found

    def changes(self) -> list[tuple[NamespacedName, Any]]:
        """Returns keys with their objects that changed since the last call, None for those that are gone."""
        dirty, self._dirty = self._dirty, set()
        feeds = (*self._wanted.values(), *reversed(self._leaving))
        now = {name: next((f.objects[name] for f in feeds if name in f.objects), None) for name in dirty}
        # without heartbeats and managed fields: nothing that is kept
        changed = [(name, value) for name, value in now.items() if self._sent.get(name) != value]
        for name, value in changed:
            if value is None:
                del self._sent[name]
            else:
                self._sent[name] = value
        return changed

    def status(self) -> ResourceStatus:
        feeds = self._wanted.values()
        known = self.known or any(f.synced for f in (*self._leaving, *feeds))
        times = [f.read_at for f in feeds if not f.live]
        read_at = min((t for t in times if t is not None), default=None) if None not in times else None
        live = all(f.live for f in feeds)
        failing = next((f for f in feeds if f.failure and not f.failure.pending), None)
        failing = failing or next((f for f in feeds if f.failure), None)
        if failing is not None:
            detail, remedy = failing.detail()
            state = SourceState.DEGRADED if known else SourceState.UNAVAILABLE
            return ResourceStatus(state, detail, remedy, self.forbidden, live, read_at, known)
        if not self.known:
            return ResourceStatus(SourceState.UNAVAILABLE, NOT_YET, known=known)
        return ResourceStatus(SourceState.OK, live=live, read_at=read_at, known=True)
