"""keepalived's dumps, requested in the background so that no snapshot waits for one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.merge import with_growth
from kvtui.backend.keepalived.dumps.requester import DumpRequester
from kvtui.backend.node.guard import run_jobs
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason
from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.keepalived.dumps.requester import Dump
    from kvtui.backend.node.guard import SourceGuard
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.log import LogTail
    from kvtui.model.vrrp import Advertiser, VrrpInstance

PENDING = "no dump requested yet"
NO_VRRP = "its config has VRRP instances, but the VRRP process is not running: it may be starting; see keepalived's log"

INTERVAL = 30.0  # seconds between requests without a reason: each is a line in keepalived's log
URGENT_INTERVAL = 1.0  # seconds between requests after changes
UNSETTLED_INTERVAL = 2.0
"""Seconds between requests while an instance is in a state that it leaves without an event that kvtui sees."""
CONTRADICTED_INTERVAL = 4.0
"""Seconds between requests while the kernel lacks a real server that passes its checks according to the last dump."""
MAX_RETRY_SECONDS = 15.0
MAX_DUMP_SECONDS = 5.0  # for the three dumps of a full request, each with its own timeout


class VrrpLayer:
    """The latest dump of one keepalived.

    A dump soon after an event may be older than what keepalived makes of it. So requests go on, a second apart, until
    two dumps in a row say the same.

    Args:
        keepalived: None when there is none.
        signals: whether kvtui may request dumps. ``--read-only`` forbids it: then existing dumps are read.
        changed: called after a new dump, and when a request that had to wait is due.
        guard: of this source.
        read_log: reads the end of the log, which has exit statuses and times of what fails.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        keepalived: Keepalived | None,
        *,
        signals: bool,
        changed: Callable[[], None],
        guard: SourceGuard,
        read_log: Callable[[], LogTail | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.dump: Dump | None = None
        self.log: LogTail | None = None  # as of the dump; read only if the dump shows that something fails
        self._read_log = read_log
        self.expects_instances = False  # the config has VRRP instances
        self.is_contradicted = False  # another layer shows something else than the last dump: see ``contradicts``
        self.is_disputed = False  # another node advertises what this node is master of: see ``disputes``
        self._dumper = DumpRequester(keepalived, signals=signals) if keepalived else None
        self._changed = changed
        self.guard = guard
        self._error = "no keepalived was found" if keepalived is None else PENDING
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked_at = self._full_at = float("-inf")
        self._failures = 0
        self._urgent = self._full = False

    def request(self, *, urgent: bool = False, full: bool = False) -> None:
        """Requests a dump in the background when one is due; remembers what cannot be requested yet.

        Args:
            urgent: something changed, so the last dump is probably out of date.
            full: the text dump too: only it has the health checks, track files and sync groups.
        """
        self._urgent |= urgent
        self._full |= full
        if self._dumper is None or self.guard.is_busy or (self._task is not None and not self._task.done()):
            return
        now = self._clock()
        wait = self._asked_at + self._interval() - now
        if wait > 0:
            self._wake_after(wait)
            return
        full = self.dump is None or self._full or self.is_contradicted or now - self._full_at >= INTERVAL
        if full:
            self._full_at = now
        self._asked_at, self._urgent, self._full = now, False, False
        self._task = asyncio.create_task(self._request(self._dumper, full=full))

    def _interval(self) -> float:
        if self._failures:
            return min(MAX_RETRY_SECONDS, URGENT_INTERVAL * 2.0 ** (self._failures - 1))
        if self._urgent or self._full:
            return URGENT_INTERVAL
        if self.dump and not all(map(is_settled, self.dump.instances)):
            return UNSETTLED_INTERVAL
        return CONTRADICTED_INTERVAL if self.is_contradicted or self.is_disputed else INTERVAL

    def _wake_after(self, seconds: float) -> None:
        if seconds < INTERVAL / 2 and (self._timer is None or self._timer.cancelled()):
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._changed()

    async def _request(self, dumper: DumpRequester, *, full: bool) -> None:
        before = self.dump
        await run_jobs([(self.guard, lambda: self._read(dumper, full=full))], MAX_DUMP_SECONDS)
        if self._failures == 0 and not same_states(before, self.dump):
            self._urgent = True
        self._changed()

    def _read(self, dumper: DumpRequester, *, full: bool) -> None:
        try:
            answer = dumper.read(time.time(), full=full)
        except DumpError as why:
            self._error = str(why)
            self._failures += 1
            return
        if self.expects_instances and not answer.instances and dumper.keepalived.children.vrrp is None:
            self.dump, self._error = None, NO_VRRP
            self._failures += 1
            return
        known = self.dump.instances if self.dump else ()
        answer = answer if full else carry(self.dump, answer)
        self.dump = replace(answer, instances=with_growth(known, answer.instances, answer.read_at))
        self._error = ""
        self.log = self._read_log() if any(map(fails, answer.instances)) else None
        lacks_checks = answer.how == "data" and answer.checks is None
        self._full |= lacks_checks or (not full and tracks_moved(known, answer.instances))
        self._failures = self._failures + 1 if lacks_checks else 0

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
        self._dumper = None
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


def is_settled(instance: VrrpInstance) -> bool:
    """Whether the instance leaves its state only with an event: an advert, its end, an address, an interface."""
    leaves = instance.wanted_state not in {None, instance.state}
    return instance.state in {VrrpState.MASTER, VrrpState.BACKUP} and not leaves


def contradicts(dump: Dump | None, table: IpvsTable | None) -> bool:
    """Whether the kernel lacks a real server whose checks pass.

    Somebody deleted it, and then nothing in the kernel changes when its checks fail; or the dump is out of date.
    """
    if dump is None or table is None:
        return False
    servers = {v.name: {r.key for r in v.real_servers} for v in table.virtual_servers}
    return any(c.alive and (c.address, c.port) not in servers.get(c.virtual_server, ()) for c in dump.checks or ())


def disputes(dump: Dump | None, advertisers: tuple[Advertiser, ...], now: float) -> bool:
    """Whether another node advertises a VRID of which this node is master: keepalived's counters tell why."""
    mine = {i.vrid for i in dump.instances if i.state is VrrpState.MASTER} if dump else set()
    return any(a.last.vrid in mine and not a.last.outgoing and not a.silent(now) for a in advertisers)


def fails(instance: VrrpInstance) -> bool:
    """Whether something that it tracks fails: keepalived logs exit statuses and times."""
    return instance.state is VrrpState.FAULT or any(t.good is t.reverse for t in instance.tracked)


def tracks_moved(before: tuple[VrrpInstance, ...], now: tuple[VrrpInstance, ...]) -> bool:
    """Whether a result of something tracked has changed: only a full dump says of what."""
    known = {i.name: (i.state is VrrpState.FAULT, i.effective_priority) for i in before}
    return any(known.get(i.name) != (i.state is VrrpState.FAULT, i.effective_priority) for i in now)


def same_states(before: Dump | None, now: Dump | None) -> bool:
    """Whether two dumps differ in counters and times only."""
    if before is None or now is None:
        return before is now
    return _states(before) == _states(now) and before.checks == now.checks


def _states(dump: Dump) -> tuple[VrrpInstance, ...]:
    return tuple(replace(i, counters={}, grown={}, last_transition=None, master_address=None) for i in dump.instances)


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
    same_master = (before.state, before.master_priority, before.last_transition) == (
        now.state, now.master_priority, now.last_transition,
    )  # fmt: skip
    return replace(
        now,
        master_address=now.master_address or (before.master_address if same_master else None),
        track_files=before.track_files,
        tracked=before.tracked,
        group=before.group,
        sync_group=now.sync_group or before.sync_group,
        unicast_source=now.unicast_source or before.unicast_source,
        unicast_peers=now.unicast_peers or before.unicast_peers,
    )
