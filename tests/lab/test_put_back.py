"""Ctrl+C at each moment of reload, priority and failover: kvtui reports "put back" only if all is as before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from kvtui.actions.core import recovery
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import ExitCode, Runner
from kvtui.actions.failover.plan import plan_failover
from kvtui.actions.live import LIVE
from kvtui.actions.priority.plan import plan_priority
from kvtui.actions.reload.plan import plan_reload
from tests.lab.killing import Moment, entry_of, node_state, plan_on, run, run_killed
from tests.lab.owners import NOPREEMPT, TRACKED
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.actions.core.runner import Action, Outcome, Verification
    from kvtui.actions.core.step import Step
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]

PUT_BACK = "everything was put back"
WITHOUT_VIPS = "kvtui restored its changes, but the VIPs are NOT as before"
PREEMPT = ClusterSpec(advert_int=1, requests_per_second=0)


class Interrupting:
    """A step that is run_interrupted during ``do``, as by Ctrl+C."""

    def __init__(self, step: Step, interrupt: Callable[[], object]) -> None:
        self._step, self._interrupt = step, interrupt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def do(self) -> None:
        self._interrupt()
        self._step.do()


async def run_interrupted(action: Action, folder: Path, step: int) -> Outcome:
    """Runs the action and cancels it in this step, or at the start of the verification if there is no such step."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.call_soon_threadsafe(task.cancel)

    steps: list[Any] = list(action.steps)
    if step < len(steps):
        steps[step] = Interrupting(steps[step], interrupt)

    async def verify(say: Callable[[str], None]) -> Verification:
        if step == len(steps):
            interrupt()
        return await action.verify(say)

    stepwise = structs.replace(action, steps=tuple(steps), verify=verify)
    task = asyncio.ensure_future(Runner(Journal(folder)).run(stepwise, force=True))
    return await task


def assert_report_is_true(node: Node, before: Any, outcome: Outcome, folder: Path) -> None:
    """Compares the outcome's text and the journal with the node's state."""
    assert outcome.code is ExitCode.INTERRUPTED, outcome.detail
    seen = node_state(node)
    assert (seen.file, seen.folder, seen.running_priority, seen.control) == (
        before.file,
        before.folder,
        before.running_priority,
        before.control,
    ), outcome.detail
    if seen.vips == before.vips:
        assert outcome.detail.endswith(PUT_BACK)
        assert entry_of(folder, outcome.id).result == "put back"
    else:
        assert WITHOUT_VIPS in outcome.detail
        for vip in before.vips - seen.vips:
            assert f"{vip} is not back on eth0" in outcome.detail
        assert entry_of(folder, outcome.id).result == "failed"


@pytest.mark.long
@pytest.mark.parametrize("step", range(5))
def test_a_failover_with_nopreempt(make_cluster: MakeCluster, tmp_path: Path, step: int) -> None:
    """After the address was removed, another node has the VIPs and keeps them."""
    node = make_cluster(NOPREEMPT).wait_for_master()
    before = node_state(node)
    action = plan_on(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup", "address"]
    outcome = asyncio.run(run_interrupted(action, tmp_path / "state", step))
    assert_report_is_true(node, before, outcome, tmp_path / "state")
    assert (WITHOUT_VIPS in outcome.detail) is (step >= 3), outcome.detail


@pytest.mark.long
def test_a_killed_failover_with_nopreempt(make_cluster: MakeCluster, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    node = make_cluster(NOPREEMPT).wait_for_master()
    before = node_state(node)
    entry = run_killed(
        plan_on(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b)), folder, Moment("verifying", 4)
    )
    done = entry_of(folder, run(folder, recovery.put_back(entry, LIVE)))
    assert node_state(node).vips != before.vips
    assert "10.4.0.50 is not back on eth0" in done.detail
    put_back = entry_of(folder, entry.id)
    assert (put_back.result, put_back.detail) == ("failed", f"restored without its VIPs by {done.id}")


@pytest.mark.long
@pytest.mark.parametrize("step", range(2))
def test_a_failover_by_a_track_file(make_cluster: MakeCluster, tmp_path: Path, step: int) -> None:
    node = make_cluster(TRACKED).wait_for_master()
    before = node_state(node)
    action = plan_on(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
    outcome = asyncio.run(run_interrupted(action, tmp_path / "state", step))
    assert_report_is_true(node, before, outcome, tmp_path / "state")


@pytest.mark.long
@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("action_name", ["failover", "priority"])
def test_where_peers_preempt(make_cluster: MakeCluster, tmp_path: Path, action_name: str, step: int) -> None:
    node = make_cluster(PREEMPT).wait_for_master()
    before = node_state(node)
    plan = (
        (lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
        if action_name == "failover"
        else (lambda o, p, w, b: plan_priority(o, p, "vips", 50, w, b))
    )
    outcome = asyncio.run(run_interrupted(plan_on(node, plan), tmp_path / "state", step))
    assert_report_is_true(node, before, outcome, tmp_path / "state")
    assert outcome.detail.endswith(PUT_BACK)


@pytest.mark.long
@pytest.mark.parametrize("step", range(4))
def test_a_reload_that_takes_a_vip_away(make_cluster: MakeCluster, tmp_path: Path, step: int) -> None:
    """The node is alone, so it gets its VIP back. Before the signal the edited file stays unchanged."""
    node = make_cluster(replace(PREEMPT, nodes=1)).wait_for_master()
    edited = node.conf_path.read_text().replace("    10.4.0.51\n", "")
    assert edited != node.conf_path.read_text()
    vips = node_state(node).vips
    node.write_conf(edited)
    outcome = asyncio.run(run_interrupted(plan_on(node, plan_reload), tmp_path / "state", step))
    assert outcome.code is ExitCode.INTERRUPTED
    assert outcome.detail.endswith(PUT_BACK)
    assert node_state(node).vips == vips
    node.reload(node.spec.conf(node.index))
