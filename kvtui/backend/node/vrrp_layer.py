"""keepalived's dumps, requested in the background so that no snapshot waits for one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.merge import with_growth
from kvtui.backend.keepalived.dumps.requester import DumpRequester
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason
from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.keepalived.dumps.requester import Dump
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.log import LogTail
    from kvtui.model.vrrp import VrrpInstance

PENDING = "no dump requested yet"


class VrrpLayer:
    """The latest dump of one keepalived.

    Args:
        keepalived: whose; None when there is none.
        signals: whether kvtui may request dumps. ``--read-only`` forbids it: then existing dumps are read.
        changed: called after a new dump.
    """

    def __init__(
        self,
        keepalived: Keepalived | None,
        *,
        signals: bool,
        changed: Callable[[], None],
        read_log: Callable[[], LogTail] | None = None,
    ) -> None:
        self.dump: Dump | None = None
        self.log: LogTail | None = None
        """The log as of the dump; read only if the dump shows that something fails."""
        self._read_log = read_log
        self._dumper = DumpRequester(keepalived, signals=signals) if keepalived else None
        self._changed = changed
        self._error = "no keepalived runs here" if keepalived is None else PENDING
        self._task: asyncio.Task[None] | None = None
        self._checks_wanted = False

    def request(self, now: float, *, urgent: bool, checks: bool = False) -> None:
        """Requests a dump in the background, unless the last request is too recent.

        Args:
            now: seconds since the epoch.
            urgent: something changed, so the last dump is probably out of date.
            checks: the health checks too: only they distinguish a failed real server from a removed one.
        """
        self._checks_wanted |= checks
        busy = self._task is not None and not self._task.done()
        if self._dumper is None or busy or not self._dumper.due(now, urgent=urgent or self._checks_wanted):
            return
        # The full dump costs keepalived two more signals; what it adds to the JSON changes rarely.
        full = self.dump is None or self._checks_wanted or self._dumper.due(now)
        self._checks_wanted = False
        self._task = asyncio.create_task(self._request(self._dumper, full=full))

    async def _request(self, dumper: DumpRequester, *, full: bool) -> None:
        try:
            answer = await asyncio.to_thread(dumper.read, time.time(), full=full)
            if self._dumper is dumper:  # it may have ended meanwhile
                known = self.dump.instances if self.dump else ()
                answer = carry(self.dump, answer)
                self.dump = replace(answer, instances=with_growth(known, answer.instances, answer.read_at))
                self._error = ""
            needed = self._read_log is not None and any(map(fails, answer.instances))
            self.log = await asyncio.to_thread(self._read_log) if needed and self._read_log else None
        except DumpError as why:
            self._error = str(why)
        self._changed()

    def mark_gone(self) -> None:
        self._dumper = None
        self.dump = None
        self._error = "keepalived has ended"

    async def settle(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    def source(self) -> Source:
        """Returns the state; after a failed request the last dump is still shown, with its age."""
        if self.dump is None:
            reason = UnavailableReason.PENDING if self._error == PENDING else None
            return Source(SourceName.VRRP, SourceState.UNAVAILABLE, self._error, reason=reason)
        detail = self._error or self.dump.detail
        state = SourceState.DEGRADED if detail else SourceState.OK
        return Source(SourceName.VRRP, state, detail, self.dump.read_at)

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


def fails(instance: VrrpInstance) -> bool:
    """Whether something that it tracks fails: keepalived logs exit statuses and times."""
    return instance.state is VrrpState.FAULT or any(t.good is t.reverse for t in instance.tracked)


def carry(before: Dump | None, answer: Dump) -> Dump:
    """Returns the dump, with what only a full dump has (checks, track files, sync groups) from the last one."""
    if before is None or answer.checks is not None:
        return answer
    known = {i.name: i for i in before.instances}
    instances = tuple(_carry_instance(known.get(i.name), i) for i in answer.instances)
    return replace(answer, instances=instances, checks=before.checks)


def _carry_instance(before: VrrpInstance | None, now: VrrpInstance) -> VrrpInstance:
    if before is None or now.track_files or now.tracked:
        return now
    return replace(
        now,
        track_files=before.track_files,
        tracked=before.tracked,
        group=before.group,
        sync_group=now.sync_group or before.sync_group,
        unicast_source=now.unicast_source or before.unicast_source,
        unicast_peers=now.unicast_peers or before.unicast_peers,
    )
