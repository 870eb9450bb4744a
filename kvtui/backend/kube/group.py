"""All queries of one kind, and what they bring together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvtui.backend.kube.errors import Forbidden, Missing
from kvtui.backend.kube.reflector import Reflector
from kvtui.model.kube import ResourceState
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.backend.kube.api import Api, JsonObject
    from kvtui.backend.kube.query import Query
    from kvtui.backend.kube.reflector import Parsed
    from kvtui.model.kube import NamespacedName, Resource

NOT_YET = "not read yet"


class Group:
    """The reflectors of one kind. When other queries are wanted, the old ones' objects stay until the new are listed.

    Args:
        resource: which kind.
        api: whom to ask.
        changed: called in the event loop when objects or state changed.
    """

    def __init__(self, resource: Resource, api: Api, changed: Callable[[], None]) -> None:
        self.resource = resource
        self._api, self._changed = api, changed
        self._wanted: dict[Query, Reflector] = {}
        self._leaving: list[Reflector] = []
        self._tasks: dict[Reflector, asyncio.Task[None]] = {}
        self._view: dict[NamespacedName, Any] = {}
        self._seen: tuple[tuple[int, int], ...] | None = None
        self.asked = False
        """Somebody said which queries are wanted; there may be none."""

    def want(self, queries: Iterable[Query], parser: Callable[[Query], Callable[[JsonObject], Parsed | None]]) -> None:
        """From now on these queries.

        Args:
            queries: all of them.
            parser: how to read what each brings.
        """
        wanted = set(queries)
        if self.asked and wanted == self._wanted.keys():
            return
        self.asked = True
        for query in [q for q in self._wanted if q not in wanted]:
            old = self._wanted.pop(query)
            if old.synced:
                self._leaving.append(old)
            else:
                self._stop(old)
        for query in sorted(wanted - self._wanted.keys(), key=repr):
            fresh = Reflector(self._api, query, parser(query), self._moved)
            self._wanted[query] = fresh
            self._tasks[fresh] = asyncio.create_task(fresh.run(), name=f"kube {query.plural}")
        self._moved()

    def _moved(self) -> None:
        """Let the old ones go as soon as the new ones know, or cannot know."""
        if self._leaving and all(r.synced or isinstance(r.error, Forbidden | Missing) for r in self._wanted.values()):
            for old in self._leaving:
                self._stop(old)
            self._leaving.clear()
        self._changed()

    def _stop(self, reflector: Reflector) -> None:
        task = self._tasks.pop(reflector)
        task.cancel()

    @property
    def known(self) -> bool:
        """Each query was listed at least once, or there is none to list."""
        return self.asked and all(r.synced for r in self._wanted.values())

    @property
    def missing(self) -> bool:
        """The cluster does not know the kind."""
        return any(isinstance(r.error, Missing) for r in self._wanted.values())

    @property
    def forbidden(self) -> bool:
        """A right is missing."""
        return any(isinstance(r.error, Forbidden) for r in self._wanted.values())

    @property
    def believable(self) -> bool:
        """There is something to show: all of it, or what was read before."""
        return self.known or any(r.synced for r in (*self._leaving, *self._wanted.values()))

    def objects(self) -> dict[NamespacedName, Any]:
        """All objects; a new dictionary whenever something changed, so that it may be kept."""
        reflectors = (*self._leaving, *self._wanted.values())
        seen = tuple((id(r), r.edition) for r in reflectors)
        if seen != self._seen:
            self._seen, view = seen, {}
            for reflector in reflectors:
                view.update(reflector.objects)
            self._view = view
        return self._view

    def state(self, now: float) -> ResourceState:
        """How far it can be believed.

        Args:
            now: seconds since the epoch.
        """
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.result()  # a fault of kvtui's own: loud, rather than old data that look live
        reflectors = self._wanted.values()
        times = [r.current_at(now) for r in reflectors]
        known = [t for t in times if t is not None]
        read_at = (min(known) if len(known) == len(times) else None) if times else (now if self.asked else None)
        troubles = [r.error for r in reflectors if r.error is not None]
        if troubles:
            state = SourceState.DEGRADED if self.believable else SourceState.UNAVAILABLE
            return ResourceState(self.resource, state, str(troubles[0]), read_at, self.forbidden)
        if not self.known:
            return ResourceState(self.resource, SourceState.UNAVAILABLE, NOT_YET)
        return ResourceState(self.resource, SourceState.OK, "", read_at)

    async def tried(self) -> None:
        """Wait until each query was answered or failed once."""
        while untried := [r for r in self._wanted.values() if not r.tried.is_set()]:
            await untried[0].tried.wait()

    def reflectors(self) -> tuple[Reflector, ...]:
        """Those that are wanted."""
        return tuple(self._wanted.values())

    async def close(self) -> None:
        """Stop all."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._wanted.clear()
