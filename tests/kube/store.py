"""The emulator's objects by resource version, and its rules of what is forbidden."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kube.kinds import BY_KIND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kube.objects import Object

Key = tuple[str, str, str]
"""Plural, namespace (empty for cluster-scoped objects), name."""

EXPIRED = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "too old resource version",
    "reason": "Expired",
    "code": 410,
}


@dataclass(frozen=True, slots=True)
class StoreChange:
    """An object before and after a change; None if it did not exist."""

    revision: int
    key: Key
    before: Object | None
    after: Object | None


@dataclass(frozen=True, slots=True)
class Rule:
    """Forbids verbs on a plural: in one namespace, in queries for the whole cluster (""), or in both (None)."""

    plural: str
    verbs: frozenset[str]
    namespace: str | None


class Store:
    """Objects by revision. Use it from the server's event loop only."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.revision = 100
        self.oldest = 100
        """Watches from an earlier revision get 410."""
        self.expiries = 0
        """How often running watches got 410."""
        self.changes: list[StoreChange] = []
        self.changed = asyncio.Event()

    def put(self, obj: Object) -> Object:
        """Creates or replaces an object; returns the stored one."""
        kind = BY_KIND[obj["kind"]]
        after = copy.deepcopy(obj)
        after.setdefault("apiVersion", kind.group_version)
        meta = after["metadata"]
        namespace = meta.setdefault("namespace", "default") if kind.namespaced else ""
        key = (kind.plural, namespace, meta["name"])
        before = self.objects.get(key)
        meta["resourceVersion"] = str(self.revision + 1)
        meta["uid"] = before["metadata"]["uid"] if before else f"uid-{self.revision + 1}"
        self._change(key, before, after)
        return after

    def delete(self, plural: str, namespace: str, name: str) -> Object:
        """Removes an object and returns it.

        Raises:
            KeyError: the object does not exist.
        """
        key = (plural, namespace, name)
        before = self.objects[key]
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self.revision + 1)
        self._change(key, last, None)
        return last

    def _change(self, key: Key, before: Object | None, after: Object | None) -> None:
        self.revision += 1
        if after is None:
            del self.objects[key]
        else:
            self.objects[key] = after
        self.changes.append(StoreChange(self.revision, key, before, after))
        self.wake_watches()

    def wake_watches(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def since(self, revision: int) -> Iterator[StoreChange]:
        """Yields the changes after a revision, oldest first."""
        start = len(self.changes)
        while start and self.changes[start - 1].revision > revision:
            start -= 1
        yield from self.changes[start:]

    def compact(self) -> None:
        """Forgets old revisions: a client that resumes from before now gets 410."""
        self.revision += 1
        self.oldest = self.revision
        self.changes.clear()

    def expire(self) -> None:
        """Sends 410 to every running watch."""
        self.compact()
        self.expiries += 1
        self.wake_watches()
