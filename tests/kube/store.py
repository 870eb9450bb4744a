"""Objects by resource version, and what is forbidden, as the emulator keeps them."""

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
"""Plural, namespace (empty for what has none), name."""

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
class Change:
    """An object before and after; None where there was none."""

    revision: int
    key: Key
    before: Object | None
    after: Object | None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is forbidden: a plural, some verbs, in one namespace, ("") over all of them, or (None) everywhere."""

    plural: str
    verbs: frozenset[str]
    namespace: str | None


class Store:
    """Objects by revision; used from the server's event loop only."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.revision = 100
        self.oldest = 100
        """Watches from before it are answered 410."""
        self.expiries = 0
        """How often running watches were told 410."""
        self.changes: list[Change] = []
        self.news = asyncio.Event()

    def put(self, obj: Object) -> Object:
        """Create or replace; gives what was stored."""
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
        """Remove; gives what it was.

        Raises:
            KeyError: there is none.
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
        self.changes.append(Change(self.revision, key, before, after))
        self.tell()

    def tell(self) -> None:
        """Wake all watches."""
        self.news.set()
        self.news = asyncio.Event()

    def since(self, revision: int) -> Iterator[Change]:
        """Changes after a revision, oldest first."""
        start = len(self.changes)
        while start and self.changes[start - 1].revision > revision:
            start -= 1
        yield from self.changes[start:]

    def compact(self) -> None:
        """Forget the past: whoever resumes from before now gets 410."""
        self.revision += 1
        self.oldest = self.revision
        self.changes.clear()

    def expire(self) -> None:
        """Tell every running watch 410."""
        self.compact()
        self.expiries += 1
        self.tell()
