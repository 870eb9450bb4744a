"""What earlier snapshots tell that the latest does not: since when a thing holds. The observer folds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Hashable


class ConditionHistory(Struct):
    """Since when each condition holds without a pause, by the clock of the snapshots.

    Attributes:
        began: time of the first observation (seconds since the epoch); None before it.
        since: condition → time at which it was first seen in the present unbroken run.
    """

    began: float | None = None
    since: dict[Hashable, float] = field(default_factory=dict)

    def fold(self, time: float, holding: frozenset[Hashable]) -> None:
        """Take in which conditions hold at ``time``; those that do not are forgotten."""
        if self.began is None:
            self.began = time
        self.since = {c: self.since.get(c, time) for c in holding}

    def held(self, condition: Hashable, now: float) -> float:
        """Seconds for which it has held; 0 when it does not or was not seen before."""
        return max(0.0, now - self.since.get(condition, now))
