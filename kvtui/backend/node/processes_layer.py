"""Finds keepalived: again as soon as the chosen one, or one of its children, is another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kvtui.backend.linux import processes
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.keepalived import Keepalived

LOOK_SECONDS = 1.5
"""Between two looks for new processes; the chosen one and its children are checked at each reading."""
SCAN_SECONDS = 30.0
"""Between two scans of all processes without a reason: a scan of 443 took 25 ms of CPU, a look 0.24 ms."""

NOT_FOUND = (
    "no keepalived runs here, or kvtui cannot see it: on the node, run `ps -C keepalived`; "
    "in a pod, kvtui needs shareProcessNamespace or hostPID"
)


class ProcessesLayer:
    """Every keepalived on the machine, and the chosen one.

    After the first choice kvtui stays in that network namespace while anything runs there: only a keepalived *there*
    replaces one that ended. One of another namespace would have another node's addresses.

    ``pid`` is of ``--pid``; None for the one in kvtui's own network namespace.
    """

    def __init__(self, pid: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pid = pid
        self._clock = clock
        self._looked_at = self._scanned_at = float("-inf")
        self._newcomers = processes.Newcomers()
        self._read_at: float | None = None
        self._fingerprint: processes.Fingerprint = ()
        self._others: tuple[processes.Fingerprint, ...] = ()
        self.found: tuple[Keepalived, ...] = ()
        self.chosen: Keepalived | None = None
        self.last: Keepalived | None = None  # the last chosen one, which may have ended
        self.not_found: KeepalivedNotFoundError | None = None  # ``--pid`` named none at the first reading

    def read(self) -> None:
        """Scans the processes when that is due; blocks."""
        now = self._clock()
        fingerprint = processes.fingerprint(self.chosen) if self.chosen else ()
        if processes.is_same(self._fingerprint, fingerprint) and not self._is_due(now):
            self._read_at = time.time()
            return
        self._scanned_at = self._looked_at = now
        found = processes.find()
        chosen = self._successor(found, self.last) if self.last is not None else self._first(found)
        # taken before the scan: what changed during it is seen at the next reading
        same = chosen is not None and self.chosen is not None and chosen.pid == self.chosen.pid
        self._fingerprint = fingerprint if same or chosen is None else processes.fingerprint(chosen)
        self.found, self.chosen, self.last = found, chosen, chosen or self.last
        self._read_at = time.time()

    def expire(self) -> None:
        """Makes the next reading scan all processes: the kernel moves their start times when the clock is set."""
        self._scanned_at = float("-inf")

    def _is_due(self, now: float) -> bool:
        if now - self._scanned_at >= SCAN_SECONDS:
            return True
        if self.chosen is not None and now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        others = tuple(processes.fingerprint(k) for k in self.found if k is not self.chosen)
        pairs = zip(self._others, others, strict=False)
        changed = len(others) != len(self._others) or not all(processes.is_same(*pair) for pair in pairs)
        self._others = others
        return self._newcomers.include_keepalived(now) or changed

    def _first(self, found: tuple[Keepalived, ...]) -> Keepalived | None:
        self.not_found = None
        try:
            return None if self._is_ambiguous(found) else processes.choose(found, self._pid)
        except KeepalivedNotFoundError as error:
            self.not_found = error
            return None

    def _is_ambiguous(self, found: tuple[Keepalived, ...]) -> bool:
        """Whether several run, none of them in our network namespace: any choice would be a guess."""
        return self._pid is None and len(found) > 1 and all(k.own_netns is False for k in found)

    @staticmethod
    def _successor(found: tuple[Keepalived, ...], last: Keepalived) -> Keepalived | None:
        same = next((k for k in found if k.identity == last.identity), None)
        return same or processes.choose(tuple(k for k in found if k.netns == last.netns))

    def source(self) -> Source:
        if self.chosen is None:
            return Source(SourceName.KEEPALIVED, SourceState.UNAVAILABLE, self._why_none(), self._read_at)
        detail = ""
        if self.chosen.netns is None:
            detail = f"the namespaces of PID {self.chosen.pid} cannot be read: run kvtui as root or with CAP_SYS_PTRACE"
        elif self.chosen.own_netns is False:
            detail = f"PID {self.chosen.pid} is in another network namespace than kvtui: all data is from there"
        state = SourceState.DEGRADED if detail else SourceState.OK
        return Source(SourceName.KEEPALIVED, state, detail, self._read_at)

    def _why_none(self) -> str:
        if self.last is not None:
            return (
                f"keepalived (PID {self.last.pid}) has ended and no other runs in its network namespace: start it "
                "again; its log says why it ended"
            )
        if self._is_ambiguous(self.found):
            pids = ", ".join(str(k.pid) for k in self.found)
            return f"no keepalived in this network namespace; in others run PID {pids}: choose one with --pid"
        return NOT_FOUND
