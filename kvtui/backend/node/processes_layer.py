"""Which keepalived the snapshot is about: looked for again when it dies, and now and then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kvtui.backend.linux import processes
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

RESCAN = 5.0
"""Seconds between two looks at all processes; the chosen one is looked at in every reading."""

NOT_FOUND = (
    "no keepalived runs here, or none that can be seen: on the node look with `ps -C keepalived`; "
    "in a pod, kvtui needs shareProcessNamespace or hostPID"
)


class ProcessesLayer:
    """Every keepalived on the machine, and the chosen one.

    Once one was chosen, kvtui stays in its network namespace: when it dies only another one *there* takes its place.
    A keepalived of another namespace would show another node's addresses as this one's.

    Args:
        pid: which one (``--pid``); None for the one in kvtui's own network namespace.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._looked_at: float | None = None
        self.found: tuple[Keepalived, ...] = ()
        self.chosen: Keepalived | None = None
        self.last: Keepalived | None = None
        """The one that was chosen most recently, which may be gone."""

    def read(self, now: float, *, hurry: bool = False) -> None:
        """Look again where that is due.

        Args:
            now: seconds since the epoch.
            hurry: something happened that is to be seen at once: a look at all processes can wait for a while.

        Raises:
            LookupError: ``--pid`` names no keepalived, at the first reading.
        """
        timeout = 2 * RESCAN if hurry else RESCAN
        if self._looked_at is not None and now - self._looked_at < timeout and self._alive():
            return
        self._looked_at = now
        self.found = processes.find()
        if self.last is None:
            self.chosen = None if self._ambiguous() else processes.choose(self.found, self._pid)
        else:
            self.chosen = self._successor(self.last)
        self.last = self.chosen or self.last

    def _ambiguous(self) -> bool:
        """Several run, each in a network namespace that is not ours: any choice would be a guess."""
        return self._pid is None and len(self.found) > 1 and all(k.own_netns is False for k in self.found)

    def _successor(self, last: Keepalived) -> Keepalived | None:
        same = next((k for k in self.found if (k.pid, k.started) == (last.pid, last.started)), None)
        there = tuple(k for k in self.found if k.netns == last.netns)
        return same or processes.choose(there)

    def _alive(self) -> bool:
        return self.chosen is not None and os.path.exists(f"/proc/{self.chosen.pid}/stat")  # noqa: PTH110 - hot path

    def source(self) -> Source:
        """Its state."""
        name = SourceName.KEEPALIVED
        if self.chosen is None:
            why = NOT_FOUND
            if self._ambiguous():
                pids = ", ".join(str(k.pid) for k in self.found)
                why = (
                    f"no keepalived in this network namespace; others run in theirs (PID {pids}): choose one with --pid"
                )
            if self.last is not None:
                why = (
                    f"keepalived (PID {self.last.pid}) is gone and no other runs in its network namespace: "
                    "start it again; its log says why it ended; what is shown below was read before"
                )
            return Source(name, SourceState.UNAVAILABLE, why, self._looked_at)
        detail, state = "", SourceState.OK
        if self.chosen.netns is None:
            state = SourceState.DEGRADED
            detail = f"the namespaces of PID {self.chosen.pid} cannot be read: needs root or CAP_SYS_PTRACE"
        elif self.chosen.own_netns is False:
            state = SourceState.DEGRADED
            detail = (
                f"PID {self.chosen.pid} is in another network namespace than kvtui: what is shown belongs to that one"
            )
        return Source(name, state, detail, self._looked_at)
