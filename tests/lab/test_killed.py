"""kill -9 before, after and within each step of reload, priority, failover and undo (drains: test_drain_killed.py).

kvtui's report of the unfinished action is true, and both recoveries (put back, finish) end in a consistent state. A
forked child runs the plan and is killed: a Python start costs seconds in this kernel. Each test checks keepalived's
running config; only some moments also check the adverts.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from kvtui.actions.core import recovery
from kvtui.actions.core.runner import Verification
from kvtui.actions.failover.plan import plan_failover
from kvtui.actions.live import LIVE
from kvtui.actions.priority.plan import plan_priority
from kvtui.actions.reload.plan import plan_reload
from tests.lab.killing import Moment, entry_of, moments, node_state, plan_on, run, run_killed, step_letters
from tests.lab.owners import NOPREEMPT, TRACKED, others
from tests.lab.poll import poll
from tests.lab.tcpdump import next_priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.lab.cluster import Cluster
    from tests.lab.spec import ClusterSpec

    MakeCluster = Callable[[ClusterSpec], Cluster]

PROJECT = Path(__file__).parents[2]
OTHER_VERSIONS = ("2.3.3",)  # 2.1.5 keeps no copy of the running config
NOTHING = "nothing was done, or all of it was put back"
EVERYTHING = "everything was done"


ON_THE_WIRE = {*(Moment("before", step) for step in (1, 2, 3)), *(Moment("verifying", steps) for steps in (3, 4))}
"""Moments whose tests also check the priority in the adverts: one per state of the node."""


Case = Moment | tuple[Moment, bool]


def short_and_long(cases: Iterable[Case], *short: Case) -> list[Any]:
    """Returns parameters: `make test` kills at one moment per state of the node, `make test-full` at each moment."""
    found = list(cases)
    assert set(short) <= set(found)
    values = [(case, case if isinstance(case, tuple) else (case,)) for case in found]
    return [pytest.param(*value, marks=() if case in short else pytest.mark.long) for case, value in values]


def case_id(value: object) -> str:
    return {"True": "finished", "False": "put back"}.get(str(value), str(value))


PRIORITY_STEPS = ("bbb", "bbb", "bab", "aaa")
"""The steps' letters by the number of steps done. The first step only prepares a reload for the undo: no effect yet."""
PRIORITY_SENTENCES = (
    NOTHING,
    NOTHING,
    "1 of 2 steps are done; next: reload: SIGHUP to keepalived {pid}, after testing {conf} again",
    EVERYTHING,
)
CONF = "/etc/keepalived/keepalived.conf"


def versions(spec: ClusterSpec) -> pytest.MarkDecorator:
    """Runs a test on this machine's keepalived; `make test-full` also on the other versions."""
    others = [
        pytest.param(
            replace(spec, root=str(PROJECT / ".lab" / f"keepalived-{version}")), id=version, marks=pytest.mark.long
        )
        for version in OTHER_VERSIONS
    ]
    return pytest.mark.parametrize("spec", [pytest.param(spec, id="here"), *others])


def with_priority(data: bytes, old: int, new: int) -> bytes:
    changed = data.replace(b"priority %d\n" % old, b"priority %d\n" % new)
    assert changed != data
    return changed


@versions(TRACKED)
@pytest.mark.parametrize(
    "moment",
    short_and_long(
        [*moments(3), Moment("within", 1)],
        *(Moment("within", 1), Moment("before", 2), Moment("verifying", 3)),
    ),
    ids=str,
)
def test_priority(make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment) -> None:
    cluster = make_cluster(spec)
    node = cluster.master()
    before = node_state(node)
    old = node.spec.priority(node.index)
    after = replace(before, file=with_priority(before.file, old, 90), running_priority=90)
    half = replace(before, file=after.file)
    action = plan_on(node, lambda o, p, w, b: plan_priority(o, p, "vips", 90, w, b))
    folder = tmp_path / "state"
    entry = run_killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert step_letters(state) == PRIORITY_STEPS[moment.done], moment
    sentence = PRIORITY_SENTENCES[moment.done].format(pid=node.keepalived_pid, conf=CONF)
    temp = f"; still to do: remove the temp file that an interrupted write left beside {CONF}"
    assert state.sentence == sentence + (temp if moment.when == "within" else ""), moment
    seen = node_state(node)
    assert replace(seen, folder=before.folder) == (before, before, half, after)[moment.done], moment
    assert len(seen.folder) == len(before.folder) + (moment.when == "within")
    run(folder, recovery.put_back(entry, LIVE))
    assert entry_of(folder, entry.id).result == "put back"
    assert node_state(node) == before, moment
    entry = run_killed(action, folder, moment)
    run(folder, recovery.finish(entry, LIVE))
    assert node_state(node) == after, moment
    if moment in ON_THE_WIRE:
        assert next_priority(node) == 90
    whole = entry_of(folder, entry.id)
    assert whole.result == "done"
    run(folder, recovery.undo(whole, LIVE))
    assert node_state(node) == before, moment
    if moment in ON_THE_WIRE:
        assert next_priority(node) == old
    assert cluster.master() is node


def words(text: str) -> list[str]:
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]


@versions(TRACKED)
@pytest.mark.parametrize("moment", short_and_long(moments(3), Moment("before", 2)), ids=str)
def test_undo_of_a_priority(make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment) -> None:
    cluster = make_cluster(spec)
    node = cluster.master()
    before = node_state(node)
    old = node.spec.priority(node.index)
    changed = replace(before, file=with_priority(before.file, old, 90), running_priority=90)
    half = replace(changed, file=before.file)
    action = plan_on(node, lambda o, p, w, b: plan_priority(o, p, "vips", 90, w, b))

    async def seen(_say: Callable[[str], None]) -> Verification:
        return Verification(ok=True, detail="seen")

    folder = tmp_path / "state"
    done = entry_of(folder, run(folder, structs.replace(action, verify=seen)))
    assert node_state(node) == changed, moment
    entry = run_killed(recovery.undo(done, LIVE), folder, moment)
    assert step_letters(recovery.inspect(entry, LIVE)) == PRIORITY_STEPS[moment.done], moment
    assert node_state(node) == (changed, changed, half, before)[moment.done], moment
    run(folder, recovery.put_back(entry, LIVE))
    assert entry_of(folder, done.id).result == "done"
    assert node_state(node) == changed, moment
    if moment in ON_THE_WIRE:
        assert next_priority(node) == 90
    run(folder, recovery.finish(run_killed(recovery.undo(entry_of(folder, done.id), LIVE), folder, moment), LIVE))
    assert entry_of(folder, done.id).result == "undone"
    assert node_state(node) == before, moment
    if moment in ON_THE_WIRE:
        assert next_priority(node) == old
    assert cluster.master() is node


@versions(TRACKED)
@pytest.mark.parametrize("moment", short_and_long(moments(3), Moment("verifying", 3)), ids=str)
def test_reload(make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment) -> None:
    """A weight is edited, so the kernel shows the running config. Only the undo writes the earlier config back."""
    node = make_cluster(spec).master()
    text = node.conf_path.read_text()
    old = node.ipvs()
    edited = text.replace("weight 1\n", "weight 3\n", 1)
    new = old.replace("-r 10.4.0.11:80 -g -w 1", "-r 10.4.0.11:80 -g -w 3")
    assert new != old
    folder = tmp_path / "state"
    node.write_conf(edited)
    action = plan_on(node, plan_reload)
    assert node.ipvs() == old
    entry = run_killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert (state.can_finish, state.can_put_back) == (True, True)
    if moment.done == 3:
        poll(lambda: node.ipvs() == new, 10, "the weight of the config that was reloaded")
        assert state.sentence.startswith(EVERYTHING)
        run(folder, recovery.put_back(entry, LIVE))
        poll(lambda: node.ipvs() == old, 10, "the weight of what ran before")
        assert words(node.conf_path.read_text()) == words(text)  # keepalived's copy has no comments
    else:
        run(folder, recovery.finish(entry, LIVE))
        poll(lambda: node.ipvs() == new, 10, "the weight of the config that was reloaded")
        assert node.conf_path.read_text() == edited
    node.reload(text)
    poll(lambda: node.ipvs() == old, 10, "the weight as it was")


@versions(TRACKED)
@pytest.mark.parametrize(
    ("moment", "finish"),
    short_and_long(
        itertools.product([*moments(1), Moment("within", 0)], [False, True]),
        *((Moment("within", 0), False), (Moment("verifying", 1), True)),
    ),
    ids=case_id,
)
def test_failover_by_a_track_file(
    make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment, finish: bool
) -> None:
    cluster = make_cluster(spec)
    folder = tmp_path / "state"
    node = cluster.wait_for_master()
    before = node_state(node)
    action = plan_on(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
    assert [s.kind for s in action.steps] == ["track value"]
    entry = run_killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert step_letters(state) == ("a" if moment.done else "b"), moment
    assert state.sentence.startswith(EVERYTHING if moment.done else NOTHING)
    assert ("remove the temp file" in state.sentence) is (moment.when == "within")
    assert node_state(node).control == ("1\n" if moment.done else None)
    if not finish:
        run(folder, recovery.put_back(entry, LIVE))
    else:
        run(folder, recovery.finish(entry, LIVE))
        cluster.wait_for_master(among=others(cluster, node))
        run(folder, recovery.undo(entry_of(folder, entry.id), LIVE))
    assert (node_state(node).control, node_state(node).file) == (None, before.file)
    assert [p.name for p in (node.folder / "tmp").iterdir() if p.name.startswith(".offset")] == []
    if moment.done or finish:
        cluster.wait_for_master(among=others(cluster, node))
    else:
        assert node_state(node) == before
    assert_one_owner(cluster)


FAILOVER_STEPS = ("bbbb", "bbbb", "babb", "aaab", "aaaa")
FAILOVER_SENTENCES = (NOTHING, NOTHING, "1 of 3 steps are done", "2 of 3 steps are done", EVERYTHING)
FAILOVER_NEXT = ("", "", "reload: SIGHUP to keepalived", "remove 10.4.0.50/32 from eth0", "")


@versions(NOPREEMPT)
@pytest.mark.parametrize(
    ("moment", "finish"),
    short_and_long(
        itertools.product(moments(4), [False, True]),
        *((Moment("before", 2), True), (Moment("before", 3), True), (Moment("verifying", 4), False)),
    ),
    ids=case_id,
)
def test_failover_by_stepping_down(
    make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment, finish: bool
) -> None:
    """After each kill one node has the VIPs, and in the end the priorities are as before."""
    cluster = make_cluster(spec)
    folder = tmp_path / "state"
    node = cluster.wait_for_master()
    before = node_state(node)
    changed = with_priority(before.file, node.spec.priority(node.index), 1)
    action = plan_on(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup", "address"]
    entry = run_killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert step_letters(state) == FAILOVER_STEPS[moment.done], moment
    assert state.sentence.startswith(FAILOVER_SENTENCES[moment.done])
    assert FAILOVER_NEXT[moment.done] in state.sentence
    assert (state.can_finish, state.can_put_back) == (True, True)
    seen = node_state(node)
    assert seen.file == (changed if moment.done > 1 else before.file), moment
    assert seen.running_priority == (1 if moment.done > 2 else before.running_priority), moment
    if not finish:
        run(folder, recovery.put_back(entry, LIVE))
    else:
        run(folder, recovery.finish(entry, LIVE))
        cluster.wait_for_master(among=others(cluster, node))
        assert (node_state(node).file, node_state(node).running_priority) == (changed, 1), moment
        run(folder, recovery.undo(entry_of(folder, entry.id), LIVE))
    seen = node_state(node)
    assert (seen.file, seen.running_priority, seen.ipvs) == (before.file, before.running_priority, before.ipvs), moment
    if not finish and moment.done < 4:
        assert seen.vips == before.vips
        assert moment.done == 0 or next_priority(node) == before.running_priority
    else:
        owner = cluster.wait_for_master(among=others(cluster, node))
        assert moment not in ON_THE_WIRE or next_priority(owner) == owner.spec.priority(owner.index)
    assert_one_owner(cluster)


def assert_one_owner(cluster: Cluster) -> None:
    """Asserts that one node has all VIPs."""
    owner = cluster.master()
    assert [cluster.holders(vip) for vip in cluster.spec.vips] == [[owner]] * len(cluster.spec.vips)
