"""After every change of the demo its layers agree, and its counters never decrease."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.demo.changes import NO_CHANGES, DemoChanges
from kvtui.backend.demo.election import course, skew
from kvtui.backend.demo.services import DRAINING, FAILING, SERVICES
from kvtui.backend.demo.source import demo_snapshot
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain import ChainIndex, Mark, chain_of
from kvtui.rules.observe import observe
from kvtui.rules.vrrp.election import skew as skew_time

EPOCH = 1_700_000_000.0
TARGETS = tuple((s.key, real) for s in SERVICES for real in s.reals if real in {DRAINING, FAILING, ("10.2.68.5", 8080)})
times = st.floats(min_value=0, max_value=400, allow_nan=False)
one = st.one_of(
    st.tuples(times, st.just("priority"), st.integers(1, 254)),
    st.tuples(times, st.just("value"), st.sampled_from([0, -1, 1, -6])),
    st.tuples(times, st.sampled_from(TARGETS), st.sampled_from([0, 1])),
)


def done(what: list[tuple[float, object, int]]) -> DemoChanges:
    changes = NO_CHANGES
    for at, kind, number in sorted(what, key=lambda w: w[0]):
        if kind == "priority":
            changes = changes.set(at, priority=number)
        elif kind == "value":
            changes = changes.set(at, value=number)
        else:
            changes = changes.set_weight(at, next(t for t in TARGETS if t == kind), number)
    return changes


@given(st.lists(one, max_size=4), st.floats(min_value=0, max_value=600))
@settings(max_examples=100, deadline=None)
def test_no_layer_is_broken_and_the_vips_are_where_the_master_is(
    what: list[tuple[float, object, int]], t: float
) -> None:
    seen = observe(demo_snapshot(t, EPOCH, changes=done(what)))

    assert [v.present for v in seen.vips or ()] == [v.state is VrrpState.MASTER for v in seen.vips or ()]
    assert [i.rivals for i in seen.vrrp_instances or ()] == [(), ()]
    owned = [v for v in seen.vips or () if v.owner is not None]  # in FAULT no node has it until the skew time is over
    index = ChainIndex(seen)
    assert [k for v in owned for k in chain_of(index, v.address, view=v) if k.mark is Mark.BROKEN] == []


@given(st.lists(one, max_size=4), times, st.floats(min_value=0, max_value=5))
@settings(max_examples=100, deadline=None)
def test_counters_never_go_backwards(what: list[tuple[float, object, int]], t: float, step: float) -> None:
    early, late = (demo_snapshot(moment, EPOCH, changes=done(what)) for moment in (t, t + step))
    assert early.ipvs is not None
    assert late.ipvs is not None

    for before, after in zip(early.ipvs.virtual_servers, late.ipvs.virtual_servers, strict=True):
        assert before.stats is not None
        assert after.stats is not None
        assert before.stats.connections <= after.stats.connections
    for before_own, after_own in zip(early.instances or (), late.instances or (), strict=True):
        assert all(before_own.counters[name] <= after_own.counters[name] for name in before_own.counters)


@given(st.lists(one, max_size=4), st.floats(min_value=0, max_value=600))
@settings(max_examples=100, deadline=None)
def test_the_timeline_is_in_order_and_ends_with_who_is_master(what: list[tuple[float, object, int]], t: float) -> None:
    snapshot = demo_snapshot(t, EPOCH, changes=done(what))
    at = [s.at for s in snapshot.transitions]

    assert at == sorted(at)
    master = (snapshot.instances or ())[0].master_address
    last = [s.what for s in snapshot.transitions if s.what.endswith("is master")][-1]
    assert master is None or last.endswith(f"→ {master} is master")


def test_without_changes_the_demo_follows_the_story() -> None:
    assert demo_snapshot(77.7, EPOCH, changes=DemoChanges()) == demo_snapshot(77.7, EPOCH)


def test_the_election_takes_as_long_as_the_rules_predict() -> None:
    fault = course(NO_CHANGES.set(10.0, value=-6).priority_changes).masterships[1:]
    lower = course(NO_CHANGES.set(10.0, priority=50).priority_changes).masterships[1:]

    assert [(r.at, r.master) for r in fault] == [(10.0, None), (10.0 + skew(101), "node-b")]
    assert [(r.at, r.master) for r in lower] == [(10.0 + 3 + skew(101), "node-b")]
    assert skew(101) == skew_time(101, 1.0)


def test_on_equal_priorities_the_higher_address_wins() -> None:
    assert len(course(NO_CHANGES.set(10.0, priority=101).priority_changes).masterships) == 1
