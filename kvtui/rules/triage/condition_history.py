"""How long conditions have held, over several observations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Hashable


class ConditionHistory(Struct):
    """Since when each condition holds without interruption, by the clock of the snapshots.

    Attributes:
        began: time of the first observation (seconds since the epoch); None before it.
        since: condition → time at which its current uninterrupted run began.
    """

    began: float | None = None
    since: dict[Hashable, float] = field(default_factory=dict)

    def fold(self, time: float, holding: frozenset[Hashable]) -> None:
        if self.began is None:
            self.began = time
        self.since = {c: self.since.get(c, time) for c in holding}

    def held(self, condition: Hashable, now: float) -> float:
        return max(0.0, now - self.since.get(condition, now))
