"""Finds stale data: after each of many random changes, a long-running observer must report what a fresh one reports."""

from __future__ import annotations

import asyncio
import os
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kvtui.backend.node import Node as NodeSource
from kvtui.model.config import TriageSettings
from kvtui.model.settings import KubeSettings
from kvtui.observer import Observer
from kvtui.presenters.documents import status
from tests.lab.changes import RandomChanges
from tests.lab.hanging import thread_stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.observation import Observation
    from tests.lab.cluster import Cluster

LISTEN_SECONDS = 1.0
"""Seconds for which a fresh observer waits for an advert: four intervals."""
GRACE = 10.0
"""Seconds for which fresh observers must agree before the long-running one must agree too. An idle machine needs 2."""
MIN_OBSERVATIONS = 6
"""Minimum observations of the long-running observer in that time: on a starved machine they take long."""
MAX_FAILURES = 5
SETTLE_TIMEOUT = 300.0
"""Seconds within which the cluster must settle after a change."""
CHANGING = frozenset((
    "time", "stats", "active", "inactive", "persistent", "counters", "since", "started", "peers", "age_seconds",
    "detail", "host", "cps",
))  # fmt: skip
"""Fields that may differ: ages, times, counters, and fields that depend on history."""


HISTORY_FINDINGS = frozenset({"flapping", "adverts-rejected", "adverts-filtered-here", "master-unheard"})
SETTINGS = TriageSettings(hold_factor=0.0, ignore=HISTORY_FINDINGS)
"""Reports findings at once, and none about past events."""


def observer() -> Observer:
    kube = KubeSettings(wanted=False)
    return Observer(NodeSource(kube=kube), triage=True, triage_settings=SETTINGS)


PEER_SILENCE = frozenset({"two-masters", "vip-lists-differ"})
"""Findings that may differ after a node fell silent that rejects this node's adverts (2.2.7). It may still have the
VIPs, and a fresh observer never received its adverts."""
OWN_SILENCE = frozenset({"vip-held-no-advert"})
"""Findings that may differ after this node fell silent, such as while 2.3.3 waits before it restarts its VRRP process:
a fresh observer listens for four intervals first."""


def facts(seen: Observation, *, hung: bool, ended: bool = False) -> dict[str, Any]:
    """Returns values that must be equal, by path, without those that a stopped or ended keepalived cannot report."""
    document = msgspec.to_builtins(status(seen))
    document["findings"] = {f"{f['id']} {f['object']}": True for f in document["findings"]}
    if ended:
        document = {name: document[name] for name in ("keepalived", "node")}
    elif hung:
        document = {name: document[name] for name in ("keepalived", "virtual_servers")}
        for server in document["virtual_servers"] or ():
            for real in server["real_servers"]:
                del real["state"]  # it depends on unknown health checks
    return dict(flatten(document, ""))


def flatten(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in CHANGING:
                yield from flatten(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield f"{path}.length", len(value)
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{path}[{number}]")
    else:
        yield path, value


def without_old_findings(long_running: dict[str, Any], fresh: dict[str, Any], seen: Observation) -> dict[str, Any]:
    """Drops findings that need adverts from before a node fell silent."""
    heard = (a for a in seen.snapshot.advertisers or () if not a.stepped_down)
    silent = {a.last.outgoing for a in heard if a.silent(seen.snapshot.time)}
    names = (PEER_SILENCE if False in silent else frozenset()) | (OWN_SILENCE if True in silent else frozenset())
    return {path: v for path, v in long_running.items() if path in fresh or path.split(".")[-1].split()[0] not in names}


def differences(fresh: dict[str, Any], long_running: dict[str, Any]) -> list[str]:
    names = dict.fromkeys((*fresh, *long_running))
    return [
        f"{name}: fresh {fresh.get(name)!r}, long-running {long_running.get(name)!r}"
        for name in names
        if fresh.get(name) != long_running.get(name)
    ]


class DifferentError(Exception):
    """The long-running observer disagrees with fresh ones."""


class Comparison:
    """Compares a long-running observer with fresh ones, in the network namespace of a node."""

    def __init__(self, changes: RandomChanges) -> None:
        self.changes = changes
        self.lags: list[float] = []
        self.done: list[str] = []
        self.failures: list[str] = []
        self._long_running: Observation | None = None
        self._observations = 0

    async def run(self, steps: int) -> None:
        while len(self.done) < steps and len(self.failures) < MAX_FAILURES:
            long_running = observer()
            watching = asyncio.create_task(self._watch(long_running))
            try:
                await self._run(steps)
            except DifferentError as error:  # go on with a new observer
                self.failures.append(str(error))
                self._log(str(error))
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
                await long_running.close()

    async def _run(self, steps: int) -> None:
        await self._agree()
        while len(self.done) < steps:
            self.done.append(await asyncio.to_thread(self.changes.draw))
            self._log(f"{time.monotonic():.1f} {self.done[-1]}")
            await self._agree()

    @staticmethod
    def _log(line: str) -> None:
        """Writes to LAB_OUT/steps, which the host can read during the test."""
        with Path(os.environ["LAB_OUT"], "steps").open("a") as file:
            file.write(f"{line}\n")

    async def _watch(self, long_running: Observer) -> None:
        async for seen in long_running.observations(force=True):
            self._long_running = seen
            self._observations += 1

    async def _agree(self) -> None:
        """Waits until both report the same; fails if they still differ once the fresh ones agree with each other."""
        began = same_since = time.monotonic()
        before: dict[str, Any] | None = None
        observed = 0
        while True:
            # after keepalived ended, only the long-running observer knows its config and names VIPs left behind
            hung, ended = self.changes.stopped is not None, not self.changes.node.running()
            seen = await self._fresh()
            fresh = facts(seen, hung=hung, ended=ended)
            now = time.monotonic()
            if any(s.detail.startswith("late: ") for s in seen.snapshot.sources):
                self._log("\n".join(("the lab itself hangs:", *thread_stacks())))
                began, before = now, None  # its data are incomplete: no comparison
                continue
            if fresh != before:
                same_since, before, observed = now, fresh, self._observations
            long_running = facts(self._long_running, hung=hung, ended=ended) if self._long_running else {}
            if self._long_running:
                long_running = without_old_findings(long_running, fresh, self._long_running)
            wrong = differences(fresh, long_running)
            if not wrong:
                self.lags.append(now - same_since)
                return
            if now - same_since > GRACE and self._observations - observed >= MIN_OBSERVATIONS:
                raise DifferentError(self._describe("the long-running observer stays wrong", wrong))
            if now - began > SETTLE_TIMEOUT:
                raise DifferentError(self._describe("the cluster does not settle", wrong))
            await asyncio.sleep(min(0.5, max(0.1, (now - began) / 6)))  # a fresh observer costs CPU

    async def _fresh(self) -> Observation:
        fresh = observer()
        try:
            reading = asyncio.create_task(fresh.observe(timeout=LISTEN_SECONDS, force=True))
            await asyncio.wait([reading], timeout=2 * GRACE)
            if not reading.done():
                self._log("\n".join(("it hangs:", *thread_stacks())))
            return await reading
        finally:
            await fresh.close()

    def _describe(self, what: str, wrong: list[str]) -> str:
        sources = self._long_running.snapshot.sources if self._long_running else ()
        states = [f"{s.name}: {s.state} {s.detail}" for s in sources]
        return "\n".join((what, *wrong, "after:", *self.done[-12:], "long-running:", *states, *thread_stacks()))


def compare(cluster: Cluster, steps: int, seed: int, record: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("KVTUI_PROPERTY_SEED", seed))
    record("seed", seed)
    print(f"KVTUI_PROPERTY_SEED={seed}")
    node = cluster.node(cluster.spec.best())
    changes = RandomChanges(cluster, node, random.Random(seed))  # noqa: S311 - no secret
    comparison = Comparison(changes)
    began = time.monotonic()
    try:
        with node.inside():
            asyncio.run(comparison.run(steps))
    except BaseException as error:
        error.add_note(f"KVTUI_PROPERTY_SEED={seed}, step {len(comparison.done)}")
        raise
    finally:
        changes.undo()
    assert not comparison.failures, "\n\n".join((f"KVTUI_PROPERTY_SEED={seed}", *comparison.failures))
    lags = sorted(comparison.lags)
    record("steps", len(comparison.done))
    record("lag", f"median {lags[len(lags) // 2]:.2f} s, 95 % {lags[int(len(lags) * 0.95)]:.2f} s, {lags[-1]:.2f} s")
    print(f"{steps} steps in {time.monotonic() - began:.0f} s; lags: {lags[len(lags) // 2]:.2f}, {lags[-1]:.2f}")


@pytest.mark.lab(timeout=1800, seconds=200)
def test_a_long_running_observer_agrees_with_a_fresh_one(
    cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    compare(cluster, int(os.environ.get("KVTUI_PROPERTY_STEPS", "200")), 1, record_property)


@pytest.mark.long
@pytest.mark.lab(timeout=10_000, seconds=2000)
def test_a_long_running_observer_agrees_for_2000_changes(
    cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    compare(cluster, 2000, int.from_bytes(os.urandom(4)), record_property)
