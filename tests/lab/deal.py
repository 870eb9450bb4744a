"""Chooses which lab test a kernel runs next: one that needs a cluster which that kernel has already, where possible."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

CLUSTERS_KEPT = 3
"""Clusters that a kernel keeps side by side: each takes about 2 s of CPU to build, and 3 to 6 % of a CPU while it is
there. One that no test needs any more goes at once (reporter.py)."""
FIRST = 60.0
"""Seconds from which on a test runs before all others, the longest first: no run is shorter than its last test."""
LONG = 20.0
"""Seconds from which on a test runs before the shorter ones of its cluster, so that none of them begins last."""


@dataclass(frozen=True)
class Task:
    """A test: its node id, the cluster that it needs, and the seconds that it took last time."""

    nodeid: str
    cluster: Hashable
    seconds: float


class Deal:
    """The tests that no kernel has yet."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._waiting: dict[Hashable, list[Task]] = {}
        for task in tasks:
            self._waiting.setdefault(task.cluster, []).append(task)
        for group in self._waiting.values():
            group.sort(
                key=lambda task: -task.seconds if task.seconds >= LONG else 0.0
            )  # the others stay in random order
        self._kept: dict[int, OrderedDict[Hashable, None]] = {}

    def take(self, kernel: int) -> Task | None:
        """Return the next test for this kernel; None when no test waits."""
        if not self._waiting:
            return None
        kept = self._kept.setdefault(kernel, OrderedDict())
        cluster: Hashable = max(self._waiting, key=lambda c: self._waiting[c][0].seconds)
        if self._waiting[cluster][0].seconds < FIRST:
            cluster = next((c for c in reversed(kept) if c in self._waiting), None)
        if cluster is None:
            cluster = max(self._waiting, key=lambda c: self._seconds(c) / (1 + self._kernels_with(c)))
        kept[cluster] = None
        kept.move_to_end(cluster)
        while len(kept) > CLUSTERS_KEPT:
            kept.popitem(last=False)
        group = self._waiting[cluster]
        task = group.pop(0)
        if not group:
            del self._waiting[cluster]
        return task

    def one_of_each(self) -> list[str]:
        """Return the node id of a waiting test for each cluster that is still needed."""
        return [group[0].nodeid for group in self._waiting.values()]

    def _seconds(self, cluster: Hashable) -> float:
        return sum(task.seconds for task in self._waiting[cluster])

    def _kernels_with(self, cluster: Hashable) -> int:
        return sum(cluster in kept for kept in self._kept.values())
