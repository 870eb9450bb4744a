"""kill -9 before, after and within each step of reload, priority, failover and undo: what is reported is true, and
both ways on end in a world that fits together. Drains: test_drain.py.

The plan is made once; a forked child carries it out and is killed, for a Python start costs seconds in this kernel.
At every moment it is killed twice: once what it left is put back, once it is finished. An advert, which takes a second,
is waited for at one moment of each state of the world only; what keepalived runs with is looked at every time.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.checks.preflight import run_preflight
from kvtui.actions.core import recovery
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import ExitCode, Runner, Verification
from kvtui.actions.core.step import StepState
from kvtui.actions.failover.plan import plan_failover
from kvtui.actions.live import LIVE
from kvtui.actions.priority.plan import plan_priority
from kvtui.actions.reload.plan import plan_reload
from kvtui.backend.conf.running import read_running
from kvtui.backend.node import Node as NodeSource
from kvtui.observer import Observer
from tests.lab.poll import poll
from tests.lab.test_failover import TRACKED, others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.step import Step
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node
    from tests.lab.spec import ClusterSpec

    MakeCluster = Callable[[ClusterSpec], Cluster]

SPEC = replace(TRACKED, requests_per_second=0)
NOTHING = "nothing was done, or all of it was put back"
EVERYTHING = "everything was done"


@dataclass(frozen=True)
class Moment:
    """When kvtui is killed: ``before`` or ``after`` a step, ``within`` the write of one, or ``verifying``."""

    when: str
    step: int = 0

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
            vars(os)["fsync"] = die  # the draft is written then, and the file is the old one
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
            observation = await observer.observe()
            chosen = observation.snapshot.chosen_keepalived
            assert chosen is not None
            return make(observation, await asyncio.to_thread(run_preflight, chosen), observer.observe, LIVE)
        finally:
            await observer.close()

    action = asyncio.run(work())
    assert action.plan.refusal(force=True) is None
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
    control = node.folder / "tmp" / "knob"
    return World(
        node.conf_path.read_bytes(),
        tuple(sorted(p.name for p in node.conf_path.parent.iterdir())),
        running.instances[0].priority,
        frozenset(node.addresses() & set(node.spec.vips)),
        node.ipvs(),
        control.read_text() if control.exists() else None,
    )


def advertised(node: Node) -> str:
    """The priority in the next advert that node sends."""
    argv = ["timeout", "5", "tcpdump", "-nn", "-v", "-c", "1", "-i", "eth0", f"ip proto 112 and src {node.address}"]
    text = node.exec(argv, check=True).stdout
    return text.partition("prio ")[2].partition(",")[0]


def sides(state: recovery.Recovery) -> str:
    return "".join(
        {StepState.PENDING: "b", StepState.APPLIED: "a"}.get(f.state or StepState.CONFLICT, "?") for f in state.steps
    )


LISTENED = {*(Moment("before", step) for step in (1, 2, 3)), *(Moment("verifying", steps) for steps in (3, 4))}
"""When the priority is also waited for on the wire: one moment for each state of the world."""

PRIORITY_SIDES = ("bbb", "bbb", "bab", "aaa")
"""After so many steps. The first only makes ready to reload on the way back, which the world does not show."""
PRIORITY_TOLD = (
    NOTHING,
    NOTHING,
    "1 of 2 steps are done; next: reload: SIGHUP to keepalived {pid}, after testing {conf} again",
    EVERYTHING,
)
CONF = "/etc/keepalived/keepalived.conf"


def with_priority(data: bytes, old: int, new: int) -> bytes:
    changed = data.replace(b"priority %d\n" % old, b"priority %d\n" % new)
    assert changed != data
    return changed


@pytest.mark.lab(timeout=600)
def test_priority(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster(SPEC)
    node = cluster.master()
    before = world(node)
    old = node.spec.priority(node.index)
    after = replace(before, file=with_priority(before.file, old, 90), runs=90)
    half = replace(before, file=after.file)
    action = planned(node, lambda o, p, w, b: plan_priority(o, p, "vips", 90, w, b))
    for number, moment in enumerate([*moments(3), Moment("within", 1)]):
        folder = tmp_path / str(number)
        entry = killed(action, folder, moment)
        state = recovery.inspect(entry, backend=LIVE)
        assert sides(state) == PRIORITY_SIDES[moment.done], moment
        told = PRIORITY_TOLD[moment.done].format(pid=node.keepalived_pid, conf=CONF)
        temp = f"; still to do: remove the temp file that an interrupted write left beside {CONF}"
        assert state.sentence == told + (temp if moment.when == "within" else ""), moment
        seen = world(node)
        assert replace(seen, folder=before.folder) == (before, before, half, after)[moment.done], moment
        assert len(seen.folder) == len(before.folder) + (moment.when == "within")
        run(folder, recovery.put_back(entry, backend=LIVE))
        assert entry_of(folder, entry.id).result == "put back"
        assert world(node) == before, moment
        entry = killed(action, folder, moment)
        run(folder, recovery.finish(entry, backend=LIVE))
        assert world(node) == after, moment
        if moment in LISTENED:
            assert advertised(node) == "90"
        whole = entry_of(folder, entry.id)
        assert whole.result == "done"
        run(folder, recovery.undo(whole, backend=LIVE))
        assert world(node) == before, moment
        if moment in LISTENED:
            assert advertised(node) == str(old)
    assert cluster.master() is node


@pytest.mark.lab(timeout=600)
def test_undo_of_a_priority(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster(SPEC)
    node = cluster.master()
    before = world(node)
    old = node.spec.priority(node.index)
    changed = replace(before, file=with_priority(before.file, old, 90), runs=90)
    half = replace(changed, file=before.file)
    action = planned(node, lambda o, p, w, b: plan_priority(o, p, "vips", 90, w, b))

    async def seen(_say: Callable[[str], None]) -> Verification:
        return Verification(ok=True, detail="seen")

    for number, moment in enumerate(moments(3)):
        folder = tmp_path / str(number)
        done = entry_of(folder, run(folder, replace(action, verify=seen)))
        assert world(node) == changed, moment
        entry = killed(recovery.undo(done, backend=LIVE), folder, moment)
        assert sides(recovery.inspect(entry, backend=LIVE)) == PRIORITY_SIDES[moment.done], moment
        assert world(node) == (changed, changed, half, before)[moment.done], moment
        run(folder, recovery.put_back(entry, backend=LIVE))
        assert entry_of(folder, done.id).result == "done"
        assert world(node) == changed, moment
        if moment in LISTENED:
            assert advertised(node) == "90"
        run(
            folder,
            recovery.finish(
                killed(recovery.undo(entry_of(folder, done.id), backend=LIVE), folder, moment), backend=LIVE
            ),
        )
        assert entry_of(folder, done.id).result == "undone"
        assert world(node) == before, moment
        if moment in LISTENED:
            assert advertised(node) == str(old)
    assert cluster.master() is node


@pytest.mark.lab(timeout=600)
def test_reload(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """A weight is edited: the kernel shows what runs."""
    node = make_cluster(SPEC).master()
    text = node.conf_path.read_text()
    old = node.ipvs()
    edited = text.replace("weight 1\n", "weight 3\n", 1)
    new = old.replace("-r 10.4.0.11:80 -g -w 1", "-r 10.4.0.11:80 -g -w 3")
    assert new != old
    for number, moment in enumerate(moments(1)):
        folder = tmp_path / str(number)
        node.write_conf(edited)
        action = planned(node, plan_reload)
        assert node.ipvs() == old
        entry = killed(action, folder, moment)
        state = recovery.inspect(entry, backend=LIVE)
        assert (sides(state), state.sentence) == ("a", EVERYTHING) if moment.done else ("b", NOTHING)
        assert (state.can_finish, state.can_put_back) == (True, not moment.done)
        if moment.done:
            poll(lambda: node.ipvs() == new, 10, "the weight of the config that was reloaded")
            refusal = recovery.put_back(entry, backend=LIVE).plan.refusal(force=True)
            assert "a reload cannot be undone: restore the old file and reload again" in (refusal or "")
            run(folder, (recovery.finish if moment.when == "after" else recovery.leave)(entry, LIVE))
        else:
            run(folder, recovery.finish(entry, backend=LIVE))
        poll(lambda: node.ipvs() == new, 10, "the weight of the config that was reloaded")
        assert node.conf_path.read_text() == edited
        node.reload(text)
        poll(lambda: node.ipvs() == old, 10, "the weight as it was")


def each_way(found: Iterable[Moment]) -> Iterator[tuple[Moment, bool]]:
    """Every moment twice: what it left is put back, and finished (True)."""
    for moment in found:
        yield moment, False
        yield moment, True


@pytest.mark.lab(timeout=600)
def test_failover_by_a_track_file(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster(SPEC)
    for number, (moment, finish) in enumerate(each_way([*moments(1), Moment("within", 0)])):
        folder = tmp_path / str(number)
        node = cluster.wait_for_master()
        before = world(node)
        action = planned(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
        assert [s.kind for s in action.steps] == ["track value"]
        entry = killed(action, folder, moment)
        state = recovery.inspect(entry, backend=LIVE)
        assert sides(state) == ("a" if moment.done else "b"), moment
        assert state.sentence.startswith(EVERYTHING if moment.done else NOTHING)
        assert ("remove the temp file" in state.sentence) is (moment.when == "within")
        assert world(node).control == ("1\n" if moment.done else None)
        if not finish:
            run(folder, recovery.put_back(entry, backend=LIVE))
        else:
            run(folder, recovery.finish(entry, backend=LIVE))
            cluster.wait_for_master(among=others(cluster, node))
            run(folder, recovery.undo(entry_of(folder, entry.id), backend=LIVE))
        assert (world(node).control, world(node).file) == (None, before.file)
        assert [p.name for p in (node.folder / "tmp").iterdir() if p.name.startswith(".knob")] == []
        if moment.done or finish:
            cluster.wait_for_master(among=others(cluster, node))
        else:
            assert world(node) == before
        assert_one_owner(cluster)


FAILOVER_SIDES = ("bbbb", "bbbb", "babb", "aaab", "aaaa")
FAILOVER_TOLD = (NOTHING, NOTHING, "1 of 3 steps are done", "2 of 3 steps are done", EVERYTHING)
FAILOVER_NEXT = ("", "", "reload: SIGHUP to keepalived", "remove 10.4.0.50/32 from eth0", "")


@pytest.mark.lab(timeout=600)
def test_failover_by_stepping_down(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """Wherever it was killed, one node has the VIPs, and in the end the priorities are as before."""
    cluster = make_cluster(replace(SPEC, extra_instance="", extra_global=""))
    for number, (moment, finish) in enumerate(each_way(moments(4))):
        folder = tmp_path / str(number)
        node = cluster.wait_for_master()
        before = world(node)
        changed = with_priority(before.file, node.spec.priority(node.index), 1)
        action = planned(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
        assert [s.kind for s in action.steps] == ["hangup", "file", "hangup", "address"]
        entry = killed(action, folder, moment)
        state = recovery.inspect(entry, backend=LIVE)
        assert sides(state) == FAILOVER_SIDES[moment.done], moment
        assert state.sentence.startswith(FAILOVER_TOLD[moment.done])
        assert FAILOVER_NEXT[moment.done] in state.sentence
        assert (state.can_finish, state.can_put_back) == (True, True)
        seen = world(node)
        assert seen.file == (changed if moment.done > 1 else before.file), moment
        assert seen.runs == (1 if moment.done > 2 else before.runs), moment
        if not finish:
            run(folder, recovery.put_back(entry, backend=LIVE))
        else:
            run(folder, recovery.finish(entry, backend=LIVE))
            cluster.wait_for_master(among=others(cluster, node))
            assert (world(node).file, world(node).runs) == (changed, 1), moment
            run(folder, recovery.undo(entry_of(folder, entry.id), backend=LIVE))
        seen = world(node)
        assert (seen.file, seen.runs, seen.ipvs) == (before.file, before.runs, before.ipvs), moment
        if not finish and moment.done < 4:
            assert seen.vips == before.vips
            assert moment.done == 0 or advertised(node) == str(before.runs)
        else:
            owner = cluster.wait_for_master(among=others(cluster, node))
            assert moment not in LISTENED or advertised(owner) == str(owner.spec.priority(owner.index))
        assert_one_owner(cluster)


def assert_one_owner(cluster: Cluster) -> None:
    """One node has every VIP."""
    owner = cluster.master()
    assert [cluster.holders(vip) for vip in cluster.spec.vips] == [[owner]] * len(cluster.spec.vips)
