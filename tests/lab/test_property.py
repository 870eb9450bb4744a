"""Nothing remembered outlives what it was about: after each of many random changes, an observer that has watched all
along says what one that starts now says.
"""

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
from tests.lab.changes import Changes
from tests.lab.hanging import readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.observation import Observation
    from tests.lab.cluster import Cluster

LISTEN = 1.0
"""Seconds that a fresh observer waits for an advert, four intervals."""
GRACE = 10.0
"""Seconds for which fresh observers agree before the living one must: 2, and what a busy machine with a slow kernel
takes."""
MIN_OBSERVATIONS = 6
"""... and so many observations of the living one: on a starved machine they take long."""
MAX_FAILURES = 5
SETTLED = 300.0
"""Seconds within which the cluster comes to rest after a change."""
CHANGING = frozenset((
    "time", "stats", "active", "inactive", "persistent", "counters", "since", "started", "peers", "age_seconds",
    "detail", "host", "cps",
))  # fmt: skip
"""Ages, times, counters, and what only history knows."""


PAST = frozenset({"flapping", "adverts-rejected", "adverts-filtered-here", "master-unheard"})
SETTINGS = TriageSettings(hold_factor=0.0, ignore=PAST)
"""Findings at once, and none that tells of the past."""


def observer() -> Observer:
    kube = KubeSettings(wanted=False)
    return Observer(NodeSource(kube=kube), triage=True, triage_settings=SETTINGS)


REMEMBERED = frozenset({"two-masters", "vip-lists-differ"})
"""Findings that tell of the past too, where a node fell silent that rejects this one's adverts (2.2.7): it may hold the
VIPs all the same, and who has just come never heard it."""
OWN_SILENCE = frozenset({"vip-held-no-advert"})
"""The same where this node itself fell silent, such as while 2.3.3 waits before it starts its VRRP process again: a
fresh observer has to listen for four intervals before it says so."""


def facts(seen: Observation, *, hung: bool, ended: bool = False) -> dict[str, Any]:
    """What must be equal: ``path → value``; without what a stopped or ended keepalived cannot be asked for."""
    document = msgspec.to_builtins(status(seen))
    document["findings"] = {f"{f['id']} {f['object']}": True for f in document["findings"]}
    if ended:
        document = {name: document[name] for name in ("keepalived", "node")}
    elif hung:
        document = {name: document[name] for name in ("keepalived", "virtual_servers")}
        for server in document["virtual_servers"] or ():
            for real in server["real_servers"]:
                del real["state"]  # the health checks are not known
    return dict(flat(document, ""))


def flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in CHANGING:
                yield from flat(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield f"{path}.length", len(value)
        for number, inner in enumerate(value):
            yield from flat(inner, f"{path}[{number}]")
    else:
        yield path, value


def without_memories(living: dict[str, Any], fresh: dict[str, Any], seen: Observation) -> dict[str, Any]:
    """Drops what only one that heard a node before it fell silent can say."""
    heard = (a for a in seen.snapshot.advertisers or () if not a.stepped_down)
    silent = {a.last.outgoing for a in heard if a.silent(seen.snapshot.time)}
    names = (REMEMBERED if False in silent else frozenset()) | (OWN_SILENCE if True in silent else frozenset())
    return {path: v for path, v in living.items() if path in fresh or path.split(".")[-1].split()[0] not in names}


def differences(fresh: dict[str, Any], living: dict[str, Any]) -> list[str]:
    names = dict.fromkeys((*fresh, *living))
    return [
        f"{name}: fresh {fresh.get(name)!r}, living {living.get(name)!r}"
        for name in names
        if fresh.get(name) != living.get(name)
    ]


class DifferentError(Exception):
    """The living observer does not say what fresh ones say."""


class Comparison:
    """A living observer beside fresh ones, in the network namespace of a node."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.lags: list[float] = []
        self.done: list[str] = []
        self.failures: list[str] = []
        self._living: Observation | None = None
        self._observations = 0

    async def run(self, steps: int) -> None:
        while len(self.done) < steps and len(self.failures) < MAX_FAILURES:
            living = observer()
            watching = asyncio.create_task(self._watch(living))
            try:
                await self._run(steps)
            except DifferentError as error:  # a new living observer begins where this one went wrong
                self.failures.append(str(error))
                self._log(str(error))
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
                await living.close()

    async def _run(self, steps: int) -> None:
        await self._agree()
        while len(self.done) < steps:
            self.done.append(await asyncio.to_thread(self.changes.draw))
            self._log(f"{time.monotonic():.1f} {self.done[-1]}")
            await self._agree()

    @staticmethod
    def _log(line: str) -> None:
        """Where the host sees it while the test runs: LAB_OUT/steps."""
        with Path(os.environ["LAB_OUT"], "steps").open("a") as file:
            file.write(f"{line}\n")

    async def _watch(self, living: Observer) -> None:
        async for seen in living.observations(force=True):
            self._living = seen
            self._observations += 1

    async def _agree(self) -> None:
        """Waits until living and fresh are equal; fails where they stay different once the fresh ones agree."""
        began = same_since = time.monotonic()
        before: dict[str, Any] | None = None
        observed = 0
        while True:
            # of one that ended the living observer knows the config, so that it names the VIPs that were left behind
            hung, ended = self.changes.stopped is not None, not self.changes.node.running()
            seen = await self._fresh()
            fresh = facts(seen, hung=hung, ended=ended)
            now = time.monotonic()
            if any(s.detail.startswith("late: ") for s in seen.snapshot.sources):
                self._log("\n".join(("the lab itself hangs:", *readings())))
                began, before = now, None  # it could not read: it says nothing that the living one must say
                continue
            if fresh != before:
                same_since, before, observed = now, fresh, self._observations
            living = facts(self._living, hung=hung, ended=ended) if self._living else {}
            wrong = differences(fresh, without_memories(living, fresh, self._living) if self._living else living)
            if not wrong:
                self.lags.append(now - same_since)
                return
            if now - same_since > GRACE and self._observations - observed >= MIN_OBSERVATIONS:
                raise DifferentError(self._describe("the living observer stays wrong", wrong))
            if now - began > SETTLED:
                raise DifferentError(self._describe("the cluster does not come to rest", wrong))
            await asyncio.sleep(0.1)

    async def _fresh(self) -> Observation:
        fresh = observer()
        try:
            reading = asyncio.create_task(fresh.observe(timeout=LISTEN, force=True))
            await asyncio.wait([reading], timeout=2 * GRACE)
            if not reading.done():
                self._log("\n".join(("it hangs:", *readings())))
            return await reading
        finally:
            await fresh.close()

    def _describe(self, what: str, wrong: list[str]) -> str:
        sources = [f"{s.name}: {s.state} {s.detail}" for s in self._living.snapshot.sources] if self._living else []
        return "\n".join((what, *wrong, "after:", *self.done[-12:], "living:", *sources, *readings()))


def compare(cluster: Cluster, steps: int, seed: int, record: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("KVTUI_PROPERTY_SEED", seed))
    record("seed", seed)
    print(f"KVTUI_PROPERTY_SEED={seed}")
    node = cluster.node(cluster.spec.best())
    changes = Changes(cluster, node, random.Random(seed))  # noqa: S311 - no secret
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
def test_a_living_observer_says_what_a_fresh_one_says(
    cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    compare(cluster, int(os.environ.get("KVTUI_PROPERTY_STEPS", "200")), 1, record_property)


@pytest.mark.long
@pytest.mark.lab(timeout=10_000, seconds=2000)
def test_it_does_so_for_a_long_time(cluster: Cluster, record_property: Callable[[str, object], None]) -> None:
    compare(cluster, 2000, int.from_bytes(os.urandom(4)), record_property)
