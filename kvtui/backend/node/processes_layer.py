"""Finds keepalived, again after it ended, and every ``RESCAN_SECONDS``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kvtui.backend.linux import processes
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

RESCAN_SECONDS = 5.0
"""Between two scans of all processes; the chosen one is checked at each reading."""

NOT_FOUND = (
    "no keepalived runs here, or kvtui cannot see it: on the node, run `ps -C keepalived`; "
    "in a pod, kvtui needs shareProcessNamespace or hostPID"
)


class ProcessesLayer:
    """Every keepalived on the machine, and the chosen one.

    After the first choice kvtui stays in that network namespace: only a keepalived *there* replaces one that ended.
    One of another namespace would have another node's addresses.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._scanned_at: float | None = None
        self.found: tuple[Keepalived, ...] = ()
        self.chosen: Keepalived | None = None
        self.last: Keepalived | None = None
        """The last chosen one, which may have ended."""

    def read(self, now: float, *, hurry: bool = False) -> None:
        """Scans the processes when it is due.

        Args:
            now: seconds since the epoch.
            hurry: an event needs a snapshot at once: the scan can wait.

        Raises:
            LookupError: ``--pid`` names no keepalived, at the first reading.
        """
        interval = 2 * RESCAN_SECONDS if hurry else RESCAN_SECONDS
        if self._scanned_at is not None and now - self._scanned_at < interval and self._alive():
            return
        self._scanned_at = now
        self.found = processes.find()
        if self.last is None:
            self.chosen = None if self._ambiguous() else processes.choose(self.found, self._pid)
        else:
            self.chosen = self._successor(self.last)
        self.last = self.chosen or self.last

    def _ambiguous(self) -> bool:
        """Whether several run, none of them in our network namespace: any choice would be a guess."""
        return self._pid is None and len(self.found) > 1 and all(k.own_netns is False for k in self.found)

    def _successor(self, last: Keepalived) -> Keepalived | None:
        same = next((k for k in self.found if (k.pid, k.started) == (last.pid, last.started)), None)
        there = tuple(k for k in self.found if k.netns == last.netns)
        return same or processes.choose(there)

    def _alive(self) -> bool:
        return self.chosen is not None and os.path.exists(f"/proc/{self.chosen.pid}/stat")  # noqa: PTH110 - hot path

    def source(self) -> Source:
        name = SourceName.KEEPALIVED
        if self.chosen is None:
            why = NOT_FOUND
            if self._ambiguous():
                pids = ", ".join(str(k.pid) for k in self.found)
                why = f"no keepalived in this network namespace; in others run PID {pids}: choose one with --pid"
            if self.last is not None:
                why = (
                    f"keepalived (PID {self.last.pid}) has ended and no other runs in its network namespace: start it "
                    "again; its log says why it ended; the data below was read before"
                )
            return Source(name, SourceState.UNAVAILABLE, why, self._scanned_at)
        detail, state = "", SourceState.OK
        if self.chosen.netns is None:
            state = SourceState.DEGRADED
            detail = f"the namespaces of PID {self.chosen.pid} cannot be read: run kvtui as root or with CAP_SYS_PTRACE"
        elif self.chosen.own_netns is False:
            state = SourceState.DEGRADED
            detail = f"PID {self.chosen.pid} is in another network namespace than kvtui: all data is from there"
        return Source(name, state, detail, self._scanned_at)
