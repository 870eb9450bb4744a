"""Observes a lab node until triage reports a finding, or for as long as it must report none."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kvtui.backend.node import Node
from kvtui.model.settings import KubeSettings
from kvtui.observer import Observer
from tests.kube import objects
from tests.lab.hanging import thread_stacks
from tests.lab.remedies import HEALS, SHOWS, check_form, is_command, run_remedy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kvtui.model.finding import Finding
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node as LabNode

CONFIGMAP = "/".join(objects.CONFIGMAP)
TIMEOUT = 120.0
"""Seconds within which triage must report a finding, on a slow kernel."""
QUIET_SECONDS = 4.5
"""Seconds without a finding that show a healthy node: triage confirms a finding within 4 s."""
ATTEMPTS = 4
INTERVAL = 0.4
"""Seconds between two observations: keepalived needs time to send adverts on the guest's one CPU."""


class Watch:
    """Observes one node until triage reports what the test waits for."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.reported: dict[str, Finding] = {}
        self.latest: dict[str, Finding] = {}
        """The newest of each finding reported so far."""
        self.has_api_data = False
        self.instances: list[str] = []

    async def observe(self) -> dict[str, Finding]:
        """Observes once and returns the findings by id."""
        seen = await self.observer.observe()
        assert seen.findings is not None
        kube = seen.snapshot.kube
        self.has_api_data = kube is not None and None not in (kube.configmap, kube.services, kube.endpoints, kube.pods)
        self.reported = {f.id: f for f in seen.findings}
        self.latest |= self.reported
        for finding in seen.findings:
            check_form(finding)
        self.instances = [f"{i.name} {i.state}" for i in seen.snapshot.instances or ()]
        return self.reported

    async def until(self, *ids: str) -> None:
        """Waits until each of these findings was reported, together or one after another."""
        missing, deadline = set(ids), time.monotonic() + TIMEOUT
        while missing:
            missing -= set(await self.observe())
            if missing and time.monotonic() > deadline:
                raise AssertionError(self.describe(missing))
            await asyncio.sleep(INTERVAL)
        FINDINGS_SEEN.update(ids)

    async def heal(self, node: LabNode, *ids: str) -> None:
        """Runs the printed remedies of these findings, and waits until the findings with a healing remedy are gone."""
        for name in ids:
            if is_command(self.latest[name].remedy):
                for _ in range(4):
                    REMEDIES_RUN[name] = await asyncio.to_thread(run_remedy, node, self.latest[name])
                    if name not in SHOWS or not REMEDIES_RUN[name]:
                        break  # else retry: a health check may have changed the table meanwhile
        left, deadline = set(ids) & HEALS.keys(), time.monotonic() + TIMEOUT
        while left and time.monotonic() < deadline:
            await asyncio.sleep(INTERVAL)
            left &= (await self.observe()).keys()
        for name in left:
            found = self.reported[name]
            REMEDIES_RUN.setdefault(name, []).append(
                f"{name} is still reported: {found.title} {found.evidence} {found.remedy}"
            )

    def describe(self, missing: set[str]) -> str:
        """Returns the present findings, the instances' states and the threads, for an error message."""
        undecided = self.observer.triage.undecided if self.observer.triage else ()
        found = [f"{f.id}: {f.title} {f.evidence}" for f in (*self.reported.values(), *undecided)]
        head = f"not reported: {sorted(missing)}; reported or undecided:"
        return "\n".join([head, *found, *self.instances, *thread_stacks()])

    async def until_no_findings(self) -> None:
        """Waits until no finding is reported or undecided."""
        deadline = time.monotonic() + TIMEOUT
        while await self.observe() or (self.observer.triage and self.observer.triage.undecided):
            assert time.monotonic() < deadline, "\n".join(f"{f.title} {f.evidence}" for f in self.reported.values())
            await asyncio.sleep(INTERVAL)


FINDINGS_SEEN: set[str] = set()
REMEDIES_RUN: dict[str, list[str]] = {}
"""Finding → the errors of its remedy."""


@asynccontextmanager
async def watching(node: LabNode, kubeconfig: Path | None = None, pid: int | None = None) -> AsyncIterator[Watch]:
    kube = KubeSettings(wanted=kubeconfig is not None, kubeconfig=str(kubeconfig), configmap=CONFIGMAP)
    observer = Observer(Node(pid=pid or node.keepalived_pid, kube=kube), triage=True)
    try:
        yield Watch(observer)
    finally:
        await observer.close()


async def expect_no_findings(node: LabNode, kubeconfig: Path | None = None) -> None:
    """Asserts that triage reports nothing from the first observation on, for `QUIET_SECONDS`.

    Tries again if this process got so little CPU that its data are old.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        async with watching(node, kubeconfig) as watch:
            if await has_no_findings(node, watch, with_api=kubeconfig is not None, starved=attempts_left > 0):
                return


async def has_no_findings(node: LabNode, watch: Watch, *, with_api: bool, starved: bool) -> bool:
    """Asserts that there are no findings. With `starved`, returns False instead if the data were old."""
    began = time.monotonic()
    while time.monotonic() - began < QUIET_SECONDS:
        found = await watch.observe()
        if starved and "source-stale" in found:
            return False
        assert found == {}, f"{node.name}: {[(f.title, f.evidence) for f in found.values()]}"
        if with_api and not watch.has_api_data:
            assert time.monotonic() - began < TIMEOUT, "the API was not read"
            began += INTERVAL  # the quiet time begins when the API was read
        await asyncio.sleep(INTERVAL)
    assert watch.observer.triage is not None
    undecided = watch.observer.triage.undecided
    if starved and undecided:
        return False
    assert undecided == (), node.name
    return True


async def expect_no_findings_anywhere(cluster: Cluster, kubeconfig: Path | None = None) -> None:
    await asyncio.gather(*(expect_no_findings(node, kubeconfig) for node in cluster.nodes))
