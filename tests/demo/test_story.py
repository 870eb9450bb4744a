"""The demo's story is the same every time, and its layers agree as on a healthy node."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.demo.services import DRAINING, FAILING, SERVICES, VIP_ONLY, VIPS
from kvtui.backend.demo.source import demo_snapshot
from kvtui.backend.demo.story import BACK, CYCLE, LEFT, MOVED, running, scene, transitions
from kvtui.model.observation import Observation, RealServerState
from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain import ChainIndex, Mark, chain_of
from kvtui.rules.observe import observe

EPOCH = 1_700_000_000.0
moments = st.floats(min_value=0, max_value=10 * CYCLE, allow_nan=False)


def at(t: float) -> Observation:
    return observe(demo_snapshot(t, EPOCH), demo_snapshot(max(0.0, t - 1), EPOCH).ipvs)


def test_the_same_moment_is_the_same_snapshot() -> None:
    assert demo_snapshot(77.7, EPOCH) == demo_snapshot(77.7, EPOCH)


def test_this_node_holds_the_vips_then_loses_them_then_has_them_back() -> None:
    held = {t: sum(bool(v.present) for v in at(t).vips or ()) for t in (0.0, 62.0, 70.0, 85.3, 90.0)}

    assert held == {0.0: 4, 62.0: 4, 70.0: 0, 85.3: 0, 90.0: 4}


def test_the_owner_is_the_node_that_advertises() -> None:
    owners = {t: (at(t).vips or ())[0].owner for t in (0.0, 70.0, 85.3, 90.0)}

    assert owners == {0.0: "10.4.0.5", 70.0: "10.4.0.4", 85.3: None, 90.0: "10.4.0.5"}


def test_the_track_file_lowers_the_effective_priority_before_the_vips_move() -> None:
    instance = (at(62.0).vrrp_instances or ())[0]

    assert (instance.state, instance.priority, instance.effective_priority) == (VrrpState.MASTER, 102, 52)


def test_a_failing_check_removes_a_real_server_and_a_drain_keeps_it_at_weight_0() -> None:
    states = {}
    for t in (0.0, 30.0, 100.0):
        servers = at(t).virtual_servers or ()
        reals = {r.key: r for s in servers for r in s.real_servers}
        states[t] = (reals[FAILING].state, reals[DRAINING].state, reals[DRAINING].weight)

    up, drained, removed = RealServerState.UP, RealServerState.DRAINED, RealServerState.REMOVED
    assert states == {0.0: (up, up, 1), 30.0: (removed, up, 1), 100.0: (up, drained, 0)}


def test_the_timeline_is_not_empty_at_the_start_and_grows_in_order() -> None:
    before, after = transitions(0.0), transitions(CYCLE)

    assert len(before) == 12
    assert after[-4:] == (
        (60.5, "10.4.0.5 changed priority 102 → 52"),
        (MOVED, "10.4.0.5 → 10.4.0.4 is master"),
        (LEFT, "10.4.0.4 stepped down (priority 0)"),
        (BACK, "10.4.0.4 → 10.4.0.5 is master"),
    )
    assert [t for t, _ in after] == sorted(t for t, _ in after)


def test_every_kind_of_service_is_there() -> None:
    servers = {s.name: s for s in at(0.0).virtual_servers or ()}

    assert set(servers) == {"10.4.0.50:80", "10.4.0.51:443", "10.4.0.52:53", "[fd00:10:4::50]:80"}
    assert servers["10.4.0.50:80"].service == "default/nginx"
    assert servers["10.4.0.51:443"].persistence_timeout == 1800
    assert servers["10.4.0.52:53"].protocol.value == "UDP"
    assert VIP_ONLY in VIPS
    assert VIP_ONLY not in {s.vip for s in SERVICES}


def test_every_source_is_ok_and_marked_as_demo() -> None:
    sources = demo_snapshot(0.0, EPOCH).sources

    assert [s.name for s in sources if s.state is SourceState.OK] == list(SourceName)
    assert all(s.detail.startswith("demo") for s in sources)


@given(moments)
@settings(max_examples=80, deadline=None)
def test_no_layer_of_any_vip_is_ever_broken(t: float) -> None:
    seen = at(t)

    chains = ((v.address, chain_of(ChainIndex(seen), v.address, view=v)) for v in seen.vips or ())
    broken = [(vip, k.layer, k.detail) for vip, links in chains for k in links if k.mark is Mark.BROKEN]

    assert broken == []


@given(moments)
@settings(max_examples=80, deadline=None)
def test_there_are_never_two_masters(t: float) -> None:
    assert [i.rivals for i in at(t).vrrp_instances or ()] == [(), ()]


@given(moments, st.floats(min_value=0, max_value=5))
@settings(max_examples=120, deadline=None)
def test_counters_never_go_backwards(t: float, step: float) -> None:
    early, late = demo_snapshot(t, EPOCH), demo_snapshot(t + step, EPOCH)
    assert early.ipvs is not None
    assert late.ipvs is not None

    pairs = zip(early.ipvs.virtual_servers, late.ipvs.virtual_servers, strict=True)
    for before, after in pairs:
        assert before.stats is not None
        assert after.stats is not None
        assert before.stats.connections <= after.stats.connections
        assert before.stats.out_bytes <= after.stats.out_bytes
    own = zip(early.instances or (), late.instances or (), strict=True)
    assert all(a.counters[n] <= b.counters[n] for a, b in own for n in ("advert_sent", "advert_rcvd", "become_master"))


@given(moments)
@settings(max_examples=80, deadline=None)
def test_the_story_pauses_only_in_its_stops(t: float) -> None:
    stops = (20.0, 40.0), (60.0, 85.0)
    inside = any(a <= t % CYCLE and t % CYCLE + 0.01 <= b for a, b in stops)

    passed = running(t + 0.01, *stops) - running(t, *stops)

    assert 0 <= passed <= 0.011
    if inside:
        assert abs(passed) < 1e-6


def test_the_scene_has_its_start_time() -> None:
    assert [scene(t).since for t in (0.0, 70.0, 90.0, 121.0)] == [BACK - CYCLE, MOVED, BACK, BACK]
