"""What keepalived says of itself, asked in the background so that no snapshot waits for a dump."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.dumps.file import DumpUnavailable
from kvtui.backend.dumps.requester import Dumper
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.dumps.requester import Dump
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import VrrpInstance

PENDING = "not asked yet"


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
        self._error = "there is no keepalived to ask" if keepalived is None else PENDING
        self._task: asyncio.Task[None] | None = None
        self._checks_wanted = False

    def ask(self, now: float, *, urgent: bool, checks: bool = False) -> None:
        """Ask keepalived in the background, unless that would be too often.

        Args:
            now: seconds since the epoch.
            urgent: something changed, so the last dump is likely to be wrong.
            checks: so are the health checks: only they tell a server that failed from one that was taken away.
        """
        self._checks_wanted |= checks
        busy = self._task is not None and not self._task.done()
        if self._dumper is None or busy or not self._dumper.due(now, urgent=urgent or self._checks_wanted):
            return
        # The full dump costs keepalived two more signals; what it has more than the JSON changes seldom.
        full = self.dump is None or self._checks_wanted or self._dumper.due(now)
        self._checks_wanted = False
        self._task = asyncio.create_task(self._ask(self._dumper, full=full))

    async def _ask(self, dumper: Dumper, *, full: bool) -> None:
        try:
            answer = await asyncio.to_thread(dumper.read, time.time(), full=full)
            if self._dumper is dumper:  # it may have gone meanwhile
                self.dump = carry(self.dump, answer)
                self._error = ""
        except DumpUnavailable as why:
            self._error = str(why)
        self._changed()

    def mark_gone(self) -> None:
        """Its keepalived is gone: what it said of itself is no longer so."""
        self._dumper = None
        self.dump = None
        self._error = "keepalived is gone: there is nobody to ask"

    async def settle(self) -> None:
        """Wait for the answer that is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def source(self) -> Source:
        """Its state; a dump that grew old after a failed attempt is still shown, with its age."""
        if self.dump is None:
            lack = UnavailableReason.PENDING if self._error == PENDING else None
            return Source(SourceName.VRRP, SourceState.UNAVAILABLE, self._error, reason=lack)
        detail = self._error or self.dump.detail
        state = SourceState.DEGRADED if detail else SourceState.OK
        return Source(SourceName.VRRP, state, detail, self.dump.read_at)

    async def close(self) -> None:
        """Stop waiting for an answer."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


def carry(before: Dump | None, answer: Dump) -> Dump:
    """The answer, with what only a full dump has (checks, track files, sync groups) taken over from the last one."""
    if before is None or answer.checks is not None:
        return answer
    known = {i.name: i for i in before.instances}
    instances = tuple(_carry_instance(known.get(i.name), i) for i in answer.instances)
    return replace(answer, instances=instances, checks=before.checks)


def _carry_instance(before: VrrpInstance | None, now: VrrpInstance) -> VrrpInstance:
    if before is None or now.track_files:
        return now
    return replace(
        now,
        track_files=before.track_files,
        sync_group=now.sync_group or before.sync_group,
        unicast_source=now.unicast_source or before.unicast_source,
        unicast_peers=now.unicast_peers or before.unicast_peers,
    )
