"""A snapshot source and the rules → a stream of observations, for CLI, terminal UI and recordings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.source import FocusedSource, HistorySource, LogSource
from kvtui.model.config import TriageSettings
from kvtui.model.log import LogTail
from kvtui.rules.observe import observe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from kvtui.backend.source import SnapshotSource
    from kvtui.model.finding import Finding
    from kvtui.model.ipvs import Connection, IpvsTable, ServiceKey, VirtualServer
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot

_LOG = logging.getLogger(__name__)

MIN_SECONDS_BETWEEN_EVENTS = 0.05
"""In a burst of events the first one is shown at once, the others together after this time."""

RATE_SECONDS = 3.9
"""Rates are averages over this time. The kernel updates its sums every 2 s (ip_vs_est.c), so rates over one second
would jump."""
MIN_TABLE_SPACING = 0.9
"""Seconds between two stored IPVS tables."""
MAX_SERVERS_INLINE = 1000
"""With more real servers the rules run in a thread, so that the UI stays responsive."""

TRIAGE_DUTY_BUSY = 20
"""Minimum pause between triage runs, as a multiple of the last run's CPU time: at most a twentieth of a core. In
between, observations have the findings of the last run."""
TRIAGE_DUTY_IDLE = 100
"""The same while only counters change: at most a hundredth of a core."""


class TriageRunner:
    """Runs triage on one observation after another and remembers how long each problem has persisted."""

    def __init__(self, settings: TriageSettings | None = None) -> None:
        from kvtui.rules.triage import rule, runner  # noqa: PLC0415 - a status without triage does not load its rules

        self.history = rule.ConditionHistory()
        self.undecided: tuple[Finding, ...] = ()
        """Current problems that have not persisted long enough."""
        self.ran_at = self.cost = 0.0
        """When the rules last ran (monotonic), and the CPU of that run; in seconds."""
        self._rules = runner
        self._settings = settings or TriageSettings()
        self._findings: tuple[Finding, ...] = ()
        self._last_snapshot: Snapshot | None = None
        self._run_for = 0.0

    def run(self, observation: Observation, *, force: bool = False) -> Observation:
        """Returns the observation with findings; with ``force`` those of this observation, at any cost."""
        now = time.monotonic()
        if force or self._is_due(now - self.ran_at, observation.snapshot):
            began = time.thread_time()  # CPU time, not waiting time
            self.evaluate(observation)
            self._last_snapshot, self.ran_at, self.cost = observation.snapshot, now, time.thread_time() - began
        return replace(observation, findings=self._findings)

    def _is_due(self, elapsed: float, now: Snapshot) -> bool:
        then = self._last_snapshot
        if then is None or elapsed >= TRIAGE_DUTY_IDLE * self.cost:
            return True
        # undecided problems must be reported on time
        return elapsed >= TRIAGE_DUTY_BUSY * self.cost and (bool(self.undecided) or not only_counters_moved(then, now))

    def evaluate(self, observation: Observation) -> None:
        now = observation.snapshot.time
        if now < self._run_for:  # the clock was set back, or a recording was rewound
            self.history = type(self.history)()
        self._run_for = now
        pending = tuple(
            replace(p, after=p.after * self._settings.hold_factor)
            for p in self._rules.pending_findings(observation)
            if p.finding.id not in self._settings.ignore
        )
        self.history.fold(now, frozenset(p.condition for p in pending))
        self._findings = self._rules.confirmed(pending, self.history, now)
        reported = frozenset(self._findings)
        self.undecided = tuple(p.finding for p in pending if p.finding not in reported)


def only_counters_moved(then: Snapshot, now: Snapshot) -> bool:
    same = then.conf is now.conf and then.running is now.running and then.kube is now.kube
    same = same and (then.checks is now.checks or then.checks == now.checks)
    return same and not has_moved(then.ipvs, now.ipvs) and _state(then) == _state(now)


def has_moved(then: IpvsTable | None, now: IpvsTable | None) -> bool:
    if then is None or now is None or len(then.virtual_servers) != len(now.virtual_servers):
        return then is not now
    pairs = zip(then.virtual_servers, now.virtual_servers, strict=True)
    # most of a large table are the same objects, since they were not read again
    return any(_has_moved(a, b) for a, b in pairs if a is not b)


def _has_moved(before: VirtualServer, now: VirtualServer) -> bool:
    is_same = (before.key, before.scheduler) == (now.key, now.scheduler)
    return not is_same or (before.real_servers is not now.real_servers and _weights(before) != _weights(now))


def _weights(virtual: VirtualServer) -> list[tuple[object, ...]]:
    return [(r.address, r.port, r.method, r.weight) for r in virtual.real_servers]


def _state(snapshot: Snapshot) -> tuple[object, ...]:
    states = tuple(replace(i, counters={}, last_transition=None) for i in snapshot.instances or ())
    sources = tuple((s.name, s.state) for s in snapshot.sources)
    heard = tuple((a.last.priority, a.silent(snapshot.time)) for a in snapshot.advertisers or ())
    processes = (snapshot.keepalived, snapshot.chosen)
    addresses = (snapshot.addresses.addresses, snapshot.addresses.interfaces) if snapshot.addresses else None
    return (processes, addresses, snapshot.sysctls, states, sources, heard, snapshot.transitions)


class Observer:
    """Observations of one source: the first at once, then one per change and at least one per interval."""

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
        self._triage_settings = triage_settings or TriageSettings()
        self._also = also
        self._interval = interval
        self._changed = asyncio.Event()
        self._started = False
        self._tables: deque[IpvsTable] = deque(maxlen=5)
        self._before: Observation | None = None

    async def observe(self, *, timeout: float | None = None, force: bool = False) -> Observation:
        """Returns an observation; waits at most ``timeout`` seconds for adverts.

        Even a ``timeout`` of 0 waits a bounded time for the first lists of a Kubernetes API; None does not wait.
        Triage pauses between expensive runs, unless ``force``.
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
            observation = await asyncio.to_thread(self._concluded, snapshot, previous, force=force)
        else:
            observation = self._concluded(snapshot, previous, force=force)
        if _LOG.isEnabledFor(logging.DEBUG):
            self._log(observation, read - began, time.monotonic() - read)
        self._before = observation
        return observation

    def _log(self, observation: Observation, reading: float, concluding: float) -> None:
        undecided = self.triage.undecided if self.triage else ()
        _LOG.debug(
            "observation: read in %.1f ms, concluded in %.1f ms, %d findings, %d undecided",
            reading * 1000, concluding * 1000, len(observation.findings or ()), len(undecided),
        )  # fmt: skip
        before = self._before
        for source in observation.snapshot.sources:
            if before is None or source != replace(before.snapshot.source(source.name), read_at=source.read_at):
                _LOG.info("source %s: %s %s", source.name.value, source.state.value, source.detail or "")
        known = {(f.id, f.object) for f in (before.findings if before else None) or ()}
        for finding in observation.findings or ():
            if (finding.id, finding.object) not in known:
                _LOG.info("finding %s of %s: %s", finding.id, finding.object, finding.title)

    def _concluded(self, snapshot: Snapshot, previous: IpvsTable | None, *, force: bool) -> Observation:
        observation = observe(snapshot, previous, self._before)
        if not self._triage:
            return observation
        if self.triage is None:
            self.triage = TriageRunner(self._triage_settings)
        observation = self.triage.run(observation, force=force)
        others = [f for f in (self._also(snapshot) if self._also else ()) if f.id not in self._triage_settings.ignore]
        if not others:
            return observation
        findings = sorted((*(observation.findings or ()), *others), key=lambda f: f.severity.rank)
        return replace(observation, findings=tuple(findings))

    async def observations(self, *, force: bool = False) -> AsyncGenerator[Observation, None]:
        event = False
        while True:
            yield await self.observe(force=force)
            if event:
                await asyncio.sleep(MIN_SECONDS_BETWEEN_EVENTS)
            event = await self.change_or_tick()

    @property
    def has_history(self) -> bool:
        return isinstance(self.source, HistorySource)

    def earlier_observations(self) -> Iterator[Observation]:
        """Yields what the source knows of the minutes before, without findings; most sources know nothing."""
        if isinstance(self.source, HistorySource):
            yield from map(observe, self.source.earlier_snapshots())

    def look_at(self, services: frozenset[ServiceKey]) -> None:
        """See ``FocusedSource.look_at``; other sources always read everything."""
        if isinstance(self.source, FocusedSource):
            self.source.look_at(services)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        return await self.source.connections(service, real, limit)

    async def log(self) -> LogTail:
        if isinstance(self.source, LogSource):
            return await self.source.log()
        return LogTail(error="this data contains no keepalived log")

    async def close(self) -> None:
        await self.source.close()

    async def change_or_tick(self) -> bool:
        """Waits for a change or the end of the interval; returns whether there was a change."""
        try:
            async with asyncio.timeout(self._interval):
                await self._changed.wait()
        except TimeoutError:
            task = asyncio.current_task()
            # asyncio.timeout swallows a cancellation that came just before it expired (seen on Python 3.11)
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            return False
        return True

    def _baseline(self, table: IpvsTable | None) -> IpvsTable | None:
        """Returns the newest stored table that is old enough for steady rates, else the oldest one."""
        if table is None:
            self._tables.clear()
            return None
        old_enough = [t for t in self._tables if table.monotonic - t.monotonic >= RATE_SECONDS]
        baseline = old_enough[-1] if old_enough else (self._tables[0] if self._tables else None)
        if not self._tables or table.monotonic - self._tables[-1].monotonic >= MIN_TABLE_SPACING:
            self._tables.append(table)
        return baseline
