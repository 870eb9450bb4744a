"""How the cost of some work compares with that of other work, on this very machine, whatever else it does."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5


def ratio(work: Callable[[], object], to: Callable[[], object]) -> float:
    """How many times the CPU time of ``to`` the work takes: the best of rounds that take turns."""
    costs: list[float] = []
    bases: list[float] = []
    for _ in range(ROUNDS):
        bases.append(_cost(to))
        costs.append(_cost(work))
    return min(costs) / min(bases)


def _cost(work: Callable[[], object]) -> float:
    # without the collector, which looks at all live objects, those of other tests too: it says nothing of the work
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        gc.enable()
