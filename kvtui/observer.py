"""Backend + rules → a stream of observations: the only place where they meet.

The CLI, the terminal UI and a recording all drink from it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.source import FocusedSource, LogSource
from kvtui.model.config import TriageSettings
from kvtui.model.log import LogTail
from kvtui.rules.observe import observe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from kvtui.backend.source import SnapshotSource
    from kvtui.model.finding import Finding
    from kvtui.model.ipvs import Connection, IpvsTable, ServiceKey
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot

_LOG = logging.getLogger(__name__)

BURST = 0.05
"""Seconds: how close together two observations may be. Of a burst of events the first is shown at once, the rest
together after this time."""

WINDOW = 3.9
"""Seconds over which rates are taken: the kernel adds up its counters every 2 s only (ip_vs_est.c), so that over one
second they seem to stand still and then to jump."""
SPACING = 0.9
"""Seconds between two tables that are kept."""

MAX_SERVERS_INLINE = 1000
"""Real servers above which conclusions are drawn in a thread, so that keys are answered meanwhile."""

TRIAGE_DUTY_BUSY = 20
"""How many times the CPU time of the last judgement there is none: at most a twentieth of a core, however many
endpoints change in a second. The findings in between are those of the last one."""
TRIAGE_DUTY_IDLE = 100
"""The same while nothing but counters moved: at most a hundredth of a core. What else could alarm then is time, and
servers that nobody's check takes away."""


class TriageRunner:
    """Triage of one observation after another: keeps since when each suspicion holds.

    Args:
        settings: how easily it is alarmed; None for the usual.

    Attributes:
        past: since when; of the observations that were judged.
        undecided: what holds now, but not yet for long enough to be told.
    """

    def __init__(self, settings: TriageSettings | None = None) -> None:
        from kvtui.rules.triage import runner  # noqa: PLC0415
        from kvtui.rules.triage.condition_history import ConditionHistory  # noqa: PLC0415 - a status without triage does without all of its rules

        self.history = ConditionHistory()
        self.undecided: tuple[Finding, ...] = ()
        self._rules = runner
        self._settings = settings or TriageSettings()
        self._findings: tuple[Finding, ...] = ()
        self._last_snapshot: Snapshot | None = None
        self._ran_at = self._cost = 0.0

    def run(self, seen: Observation, *, force: bool = False) -> Observation:
        """The same observation with its findings; those of ``seen`` itself at any cost when ``force``."""
        now = time.monotonic()
        if force or self._is_due(now - self._ran_at, seen.snapshot):
            began = time.thread_time()  # what it costs, not how long it waits for a core that others use
            self._run(seen)
            self._last_snapshot, self._ran_at, self._cost = seen.snapshot, now, time.thread_time() - began
        return replace(seen, findings=self._findings)

    def _is_due(self, rested: float, now: Snapshot) -> bool:
        then = self._last_snapshot
        if then is None or rested >= TRIAGE_DUTY_IDLE * self._cost:
            return True
        # what is pending is told when it has held for long enough, not when it is convenient
        return rested >= TRIAGE_DUTY_BUSY * self._cost and (bool(self.undecided) or not only_counters_moved(then, now))

    def _run(self, seen: Observation) -> None:
        now = seen.snapshot.time
        pending = tuple(
            replace(s, after=s.after * self._settings.hold_factor)
            for s in self._rules.pending_findings(seen, self.history)
            if s.finding.id not in self._settings.ignore
        )
        self.history.fold(now, frozenset(s.condition for s in pending))
        self._findings = self._rules.confirmed(pending, self.history, now)
        told = frozenset(self._findings)
        self.undecided = tuple(s.finding for s in pending if s.finding not in told)


def only_counters_moved(then: Snapshot, now: Snapshot) -> bool:
    """Whether nothing happened between two snapshots but that counters and connections moved."""
    if then.conf is not now.conf or then.running is not now.running or then.kube is not now.kube:
        return False
    if then.checks is not now.checks and then.checks != now.checks:
        return False
    return _state(then) == _state(now)


def _state(snapshot: Snapshot) -> tuple[object, ...]:
    """What an event changes, as far as it is small."""
    states = tuple((i.name, i.state, i.effective_priority) for i in snapshot.instances or ())
    sources = tuple((s.name, s.state) for s in snapshot.sources)
    virtual_servers = len(snapshot.ipvs.virtual_servers) if snapshot.ipvs else None
    heard = tuple((a.last.priority, a.silent(snapshot.time)) for a in snapshot.advertisers or ())
    processes = (snapshot.keepalived, snapshot.chosen)
    addresses = (snapshot.addresses.addresses, snapshot.addresses.interfaces) if snapshot.addresses else None
    return (
        processes,
        addresses,
        snapshot.sysctls,
        states,
        sources,
        virtual_servers,
        heard,
        snapshot.transitions,
    )


class Observer:
    """Observations of one source: the first at once, then one for every change and at least one an interval.

    Args:
        source: where snapshots come from. It is started by the first observation and closed by ``close``.
        interval: seconds between observations when nothing happens.
        triage: whether observations have findings. What must hold for a while comes with a later one.
        triage_settings: how easily triage is alarmed; None for the usual.
        also: findings that come from elsewhere (the journal of actions), with those of triage.

    Attributes:
        source: the same.
        judge: keeps what triage has to remember; None without.
    """

    def __init__(
        self,
        source: SnapshotSource,
        *,
        interval: float = 1.0,
        triage: bool = False,
        triage_settings: TriageSettings | None = None,
        also: Callable[[Snapshot], tuple[Finding, ...]] | None = None,
    ) -> None:
        self.source = source
        self.triage: TriageRunner | None = None
        self._triage = triage
        self._triage_settings = triage_settings
        self._also = also
        self._interval = interval
        self._changed = asyncio.Event()
        self._started = False
        self._tables: deque[IpvsTable] = deque(maxlen=5)
        self._before: Observation | None = None

    async def observe(self, *, timeout: float | None = None, force: bool = False) -> Observation:
        """One observation, now, or after at most ``timeout`` seconds when adverts must be waited for.

        With a ``timeout`` of 0 the first lists of a Kubernetes API are waited for all the same, a bounded time.

        Triage rests between judgements that cost much, unless ``force``.
        """
        if not self._started:
            self._started = True
            await self.source.start(self._changed.set)
        if timeout is not None:
            await self.source.settle(timeout)
        self._changed.clear()
        began = time.monotonic()
        snapshot = await self.source.read()
        read = time.monotonic()
        previous = self._baseline(snapshot.ipvs)
        table = snapshot.ipvs
        if table is not None and sum(len(v.real_servers) for v in table.virtual_servers) > MAX_SERVERS_INLINE:
            seen = await asyncio.to_thread(self._concluded, snapshot, previous, force=force)
        else:
            seen = self._concluded(snapshot, previous, force=force)
        if _LOG.isEnabledFor(logging.DEBUG):
            self._log(seen, read - began, time.monotonic() - read)
        self._before = seen
        return seen

    def _log(self, seen: Observation, reading: float, concluding: float) -> None:
        """Log timings, and what changed: sources, findings, and findings that have not held for long enough."""
        undecided = self.triage.undecided if self.triage else ()
        _LOG.debug(
            "observation: read in %.1f ms, concluded in %.1f ms, %d findings, %d undecided",
            reading * 1000, concluding * 1000, len(seen.findings or ()), len(undecided),
        )  # fmt: skip
        before = self._before
        for source in seen.snapshot.sources:
            if before is None or source != replace(before.snapshot.source(source.name), read_at=source.read_at):
                _LOG.info("source %s: %s %s", source.name.value, source.state.value, source.detail or "")
        known = {(f.id, f.object) for f in (before.findings if before else None) or ()}
        for finding in seen.findings or ():
            if (finding.id, finding.object) not in known:
                _LOG.info("finding %s of %s: %s", finding.id, finding.object, finding.title)

    def _concluded(self, snapshot: Snapshot, previous: IpvsTable | None, *, force: bool) -> Observation:
        seen = observe(snapshot, previous, self._before)
        if not self._triage:
            return seen
        if self.triage is None:
            self.triage = TriageRunner(self._triage_settings)
        return self._with_others(self.triage.run(seen, force=force))

    def _with_others(self, seen: Observation) -> Observation:
        """The findings that come from elsewhere among its own, worst first."""
        ignored = self._triage_settings.ignore if self._triage_settings else ()
        others = tuple(f for f in (self._also(seen.snapshot) if self._also else ()) if f.id not in ignored)
        if not others:
            return seen
        return replace(seen, findings=tuple(sorted((*(seen.findings or ()), *others), key=lambda f: f.severity.rank)))

    async def observations(self, *, force: bool = False) -> AsyncGenerator[Observation, None]:
        """Observations without end, see ``observe``; stop iterating, then ``close``."""
        event = False
        while True:
            yield await self.observe(force=force)
            if event:
                await asyncio.sleep(BURST)
            event = await self._change_or_tick()

    def look_at(self, services: frozenset[ServiceKey]) -> None:
        """See ``FocusedSource.look_at``; other sources always give everything."""
        if isinstance(self.source, FocusedSource):
            self.source.look_at(services)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None = None, limit: int = 1000
    ) -> tuple[tuple[Connection, ...], int]:
        """See ``SnapshotSource.connections``."""
        return await self.source.connections(service, real, limit)

    async def log(self) -> LogTail:
        """The end of keepalived's log; where it cannot be had it says why, and where to look."""
        if isinstance(self.source, LogSource):
            return await self.source.log()
        return LogTail(error="what is shown here came without keepalived's log")

    async def close(self) -> None:
        """Close the source."""
        await self.source.close()

    async def _change_or_tick(self) -> bool:
        """Whether something happened before the time was up."""
        try:
            async with asyncio.timeout(self._interval):
                await self._changed.wait()
        except TimeoutError:
            task = asyncio.current_task()
            # a Ctrl+C that came just before: the timeout takes that for its own (seen on Python 3.11)
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            return False
        return True

    def _baseline(self, table: IpvsTable | None) -> IpvsTable | None:
        """The newest earlier table that is old enough for a steady rate, else the oldest at hand."""
        if table is None:
            self._tables.clear()
            return None
        old_enough = [t for t in self._tables if table.monotonic - t.monotonic >= WINDOW]
        baseline = old_enough[-1] if old_enough else (self._tables[0] if self._tables else None)
        if not self._tables or table.monotonic - self._tables[-1].monotonic >= SPACING:
            self._tables.append(table)
        return baseline
