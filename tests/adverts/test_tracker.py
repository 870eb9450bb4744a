"""AdvertTracker on sequences of adverts: (seconds, source, priority)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kvtui.backend.adverts.decode import WITHOUT_PSEUDO_HEADER
from kvtui.backend.adverts.tracker import MAX_ADVERTISERS, MAX_TRANSITIONS, AdvertTracker
from kvtui.model.vrrp import AddressFamily, Advert
from kvtui.rules.vrrp.claims import claimants

A, B, C = "10.4.0.3", "10.4.0.4", "10.4.0.5"
V4, V6 = AddressFamily.V4, AddressFamily.V6
T = 1000.0


def advert(at: float, source: str, priority: int = 100, *, vrid: int = 50, interface: str = "eth0") -> Advert:
    six = ":" in source
    return Advert(
        received=T + at,
        interface=interface,
        source=source,
        destination="ff02::12" if six else "224.0.0.18",
        outgoing=False,
        version=3,
        vrid=vrid,
        priority=priority,
        interval=1.0,
        addresses=("fd00::50" if six else "10.4.0.50",),
    )


def fed(*steps: tuple[float, str, int]) -> AdvertTracker:
    tracker = AdvertTracker()
    for step in steps:
        tracker.record(advert(*step))
    return tracker


def transitions(tracker: AdvertTracker) -> list[tuple[float, str]]:
    return [(round(t.at - T, 2), t.what) for t in tracker.transitions()]


def masters(
    tracker: AdvertTracker, at: float, *, vrid: int = 50, family: AddressFamily = V4, on: str = ""
) -> list[str]:
    """Returns the sources that claim to be master of a virtual router, by the rules of the VRRP view."""
    peers = [a for a in tracker.advertisers() if (a.last.vrid, a.last.family) == (vrid, family)]
    return [a.last.source for a in claimants(tuple(a for a in peers if on in ("", a.last.interface)), T + at)]


def master(tracker: AdvertTracker, at: float) -> str | None:
    return next(iter(masters(tracker, at)), None)


def rivals(tracker: AdvertTracker, at: float) -> list[str]:
    found = masters(tracker, at)
    return found if len(found) > 1 else []


def test_one_master_that_keeps_advertising() -> None:
    tracker = AdvertTracker()
    assert tracker.record(advert(0, A))
    assert not any(tracker.record(advert(at, A)) for at in range(1, 30))
    assert transitions(tracker) == [(0, f"{A} is master")]
    (known,) = tracker.advertisers()
    assert (known.count, known.bad, known.first_seen, known.last.received) == (30, 0, T, T + 29)
    assert master(tracker, 29.5) == A
    assert rivals(tracker, 29.5) == []


def test_a_silent_master_is_no_longer_master() -> None:
    tracker = fed((0, A, 100))
    assert master(tracker, 3.4) == A
    assert master(tracker, 3.6) is None


def test_a_router_with_higher_priority_takes_over_from_a_running_master() -> None:
    tracker = fed((0, A, 100), (1, A, 100))
    assert tracker.record(advert(1.3, B, 101))
    assert not tracker.record(advert(1.35, A, 100))  # sent before A received B's advert
    assert not tracker.record(advert(2.3, B, 101))
    assert transitions(tracker) == [(0, f"{A} is master"), (1.3, f"{A} → {B} is master")]
    assert (master(tracker, 2.4), rivals(tracker, 2.4)) == (B, [])


def test_a_late_advert_of_the_old_master_is_not_a_second_master() -> None:
    tracker = fed((0, A, 100), (0.05, B, 101), (0.9, A, 100), (1.05, B, 101))
    assert rivals(tracker, 1.1) == []
    assert [what for _, what in transitions(tracker)] == [f"{A} is master", f"{A} → {B} is master"]


def test_a_killed_master_is_replaced_before_it_is_silent() -> None:
    tracker = fed((0, A, 102), (1, A, 102), (4.4, B, 101))  # B waited 3 s and its skew
    assert transitions(tracker)[1:] == [(4.4, f"{A} → {B} is master")]
    assert (master(tracker, 4.45), rivals(tracker, 4.45)) == (B, [])


def test_a_step_down_and_the_next_master() -> None:
    tracker = fed((0, A, 102), (1, A, 102), (1.2, A, 0))
    assert master(tracker, 1.3) is None
    tracker.record(advert(1.8, B, 101))
    assert transitions(tracker) == [
        (0, f"{A} is master"),
        (1.2, f"{A} stepped down (priority 0)"),
        (1.8, f"{A} → {B} is master"),
    ]
    assert master(tracker, 1.9) == B


def test_a_step_down_is_reported_once_and_a_returning_master_is_named() -> None:
    tracker = fed((0, A, 102))
    assert tracker.record(advert(0.2, A, 0))
    assert not tracker.record(advert(0.21, A, 0))
    assert tracker.record(advert(0.9, A, 102))
    assert [what for _, what in transitions(tracker)] == [
        f"{A} is master",
        f"{A} stepped down (priority 0)",
        f"{A} is master again",
    ]


def test_two_masters_that_do_not_receive_each_other() -> None:
    tracker = fed((0, A, 102), (0.5, B, 101), (1, A, 102), (1.5, B, 101))
    assert rivals(tracker, 1.5) == []  # so far it could be a takeover
    assert tracker.record(advert(2, A, 102))
    assert rivals(tracker, 2) == [A, B]
    assert master(tracker, 2) == A
    assert transitions(tracker)[-1] == (2, f"two masters: {A} (priority 102) and {B} (priority 101)")
    for at in range(2, 12):
        tracker.record(advert(at + 0.5, B, 101))
        tracker.record(advert(at + 1, A, 102))
    assert len(transitions(tracker)) == 2
    tracker.record(advert(13, A, 102))  # B has received A's adverts
    tracker.record(advert(14, A, 102))
    assert transitions(tracker)[-1] == (14, f"{A} is the only master again")
    assert rivals(tracker, 14) == []


def test_two_masters_with_the_higher_priority_second() -> None:
    tracker = fed((0, A, 101), (0.5, B, 102), (1, A, 101), (1.5, B, 102), (2, A, 101))
    assert [what for _, what in transitions(tracker)] == [
        f"{A} is master",
        f"{A} → {B} is master",
        f"two masters: {B} (priority 102) and {A} (priority 101)",
    ]


def test_three_masters_are_counted() -> None:
    tracker = AdvertTracker()
    for n in range(4):
        for offset, who, priority in ((0.0, A, 100), (0.1, B, 101), (0.2, C, 102)):
            tracker.record(advert(n + offset, who, priority))
    assert rivals(tracker, 3.3) == [C, B, A]


def test_with_equal_priorities_the_higher_address_wins_not_the_higher_text() -> None:
    tracker = fed((0, "10.4.0.9", 100), (0.5, "10.4.0.10", 100))
    assert transitions(tracker)[-1][1] == "10.4.0.9 → 10.4.0.10 is master"


def test_when_one_of_two_masters_dies_the_other_is_master() -> None:
    tracker = fed((0, A, 102), (0.5, B, 101), (1, A, 102), (1.5, B, 101), (2, A, 102), (2.5, B, 101))
    tracker.record(advert(3.5, B, 101))
    assert tracker.record(advert(4.5, B, 101))
    assert transitions(tracker)[-1] == (4.5, f"{A} → {B} is master")
    assert (master(tracker, 4.6), rivals(tracker, 4.6)) == (B, [])


def test_a_changed_priority_is_reported() -> None:
    tracker = fed((0, A, 100))
    assert tracker.record(advert(1, A, 50))
    assert not tracker.record(advert(2, A, 50))
    assert transitions(tracker)[-1] == (1, f"{A} changed priority 100 → 50")


def test_silence_without_a_new_master_is_reported_once() -> None:
    tracker = fed((0, A, 100), (1, A, 100))
    assert tracker.next_silence() == T + 5.5
    assert not tracker.check_silence(T + 5.4)
    assert tracker.check_silence(T + 5.5)
    assert not tracker.check_silence(T + 6)
    assert tracker.next_silence() is None
    assert transitions(tracker)[-1] == (5.5, f"{A} fell silent, nobody advertises")
    assert tracker.record(advert(13, A, 100))
    assert transitions(tracker)[-1] == (13, f"{A} is back after 12 s of silence")
    assert tracker.next_silence() == T + 17.5


def test_silence_is_not_reported_while_adverts_may_have_been_missed() -> None:
    """kvtui was stopped or the kernel dropped adverts until 60 s."""
    tracker = fed((0, A, 100), (1, A, 100))
    assert tracker.next_silence(T + 60) == T + 64.5
    assert not tracker.check_silence(T + 64.4, T + 60)
    assert tracker.record(advert(64.4, B, 101))
    assert transitions(tracker)[-1] == (64.4, f"{A} → {B} is master")


def test_a_step_down_without_a_new_master_is_reported() -> None:
    tracker = fed((0, A, 100), (1, A, 0))
    assert tracker.check_silence(T + 5.5)
    assert transitions(tracker)[-1][1] == f"{A} stepped down, nobody advertises"
    tracker.record(advert(8, B, 90))
    assert transitions(tracker)[-1][1] == f"{A} → {B} is master"


def test_a_takeover_ends_the_silence() -> None:
    tracker = fed((0, A, 102), (3.4, B, 101))
    assert tracker.next_silence() == T + 3.4 + 4.5
    assert not tracker.check_silence(T + 5)


def test_virtual_routers_are_kept_apart() -> None:
    tracker = AdvertTracker()
    tracker.record(advert(0, A))
    tracker.record(advert(0.1, B, vrid=51))
    tracker.record(advert(0.2, "fe80::3"))
    tracker.record(advert(0.3, C, interface="eth1"))
    assert {key[:2] for key in tracker.peers} == {(50, V4), (50, V6), (51, V4)}
    assert [t.what for t in tracker.transitions()] == [f"{x} is master" for x in (A, B, "fe80::3", C)]
    for number in range(1, 4):
        tracker.record(advert(number, A))
        tracker.record(advert(number, C, interface="eth1"))
    assert masters(tracker, 3, on="eth0") == [A]
    assert masters(tracker, 3, on="eth1") == [C]
    assert masters(tracker, 9, family=V6) == []


def test_adverts_on_two_interfaces_are_reported_once() -> None:
    tracker = AdvertTracker()
    for interface, late in (("eth0", 0.0), ("vrrp.50", 0.001)):
        tracker.record(advert(0 + late, A, interface=interface))
    assert len(tracker.advertisers()) == 2
    assert [t.what for t in tracker.transitions()] == [f"{A} is master"]


def test_bad_adverts_are_counted_and_not_believed() -> None:
    tracker = fed((0, A, 100))
    bad = replace(advert(0.5, B, 250), error="checksum 0xbeef is wrong", checksum_ok=False)
    assert tracker.record(bad)
    assert not tracker.record(replace(bad, received=T + 0.6))
    assert (master(tracker, 0.7), transitions(tracker)) == (A, [(0, f"{A} is master")])
    forged = replace(advert(0.8, A, 0), ttl=64)
    assert tracker.record(forged)  # the first bad advert of A is a change, but A did not step down
    first, second = tracker.advertisers()
    assert (first.count, first.bad, first.last.priority) == (2, 1, 100)
    assert (second.count, second.bad, second.last.priority) == (2, 2, 250)
    assert master(tracker, 0.9) == A
    tracker.record(advert(1, B, 101))
    assert master(tracker, 1) == B


def test_a_checksum_without_pseudo_header_is_counted_as_bad_and_believed() -> None:
    tracker = AdvertTracker()
    tracker.record(replace(advert(0, A), error=WITHOUT_PSEUDO_HEADER, checksum_ok=False))
    assert transitions(tracker) == [(0, f"{A} is master")]
    assert master(tracker, 0) == A
    assert tracker.advertisers()[0].bad == 1


def test_with_an_interval_of_zero_a_takeover_has_one_master() -> None:
    tracker = AdvertTracker()
    for at, who, priority in ((0, A, 100), (0.1, B, 101), (0.2, A, 100)):
        tracker.record(replace(advert(at, who, priority), interval=0.0))
    assert rivals(tracker, 0.2) == []


def test_the_number_of_sources_is_limited_and_the_longest_silent_are_dropped() -> None:
    tracker = AdvertTracker()
    for n in range(2 * MAX_ADVERTISERS):
        tracker.record(advert(n / 1000, f"10.9.{n // 250}.{n % 250 + 1}", vrid=n % 255 + 1))
    kept = tracker.advertisers()
    assert len(kept) == MAX_ADVERTISERS
    assert min(a.last.received for a in kept) == T + MAX_ADVERTISERS / 1000
    assert len(tracker.transitions()) <= MAX_TRANSITIONS
    assert set(tracker.routers) == {key[:3] for key in tracker.peers}


STEPS = st.lists(
    st.tuples(
        st.floats(0.001, 5),
        st.sampled_from((A, B, C, "fe80::3")),
        st.sampled_from((0, 50, 100, 255)),
        st.sampled_from((50, 51)),
        st.sampled_from(("", "checksum 0xbeef is wrong")),
    ),
    max_size=60,
)


@given(STEPS)
def test_counts_and_masters_are_consistent_for_any_sequence(steps: list[tuple[float, str, int, int, str]]) -> None:
    tracker, at = AdvertTracker(), 0.0
    for gap, who, priority, vrid, error in steps:
        at += gap
        tracker.record(replace(advert(at, who, priority, vrid=vrid), error=error))
        tracker.check_silence(T + at)
        for known_vrid, family in {key[:2] for key in tracker.peers}:
            peers = {(a.last.vrid, a.last.source): a for a in tracker.advertisers()}
            for source in masters(tracker, at, vrid=known_vrid, family=family):
                one = peers[known_vrid, source]
                assert (one.stepped_down, one.silent(T + at), one.last.error) == (False, False, "")
    assert sum(a.count for a in tracker.advertisers()) == len(steps)
    assert [t.at for t in tracker.transitions()] == sorted(t.at for t in tracker.transitions())


@given(st.floats(0.01, 0.99), st.integers(1, 253), st.integers(1, 20))
def test_a_regular_preemption_is_not_a_split_brain(offset: float, priority: int, before: int) -> None:
    """RFC 5798 6.4.3: a master that receives an advert with a higher priority stops advertising."""
    tracker = AdvertTracker()
    for n in range(before):
        tracker.record(advert(n, A, priority))
    start = before - 1 + offset
    for n in range(5):
        tracker.record(advert(start + n, B, priority + 1))
        assert rivals(tracker, start + n) == []
    assert [t.what for t in tracker.transitions()] == [f"{A} is master", f"{A} → {B} is master"]


@given(st.floats(0.02, 0.98), st.integers(1, 254), st.integers(1, 254))
def test_every_split_brain_is_found_within_three_intervals(offset: float, one: int, other: int) -> None:
    tracker = AdvertTracker()
    events = sorted([(float(n), A, one) for n in range(5)] + [(n + offset, B, other) for n in range(4)])
    for event in events:
        tracker.record(advert(*event))
        if event[0] >= offset + 2:
            assert set(rivals(tracker, event[0])) == {A, B}


def test_carp_and_vrrp_of_the_same_host_are_separate() -> None:
    tracker = fed((0, A, 102), (0.5, B, 101))
    for at in (1.0, 2.0):
        tracker.record(replace(advert(at, B, 0), carp=True, version=2, addresses=(), error="CARP"))
    assert [(a.last.source, a.last.carp, a.count, a.believed) for a in tracker.advertisers()] == [
        (A, False, 1, True),
        (B, False, 1, True),
        (B, True, 2, False),
    ]
    assert masters(tracker, 1.2) == [A]
