"""After SIGKILL during a drain, kvtui finds the unfinished action, and can finish it or put it back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.recovery import finish, inspect, put_back, undo
from kvtui.actions.core.runner import ExitCode, Runner, guarded
from kvtui.actions.core.step import StepState
from kvtui.actions.live import LIVE
from kvtui.actions.steps.weight import SetWeight
from tests.actions.fakes import action
from tests.lab.draining import WEB, held_connection, kvtui, network, succeed
from tests.lab.killing import KilledStep
from tests.lab.poll import poll
from tests.lab.spec import NGINX, ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.cluster import Cluster

    MakeCluster = Callable[[ClusterSpec], Cluster]


def run_killed(folder: Path, where: int, dies: str, steps: list[SetWeight]) -> None:
    """Runs the steps in a child that is killed before or after one of them. A fork saves a second of Python's start."""
    child_steps: list[Any] = [SetWeight.from_json(step.to_json()) for step in steps]
    child_steps[where] = KilledStep(child_steps[where], dies)
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(guarded(Runner(Journal(folder)), action(*child_steps)))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.lab(timeout=600)
@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_drain_killed_at_each_step_is_found_and_can_be_put_back_or_finished(
    cluster: Cluster, state: Path, where: int, dies: str
) -> None:
    node = cluster.master()
    before = node.ipvs()
    steps = [SetWeight(network(node), WEB, (real, 80), 1, 0) for real in NGINX.real_servers]
    after = before
    for real in NGINX.real_servers:
        after = after.replace(f"-r {real}:80 -g -w 1", f"-r {real}:80 -g -w 0")

    for recover, expected in ((put_back, before), (finish, after)):
        journal = Journal(state / recover.__name__)
        run_killed(journal.folder, where, dies, steps)
        (entry,) = journal.unfinished()
        changed = where + (dies == "after")
        found = inspect(entry, LIVE)
        assert [s.state for s in found.steps] == [StepState.APPLIED] * changed + [StepState.PENDING] * (3 - changed)
        assert (found.can_finish, found.can_put_back) == (True, True)
        outcome = asyncio.run(Runner(journal).run(recover(entry, LIVE)))
        assert outcome.code is ExitCode.DONE, outcome.detail
        assert node.ipvs() == expected
        assert journal.unfinished() == ()
    (whole,) = [e for e in journal.entries() if e.steps and not e.other]
    assert asyncio.run(Runner(journal).run(undo(whole, LIVE))).code is ExitCode.DONE
    assert node.ipvs() == before


@pytest.mark.lab(timeout=600)
def test_the_next_kvtui_reports_the_killed_drain_and_refuses_other_actions(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    before = node.ipvs()
    env = {**os.environ, "KVTUI_STATE_DIR": str(state)}
    argv = ["ip", "netns", "exec", node.netns, sys.executable, "-m", "kvtui", "--yes"]
    argv = [*argv, "drain", "10.4.0.12", "--wait"]
    with held_connection(cluster), subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL, stdout=-3) as victim:
        poll(lambda: "-r 10.4.0.12:80 -g -w 0" in node.ipvs(), 60, "the drain")
        victim.kill()
    (entry,) = Journal(state).unfinished()
    assert f'{entry.id} "drain 10.4.0.12:80 in 10.4.0.50:80" was interrupted' in kvtui(node, state, "journal").stderr
    other = kvtui(node, state, "drain", "10.4.0.11")
    assert other.returncode == ExitCode.REFUSED
    assert f"an earlier action was interrupted: {entry.id}" in other.stderr
    succeed(node, state, "undo", entry.id)
    assert node.ipvs() == before
    assert Journal(state).unfinished() == ()
