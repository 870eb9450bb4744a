"""Carries out an action in a child that is killed by SIGKILL at a chosen moment, and looks at what that leaves."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.preflight import run_preflight
from kvtui.actions.core.runner import ExitCode, Runner, Verification
from kvtui.actions.core.step import StepState
from kvtui.actions.live import LIVE
from kvtui.backend.conf.running import read_running
from kvtui.backend.node import Node as NodeSource
from kvtui.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kvtui.actions.core import recovery
    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.step import Step
    from tests.lab.node import Node


@dataclass(frozen=True)
class Moment:
    """When kvtui is killed: `before` or `after` a step, `within` the write of one, or `verifying`."""

    when: str
    step: int = 0

    def __str__(self) -> str:
        return f"{self.when} step {self.step}"

    @property
    def done(self) -> int:
        """Steps that are done by then."""
        return self.step + (self.when == "after")


def moments(steps: int) -> Iterator[Moment]:
    """All that there are around so many steps."""
    for step in range(steps):
        yield Moment("before", step)
        yield Moment("after", step)
    yield Moment("verifying", steps)


class Dying:
    """A step in whose ``do`` this process dies."""

    def __init__(self, step: Step, when: str) -> None:
        self._step, self._when = step, when

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def do(self) -> None:
        if self._when == "before":
            die()
        if self._when == "within":
            vars(os)["fsync"] = die  # the temp file is written then, and the file is the old one
        self._step.do()
        die()


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def dying(_say: Callable[[str], None]) -> Verification:
    die()
    raise AssertionError


def killed(action: Action, folder: Path, moment: Moment) -> Entry:
    """Carry it out in a child that is killed at that moment; the entry that the next start finds."""
    steps: list[Any] = list(action.steps)
    if moment.when != "verifying":
        steps[moment.step] = Dying(steps[moment.step], moment.when)
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(Runner(Journal(folder)).run(replace(action, steps=tuple(steps), verify=dying), force=True))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, moment
    (entry,) = Journal(folder).unfinished()
    assert entry.done == tuple(range(moment.step))
    return entry


def run(folder: Path, action: Action) -> str:
    """It must succeed; its id."""
    outcome = asyncio.run(Runner(Journal(folder)).run(action))
    assert outcome.code is ExitCode.DONE, outcome.detail
    assert Journal(folder).unfinished() == ()
    return outcome.id


def entry_of(folder: Path, identity: str) -> Entry:
    found = Journal(folder).entry(identity)
    assert found is not None
    return found


def planned(node: Node, make: Callable[[Any, Any, Any, Any], Action]) -> Action:
    """The plan for that node as it is now."""

    async def work() -> Action:
        observer = Observer(NodeSource(pid=node.keepalived_pid))
        try:
            for _ in range(240):  # on a busy machine a source may be late
                observation = await observer.observe()
                chosen = observation.snapshot.chosen_keepalived
                if chosen is not None and observation.vrrp_instances and observation.vips is not None:
                    break
                await asyncio.sleep(0.5)
            assert chosen is not None
            return make(observation, await asyncio.to_thread(run_preflight, chosen), observer.observe, LIVE)
        finally:
            await observer.close()

    action = asyncio.run(work())
    if (refusal := action.plan.refusal(force=True)) is not None:
        raise AssertionError(refusal)
    return action


@dataclass(frozen=True)
class World:
    """What an action may change on a node."""

    file: bytes
    folder: tuple[str, ...]
    runs: int | None
    vips: frozenset[str]
    ipvs: str
    control: str | None


def world(node: Node) -> World:
    running = read_running(node.keepalived_pid, now=0.0)
    assert running is not None
    control = node.folder / "tmp" / "offset"
    return World(
        node.conf_path.read_bytes(),
        tuple(sorted(p.name for p in node.conf_path.parent.iterdir())),
        running.instances[0].priority,
        frozenset(node.addresses() & set(node.spec.vips)),
        node.ipvs(),
        control.read_text() if control.exists() else None,
    )


def sides(state: recovery.Recovery) -> str:
    return "".join(
        {StepState.PENDING: "b", StepState.APPLIED: "a"}.get(f.state or StepState.CONFLICT, "?") for f in state.steps
    )
