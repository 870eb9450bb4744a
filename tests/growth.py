"""Compares the CPU time of two pieces of work on a machine with other load."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5


def ratio(work: Callable[[], object], to: Callable[[], object]) -> float:
    """Returns the CPU time of ``work`` as a multiple of that of ``to``: the best of alternating rounds."""
    costs: list[float] = []
    bases: list[float] = []
    for _ in range(ROUNDS):
        bases.append(_cost(to))
        costs.append(_cost(work))
    return min(costs) / min(bases)


def _cost(work: Callable[[], object]) -> float:
    # without garbage collections, whose time depends on all live objects, also those of other tests
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        gc.enable()
