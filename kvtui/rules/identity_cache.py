"""Results kept for as long as what they follow from is the very same objects.

An observation is made for each change in the world, and of thousands of Services one has changed: the others' objects
are the ones of the last observation, so what follows from them need not be worked out again. The functions stay pure.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Remembered(Generic[T]):
    """The newest results of one function.

    Args:
        limit: how many are kept.
    """

    def __init__(self, limit: int = 2048) -> None:
        self._limit = limit
        self._known: OrderedDict[Hashable, tuple[tuple[object, ...], T]] = OrderedDict()

    def get(self, of: tuple[object, ...], also: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gave for these objects, or gives now.

        Args:
            of: immutable objects that the result follows from, compared by identity and kept alive.
            also: small values that it follows from as well, compared by equality.
            make: works it out.
        """
        key = (also, *map(id, of))
        kept = self._known.get(key)
        if kept is not None:
            self._known.move_to_end(key)
            return kept[1]
        result = make()
        self._known[key] = (of, result)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return result
