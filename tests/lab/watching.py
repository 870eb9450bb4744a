"""Looking at a lab's node until triage has told something, or for as long as it must stay silent."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kvtui.backend.node import Node
from kvtui.model.settings import KubeSettings
from kvtui.observer import Observer
from tests.kube import objects
from tests.lab.hanging import readings
from tests.lab.remedies import HEALS, SHOWS, check_words, is_command, run_remedy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kvtui.model.finding import Finding
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node as LabNode

CONFIGMAP = "/".join(objects.CONFIGMAP)
SOON = 120.0
"""Seconds within which something must be told, on a slow kernel; what is healthy is told from what is not in 4 s."""
LONG_ENOUGH = 4.5
ATTEMPTS = 4
PACE = 0.4
"""Seconds between two looks: keepalived must come to its adverts on the guest's one CPU."""


class Watch:
    """Looks at one node until triage has told what it waits for."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.told: dict[str, Finding] = {}
        self.latest: dict[str, Finding] = {}
        """What was told so far."""
        self.knows_the_api = False
        self.instances: list[str] = []

    async def look(self) -> dict[str, Finding]:
        """What is told now."""
        seen = await self.observer.observe()
        assert seen.findings is not None
        kube = seen.snapshot.kube
        self.knows_the_api = kube is not None and None not in (kube.configmap, kube.services, kube.endpoints, kube.pods)
        self.told = {f.id: f for f in seen.findings}
        self.latest |= self.told
        for finding in seen.findings:
            check_words(finding)
        self.instances = [f"{i.name} {i.state}" for i in seen.snapshot.instances or ()]
        return self.told

    async def until(self, *ids: str) -> None:
        """Until each of these was told, at the same time or one after the other."""
        missing, deadline = set(ids), time.monotonic() + SOON
        while missing:
            missing -= set(await self.look())
            if missing and time.monotonic() > deadline:
                raise AssertionError(self.describe(missing))
            await asyncio.sleep(PACE)
        RULES_SHOWN.update(ids)

    async def heal(self, node: LabNode, *ids: str) -> None:
        """Run the remedies of what was told, as printed; afterwards those that heal have healed."""
        for name in ids:
            if is_command(self.latest[name].remedy):
                for _ in range(4):
                    REMEDIES_RUN[name] = await asyncio.to_thread(run_remedy, node, self.latest[name])
                    if name not in SHOWS or not REMEDIES_RUN[name]:
                        break  # else a health check may have changed the table while a command showed something
        left, deadline = set(ids) & HEALS.keys(), time.monotonic() + SOON
        while left and time.monotonic() < deadline:
            await asyncio.sleep(PACE)
            left &= (await self.look()).keys()
        for name in left:
            found = self.told[name]
            REMEDIES_RUN.setdefault(name, []).append(
                f"{name} is still told: {found.title} {found.evidence} {found.remedy}"
            )

    def describe(self, missing: set[str]) -> str:
        """What was found instead, and what the instances are."""
        undecided = self.observer.triage.undecided if self.observer.triage else ()
        found = [f"{f.id}: {f.title} {f.evidence}" for f in (*self.told.values(), *undecided)]
        return "\n".join([f"not told: {sorted(missing)}; told or undecided:", *found, *self.instances, *readings()])

    async def until_silent(self) -> None:
        """Until nothing is told, and nothing is suspected."""
        deadline = time.monotonic() + SOON
        while await self.look() or (self.observer.triage and self.observer.triage.undecided):
            assert time.monotonic() < deadline, "\n".join(f"{f.title} {f.evidence}" for f in self.told.values())
            await asyncio.sleep(PACE)


RULES_SHOWN: set[str] = set()
REMEDIES_RUN: dict[str, list[str]] = {}
"""Finding → what was wrong with its remedy."""


@asynccontextmanager
async def watching(node: LabNode, kubeconfig: Path | None = None, pid: int | None = None) -> AsyncIterator[Watch]:
    kube = KubeSettings(wanted=kubeconfig is not None, kubeconfig=str(kubeconfig), configmap=CONFIGMAP)
    observer = Observer(Node(pid=pid or node.keepalived_pid, kube=kube), triage=True)
    try:
        yield Watch(observer)
    finally:
        await observer.close()


async def silent(node: LabNode, kubeconfig: Path | None = None) -> None:
    """Nothing is told, from the first observation on until everything passing has passed.

    Where this process got so little of the CPU that its data are old, it is looked at again.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        async with watching(node, kubeconfig) as watch:
            if await is_silent(node, watch, with_api=kubeconfig is not None, starved=attempts_left > 0):
                return


async def is_silent(node: LabNode, watch: Watch, *, with_api: bool, starved: bool) -> bool:
    """False, if that may be, where the data were old."""
    began = time.monotonic()
    while time.monotonic() - began < LONG_ENOUGH:
        found = await watch.look()
        if starved and "source-stale" in found:
            return False
        assert found == {}, f"{node.name}: {[(f.title, f.evidence) for f in found.values()]}"
        if with_api and not watch.knows_the_api:
            assert time.monotonic() - began < SOON, "the API was not read"
            began += PACE  # what it says must be looked at for just as long
        await asyncio.sleep(PACE)
    assert watch.observer.triage is not None
    undecided = watch.observer.triage.undecided
    if starved and undecided:
        return False
    assert undecided == (), node.name
    return True


async def silent_everywhere(cluster: Cluster, kubeconfig: Path | None = None) -> None:
    await asyncio.gather(*(silent(node, kubeconfig) for node in cluster.nodes))
