"""Runs an action in a child process that gets SIGKILL at a chosen moment, and reads the state that it leaves."""

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
from kvtui.backend.conf.copies import read_running
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
    """When kvtui is killed: `before` or `after` a step, `within` the step's write, or `verifying`."""

    when: str
    step: int = 0

    def __str__(self) -> str:
        return f"{self.when} step {self.step}"

    @property
    def done(self) -> int:
        """The number of steps done by then."""
        return self.step + (self.when == "after")


def moments(steps: int) -> Iterator[Moment]:
    """Yields each moment before and after that many steps, and during the verification."""
    for step in range(steps):
        yield Moment("before", step)
        yield Moment("after", step)
    yield Moment("verifying", steps)


class KilledStep:
    """A step that kills this process in ``do``."""

    def __init__(self, step: Step, when: str) -> None:
        self._step, self._when = step, when

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def do(self) -> None:
        if self._when == "before":
            die()
        if self._when == "within":
            vars(os)["fsync"] = die  # by then the temp file is written and the target is unchanged
        self._step.do()
        die()


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def verify_and_die(_say: Callable[[str], None]) -> Verification:
    die()
    raise AssertionError


def run_killed(action: Action, folder: Path, moment: Moment) -> Entry:
    """Runs the action in a child that is killed at that moment. Returns the journal entry that the next start finds."""
    steps: list[Any] = list(action.steps)
    if moment.when != "verifying":
        steps[moment.step] = KilledStep(steps[moment.step], moment.when)
    child = os.fork()
    if child == 0:
        try:
            killed = replace(action, steps=tuple(steps), verify=verify_and_die)
            asyncio.run(Runner(Journal(folder)).run(killed, force=True))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, moment
    (entry,) = Journal(folder).unfinished()
    assert entry.done == tuple(range(moment.step))
    return entry


def run(folder: Path, action: Action) -> str:
    """Runs the action, which must succeed, and returns its id."""
    outcome = asyncio.run(Runner(Journal(folder)).run(action))
    assert outcome.code is ExitCode.DONE, outcome.detail
    assert Journal(folder).unfinished() == ()
    return outcome.id


def entry_of(folder: Path, identity: str) -> Entry:
    found = Journal(folder).entry(identity)
    assert found is not None
    return found


def plan_on(node: Node, make: Callable[[Any, Any, Any, Any], Action]) -> Action:
    """Plans an action on that node in its present state."""

    async def work() -> Action:
        observer = Observer(NodeSource(pid=node.keepalived_pid))
        try:
            for _ in range(240):  # a source may be late on a busy machine
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
class NodeState:
    """All that an action can change on a node."""

    file: bytes
    folder: tuple[str, ...]
    running_priority: int | None
    vips: frozenset[str]
    ipvs: str
    control: str | None


def node_state(node: Node) -> NodeState:
    running = read_running(node.keepalived_pid, now=0.0)
    assert running is not None
    control = node.folder / "tmp" / "offset"
    return NodeState(
        node.conf_path.read_bytes(),
        tuple(sorted(p.name for p in node.conf_path.parent.iterdir())),
        running.instances[0].priority,
        frozenset(node.addresses() & set(node.spec.vips)),
        node.ipvs(),
        control.read_text() if control.exists() else None,
    )


def step_letters(state: recovery.Recovery) -> str:
    """Returns one letter per step: b (before, pending), a (after, applied) or ? (conflict)."""
    return "".join(
        {StepState.PENDING: "b", StepState.APPLIED: "a"}.get(f.state or StepState.CONFLICT, "?") for f in state.steps
    )
