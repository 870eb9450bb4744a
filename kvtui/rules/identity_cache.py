"""Caches results by the identity of their inputs.

Every event makes a new observation, in which nearly all objects are those of the previous one. Results that depend
only on unchanged objects are reused; the functions stay pure.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class IdentityCache(Generic[T]):
    """The most recent results of one function."""

    def __init__(self, limit: int = 2048) -> None:
        self._limit = limit
        self._results: OrderedDict[Hashable, tuple[tuple[object, ...], T]] = OrderedDict()

    def get(self, inputs: tuple[object, ...], also: Hashable, compute: Callable[[], T]) -> T:
        """``inputs`` are immutable, compared by identity and kept alive; ``also`` is compared by equality."""
        key = (also, *map(id, inputs))
        cached = self._results.get(key)
        if cached is not None:
            self._results.move_to_end(key)
            return cached[1]
        result = compute()
        self._results[key] = (inputs, result)
        if len(self._results) > self._limit:
            self._results.popitem(last=False)
        return result
