"""kill -9 before, after and within each step of reload, priority, failover and undo. Drains: test_drain.py.

The report of what was left is true, and both ways on (put back, finish) end in a consistent state. A forked child
carries out the plan and is killed: a Python start costs seconds in this kernel. The wire is looked at once for each
state, what keepalived runs with every time.
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
from tests.lab.killing import Moment, entry_of, killed, moments, planned, run, sides, world
from tests.lab.owners import NOPREEMPT, TRACKED, others
from tests.lab.poll import poll
from tests.lab.tcpdump import next_priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.lab.cluster import Cluster
    from tests.lab.spec import ClusterSpec

    MakeCluster = Callable[[ClusterSpec], Cluster]

PROJECT = Path(__file__).parents[2]
OTHER_VERSIONS = ("2.3.3",)  # 2.1.5 keeps no copy of what runs
NOTHING = "nothing was done, or all of it was put back"
EVERYTHING = "everything was done"


LISTENED = {*(Moment("before", step) for step in (1, 2, 3)), *(Moment("verifying", steps) for steps in (3, 4))}
"""When the priority is also waited for on the wire: one moment for each state of the world."""


Case = Moment | tuple[Moment, bool]


def short_and_long(cases: Iterable[Case], *short: Case) -> list[Any]:
    """Parameters: `make test` kills at one moment for each state of the world, `make test-full` at each moment."""
    found = list(cases)
    assert set(short) <= set(found)
    values = [(case, case if isinstance(case, tuple) else (case,)) for case in found]
    return [pytest.param(*value, marks=() if case in short else pytest.mark.long) for case, value in values]


def case_id(value: object) -> str:
    return {"True": "finished", "False": "put back"}.get(str(value), str(value))


PRIORITY_SIDES = ("bbb", "bbb", "bab", "aaa")
"""After so many steps. The first only makes ready to reload on the way back, which the world does not show."""
PRIORITY_TOLD = (
    NOTHING,
    NOTHING,
    "1 of 2 steps are done; next: reload: SIGHUP to keepalived {pid}, after testing {conf} again",
    EVERYTHING,
)
CONF = "/etc/keepalived/keepalived.conf"


def versions(spec: ClusterSpec) -> pytest.MarkDecorator:
    """Run a test on this machine's keepalived; `make test-full` also on the other versions."""
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
    before = world(node)
    old = node.spec.priority(node.index)
    after = replace(before, file=with_priority(before.file, old, 90), runs=90)
    half = replace(before, file=after.file)
    action = planned(node, lambda o, p, w, b: plan_priority(o, p, "vips", 90, w, b))
    folder = tmp_path / "state"
    entry = killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert sides(state) == PRIORITY_SIDES[moment.done], moment
    told = PRIORITY_TOLD[moment.done].format(pid=node.keepalived_pid, conf=CONF)
    temp = f"; still to do: remove the temp file that an interrupted write left beside {CONF}"
    assert state.sentence == told + (temp if moment.when == "within" else ""), moment
    seen = world(node)
    assert replace(seen, folder=before.folder) == (before, before, half, after)[moment.done], moment
    assert len(seen.folder) == len(before.folder) + (moment.when == "within")
    run(folder, recovery.put_back(entry, LIVE))
    assert entry_of(folder, entry.id).result == "put back"
    assert world(node) == before, moment
    entry = killed(action, folder, moment)
    run(folder, recovery.finish(entry, LIVE))
    assert world(node) == after, moment
    if moment in LISTENED:
        assert next_priority(node) == 90
    whole = entry_of(folder, entry.id)
    assert whole.result == "done"
    run(folder, recovery.undo(whole, LIVE))
    assert world(node) == before, moment
    if moment in LISTENED:
        assert next_priority(node) == old
    assert cluster.master() is node


def words(text: str) -> list[str]:
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]


@versions(TRACKED)
@pytest.mark.parametrize("moment", short_and_long(moments(3), Moment("before", 2)), ids=str)
def test_undo_of_a_priority(make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment) -> None:
    cluster = make_cluster(spec)
    node = cluster.master()
    before = world(node)
    old = node.spec.priority(node.index)
    changed = replace(before, file=with_priority(before.file, old, 90), runs=90)
    half = replace(changed, file=before.file)
    action = planned(node, lambda o, p, w, b: plan_priority(o, p, "vips", 90, w, b))

    async def seen(_say: Callable[[str], None]) -> Verification:
        return Verification(ok=True, detail="seen")

    folder = tmp_path / "state"
    done = entry_of(folder, run(folder, structs.replace(action, verify=seen)))
    assert world(node) == changed, moment
    entry = killed(recovery.undo(done, LIVE), folder, moment)
    assert sides(recovery.inspect(entry, LIVE)) == PRIORITY_SIDES[moment.done], moment
    assert world(node) == (changed, changed, half, before)[moment.done], moment
    run(folder, recovery.put_back(entry, LIVE))
    assert entry_of(folder, done.id).result == "done"
    assert world(node) == changed, moment
    if moment in LISTENED:
        assert next_priority(node) == 90
    run(folder, recovery.finish(killed(recovery.undo(entry_of(folder, done.id), LIVE), folder, moment), LIVE))
    assert entry_of(folder, done.id).result == "undone"
    assert world(node) == before, moment
    if moment in LISTENED:
        assert next_priority(node) == old
    assert cluster.master() is node


@versions(TRACKED)
@pytest.mark.parametrize("moment", short_and_long(moments(3), Moment("verifying", 3)), ids=str)
def test_reload(make_cluster: MakeCluster, tmp_path: Path, spec: ClusterSpec, moment: Moment) -> None:
    """A weight is edited: the kernel shows what runs. What ran is written back by the way back alone."""
    node = make_cluster(spec).master()
    text = node.conf_path.read_text()
    old = node.ipvs()
    edited = text.replace("weight 1\n", "weight 3\n", 1)
    new = old.replace("-r 10.4.0.11:80 -g -w 1", "-r 10.4.0.11:80 -g -w 3")
    assert new != old
    folder = tmp_path / "state"
    node.write_conf(edited)
    action = planned(node, plan_reload)
    assert node.ipvs() == old
    entry = killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert (state.can_finish, state.can_put_back) == (True, True)
    if moment.done == 3:
        poll(lambda: node.ipvs() == new, 10, "the weight of the config that was reloaded")
        assert state.sentence.startswith(EVERYTHING)
        run(folder, recovery.put_back(entry, LIVE))
        poll(lambda: node.ipvs() == old, 10, "the weight of what ran before")
        assert words(node.conf_path.read_text()) == words(text)  # keepalived's copy of it, without comments
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
    before = world(node)
    action = planned(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
    assert [s.kind for s in action.steps] == ["track value"]
    entry = killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert sides(state) == ("a" if moment.done else "b"), moment
    assert state.sentence.startswith(EVERYTHING if moment.done else NOTHING)
    assert ("remove the temp file" in state.sentence) is (moment.when == "within")
    assert world(node).control == ("1\n" if moment.done else None)
    if not finish:
        run(folder, recovery.put_back(entry, LIVE))
    else:
        run(folder, recovery.finish(entry, LIVE))
        cluster.wait_for_master(among=others(cluster, node))
        run(folder, recovery.undo(entry_of(folder, entry.id), LIVE))
    assert (world(node).control, world(node).file) == (None, before.file)
    assert [p.name for p in (node.folder / "tmp").iterdir() if p.name.startswith(".offset")] == []
    if moment.done or finish:
        cluster.wait_for_master(among=others(cluster, node))
    else:
        assert world(node) == before
    assert_one_owner(cluster)


FAILOVER_SIDES = ("bbbb", "bbbb", "babb", "aaab", "aaaa")
FAILOVER_TOLD = (NOTHING, NOTHING, "1 of 3 steps are done", "2 of 3 steps are done", EVERYTHING)
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
    """Wherever it was killed, one node has the VIPs, and in the end the priorities are as before."""
    cluster = make_cluster(spec)
    folder = tmp_path / "state"
    node = cluster.wait_for_master()
    before = world(node)
    changed = with_priority(before.file, node.spec.priority(node.index), 1)
    action = planned(node, lambda o, p, w, b: plan_failover(o, p, "vips", w, b))
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup", "address"]
    entry = killed(action, folder, moment)
    state = recovery.inspect(entry, LIVE)
    assert sides(state) == FAILOVER_SIDES[moment.done], moment
    assert state.sentence.startswith(FAILOVER_TOLD[moment.done])
    assert FAILOVER_NEXT[moment.done] in state.sentence
    assert (state.can_finish, state.can_put_back) == (True, True)
    seen = world(node)
    assert seen.file == (changed if moment.done > 1 else before.file), moment
    assert seen.runs == (1 if moment.done > 2 else before.runs), moment
    if not finish:
        run(folder, recovery.put_back(entry, LIVE))
    else:
        run(folder, recovery.finish(entry, LIVE))
        cluster.wait_for_master(among=others(cluster, node))
        assert (world(node).file, world(node).runs) == (changed, 1), moment
        run(folder, recovery.undo(entry_of(folder, entry.id), LIVE))
    seen = world(node)
    assert (seen.file, seen.runs, seen.ipvs) == (before.file, before.runs, before.ipvs), moment
    if not finish and moment.done < 4:
        assert seen.vips == before.vips
        assert moment.done == 0 or next_priority(node) == before.runs
    else:
        owner = cluster.wait_for_master(among=others(cluster, node))
        assert moment not in LISTENED or next_priority(owner) == owner.spec.priority(owner.index)
    assert_one_owner(cluster)


def assert_one_owner(cluster: Cluster) -> None:
    """One node has every VIP."""
    owner = cluster.master()
    assert [cluster.holders(vip) for vip in cluster.spec.vips] == [[owner]] * len(cluster.spec.vips)
