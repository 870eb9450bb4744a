"""Remembers who was master of each instance, and when. Bounded; forgets instances that are gone."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.observation import Observation

MAX_TENURES = 200
"""Changes of master that are kept for an instance."""


class Tenure(Struct, frozen=True):
    """From when an instance had this master; ``address`` is None while nobody was known to be it."""

    since: float
    address: str | None
    is_self: bool = False


class Masters:
    def __init__(self) -> None:
        self._tenures: dict[str, deque[Tenure]] = {}

    def add(self, observation: Observation) -> None:
        instances = observation.vrrp_instances
        if instances is None:
            return
        for gone in self._tenures.keys() - {i.name for i in instances}:
            del self._tenures[gone]
        for instance in instances:
            master = instance.master
            address = (master.address or "this node") if master else None
            now = Tenure(observation.snapshot.time, address, bool(master and master.is_self))
            known = self._tenures.setdefault(instance.name, deque(maxlen=MAX_TENURES))
            if not known or (known[-1].address, known[-1].is_self) != (now.address, now.is_self):
                known.append(now)

    def of(self, instance: str) -> tuple[Tenure, ...]:
        return tuple(self._tenures.get(instance, ()))


def strip(tenures: Sequence[Tenure], begin: float, end: float, columns: int) -> list[Tenure | None]:
    """Returns the master of each of equal parts of a time; None before anything was known.

    A part with several has the one whose tenure began last in it, so that a short one is seen.
    """
    width = (end - begin) / max(1, columns)
    ends = [*(begin + column * width for column in range(1, columns)), inf]  # the last part has the present master
    return [next((t for t in reversed(tenures) if t.since < until), None) for until in ends[:columns]]
