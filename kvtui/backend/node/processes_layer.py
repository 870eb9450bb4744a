"""Which keepalived the snapshot is about: looked for again when it dies, and now and then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kvtui.backend import processes
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

    Args:
        pid: which one (``--pid``); None for the one in kvtui's own network namespace.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._looked_at: float | None = None
        self.found: tuple[Keepalived, ...] = ()
        self.chosen: Keepalived | None = None

    def read(self, now: float) -> None:
        """Look again where that is due.

        Args:
            now: seconds since the epoch.

        Raises:
            LookupError: ``--pid`` names no keepalived, at the first reading.
        """
        first = self._looked_at is None
        if not first and now - (self._looked_at or 0.0) < RESCAN and self._alive():
            return
        self._looked_at = now
        self.found = processes.find()
        try:
            self.chosen = processes.choose(self.found, self._pid)
        except LookupError:
            if first:
                raise
            self.chosen = None

    def _alive(self) -> bool:
        return self.chosen is not None and os.path.exists(f"/proc/{self.chosen.pid}/stat")  # noqa: PTH110 - hot path

    def source(self) -> Source:
        """Its state."""
        name = SourceName.KEEPALIVED
        if self.chosen is None:
            gone = f"the keepalived with PID {self._pid} is gone" if self._pid else NOT_FOUND
            return Source(name, SourceState.UNAVAILABLE, gone, self._looked_at)
        detail, state = "", SourceState.OK
        if self.chosen.netns is None:
            state = SourceState.DEGRADED
            detail = f"the namespaces of PID {self.chosen.pid} cannot be read: needs root or CAP_SYS_PTRACE"
        return Source(name, state, detail, self._looked_at)
