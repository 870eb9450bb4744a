"""What keepalived says of itself, asked in the background so that no snapshot waits for a dump."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kvtui.backend.dumps import Dumper, DumpUnavailable
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.dumps import Dump
    from kvtui.model.keepalived import Keepalived


class VrrpLayer:
    """The latest dump of one keepalived.

    Args:
        keepalived: whose; None when there is none.
        signals: whether it may be asked. ``--read-only`` forbids signals: then only dumps that are there are read.
        changed: called when a new dump was read.
    """

    def __init__(self, keepalived: Keepalived | None, *, signals: bool, changed: Callable[[], None]) -> None:
        self.dump: Dump | None = None
        self._dumper = Dumper(keepalived, signals=signals) if keepalived else None
        self._changed = changed
        self._trouble = "there is no keepalived to ask" if keepalived is None else "not asked yet"
        self._task: asyncio.Task[None] | None = None

    def ask(self, now: float, *, urgent: bool) -> None:
        """Ask keepalived in the background, unless that would be too often.

        Args:
            now: seconds since the epoch.
            urgent: something changed, so the last dump is likely to be wrong.
        """
        busy = self._task is not None and not self._task.done()
        if self._dumper is None or busy or not self._dumper.due(now, urgent):
            return
        self._task = asyncio.create_task(self._ask(self._dumper))

    async def _ask(self, dumper: Dumper) -> None:
        try:
            self.dump = await asyncio.to_thread(dumper.read, time.time())
            self._trouble = ""
        except DumpUnavailable as why:
            self._trouble = str(why)
        self._changed()

    async def settle(self) -> None:
        """Wait for the answer that is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def source(self) -> Source:
        """Its state; a dump that grew old after a failed attempt is still shown, with its age."""
        if self.dump is None:
            return Source(SourceName.VRRP, SourceState.UNAVAILABLE, self._trouble)
        detail = self._trouble or self.dump.detail
        state = SourceState.DEGRADED if detail else SourceState.OK
        return Source(SourceName.VRRP, state, detail, self.dump.read_at)

    async def close(self) -> None:
        """Stop waiting for an answer."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
