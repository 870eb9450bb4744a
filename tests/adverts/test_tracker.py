"""What follows from adverts, told as sequences of them: (seconds, who, priority)."""

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


def heard(*steps: tuple[float, str, int]) -> AdvertTracker:
    wire = AdvertTracker()
    for step in steps:
        wire.record(advert(*step))
    return wire


def told(wire: AdvertTracker) -> list[tuple[float, str]]:
    return [(round(t.at - T, 2), t.what) for t in wire.transitions()]


def masters(wire: AdvertTracker, at: float, *, vrid: int = 50, family: AddressFamily = V4, on: str = "") -> list[str]:
    """Who claims to be master of a virtual router, by the rules that the VRRP view uses."""
    peers = [a for a in wire.advertisers() if (a.last.vrid, a.last.family) == (vrid, family)]
    return [a.last.source for a in claimants(tuple(a for a in peers if on in ("", a.last.interface)), T + at)]


def master(wire: AdvertTracker, at: float) -> str | None:
    return next(iter(masters(wire, at)), None)


def rivals(wire: AdvertTracker, at: float) -> list[str]:
    found = masters(wire, at)
    return found if len(found) > 1 else []


def test_one_master_that_keeps_advertising() -> None:
    wire = AdvertTracker()
    assert wire.record(advert(0, A))
    assert not any(wire.record(advert(at, A)) for at in range(1, 30))
    assert told(wire) == [(0, f"{A} is master")]
    (known,) = wire.advertisers()
    assert (known.count, known.bad, known.first_seen, known.last.received) == (30, 0, T, T + 29)
    assert master(wire, 29.5) == A
    assert rivals(wire, 29.5) == []


def test_a_master_that_falls_silent_is_no_master() -> None:
    wire = heard((0, A, 100))
    assert master(wire, 3.4) == A
    assert master(wire, 3.6) is None


def test_a_better_router_takes_over_while_the_old_one_speaks() -> None:
    wire = heard((0, A, 100), (1, A, 100))
    assert wire.record(advert(1.3, B, 101))
    assert not wire.record(advert(1.35, A, 100))  # was under way
    assert not wire.record(advert(2.3, B, 101))
    assert told(wire) == [(0, f"{A} is master"), (1.3, f"{A} → {B} is master")]
    assert (master(wire, 2.4), rivals(wire, 2.4)) == (B, [])


def test_one_late_advert_of_the_old_master_just_below_an_interval_is_no_rivalry() -> None:
    wire = heard((0, A, 100), (0.05, B, 101), (0.9, A, 100), (1.05, B, 101))
    assert rivals(wire, 1.1) == []
    assert [what for _, what in told(wire)] == [f"{A} is master", f"{A} → {B} is master"]


def test_a_killed_master_is_replaced_before_it_counts_as_silent() -> None:
    wire = heard((0, A, 102), (1, A, 102), (4.4, B, 101))  # B waited 3 s and its skew
    assert told(wire)[1:] == [(4.4, f"{A} → {B} is master")]
    assert (master(wire, 4.45), rivals(wire, 4.45)) == (B, [])


def test_a_step_down_and_the_next() -> None:
    wire = heard((0, A, 102), (1, A, 102), (1.2, A, 0))
    assert master(wire, 1.3) is None
    wire.record(advert(1.8, B, 101))
    assert told(wire) == [
        (0, f"{A} is master"),
        (1.2, f"{A} stepped down (priority 0)"),
        (1.8, f"{A} → {B} is master"),
    ]
    assert master(wire, 1.9) == B


def test_a_step_down_is_told_once_and_one_who_wins_again_is_named() -> None:
    wire = heard((0, A, 102))
    assert wire.record(advert(0.2, A, 0))
    assert not wire.record(advert(0.21, A, 0))
    assert wire.record(advert(0.9, A, 102))
    assert [what for _, what in told(wire)] == [
        f"{A} is master",
        f"{A} stepped down (priority 0)",
        f"{A} is master again",
    ]


def test_two_who_do_not_hear_each_other() -> None:
    wire = heard((0, A, 102), (0.5, B, 101), (1, A, 102), (1.5, B, 101))
    assert rivals(wire, 1.5) == []  # until here it could be a takeover
    assert wire.record(advert(2, A, 102))
    assert rivals(wire, 2) == [A, B]
    assert master(wire, 2) == A
    assert told(wire)[-1] == (2, f"two masters: {A} (priority 102) and {B} (priority 101)")
    for at in range(2, 12):
        wire.record(advert(at + 0.5, B, 101))
        wire.record(advert(at + 1, A, 102))
    assert len(told(wire)) == 2
    wire.record(advert(13, A, 102))  # B has heard it at last
    wire.record(advert(14, A, 102))
    assert told(wire)[-1] == (14, f"{A} is the only master again")
    assert rivals(wire, 14) == []


def test_two_masters_when_the_better_one_came_second() -> None:
    wire = heard((0, A, 101), (0.5, B, 102), (1, A, 101), (1.5, B, 102), (2, A, 101))
    assert [what for _, what in told(wire)] == [
        f"{A} is master",
        f"{A} → {B} is master",
        f"two masters: {B} (priority 102) and {A} (priority 101)",
    ]


def test_three_masters_are_counted() -> None:
    wire = AdvertTracker()
    for n in range(4):
        for offset, who, priority in ((0.0, A, 100), (0.1, B, 101), (0.2, C, 102)):
            wire.record(advert(n + offset, who, priority))
    assert rivals(wire, 3.3) == [C, B, A]


def test_equal_priorities_go_to_the_higher_address_not_to_the_higher_text() -> None:
    wire = heard((0, "10.4.0.9", 100), (0.5, "10.4.0.10", 100))
    assert told(wire)[-1][1] == "10.4.0.9 → 10.4.0.10 is master"


def test_the_master_of_a_dispute_that_dies_leaves_the_other() -> None:
    wire = heard((0, A, 102), (0.5, B, 101), (1, A, 102), (1.5, B, 101), (2, A, 102), (2.5, B, 101))
    wire.record(advert(3.5, B, 101))
    assert wire.record(advert(4.5, B, 101))
    assert told(wire)[-1] == (4.5, f"{A} → {B} is master")
    assert (master(wire, 4.6), rivals(wire, 4.6)) == (B, [])


def test_a_change_of_priority_is_news() -> None:
    wire = heard((0, A, 100))
    assert wire.record(advert(1, A, 50))
    assert not wire.record(advert(2, A, 50))
    assert told(wire)[-1] == (1, f"{A} changed priority 100 → 50")


def test_silence_without_a_successor_is_told_once() -> None:
    wire = heard((0, A, 100), (1, A, 100))
    assert wire.next_silence() == T + 5.5
    assert not wire.check_silence(T + 5.4)
    assert wire.check_silence(T + 5.5)
    assert not wire.check_silence(T + 6)
    assert wire.next_silence() is None
    assert told(wire)[-1] == (5.5, f"{A} fell silent, nobody advertises")
    assert wire.record(advert(13, A, 100))
    assert told(wire)[-1] == (13, f"{A} is back after 12 s of silence")
    assert wire.next_silence() == T + 17.5


def test_no_silence_is_told_of_a_time_in_which_adverts_may_have_been_missed() -> None:
    """kvtui was stopped until 60 s, or the kernel dropped adverts until then."""
    wire = heard((0, A, 100), (1, A, 100))
    assert wire.next_silence(T + 60) == T + 64.5
    assert not wire.check_silence(T + 64.4, T + 60)
    assert wire.record(advert(64.4, B, 101))
    assert told(wire)[-1] == (64.4, f"{A} → {B} is master")


def test_a_step_down_without_a_successor_is_told() -> None:
    wire = heard((0, A, 100), (1, A, 0))
    assert wire.check_silence(T + 5.5)
    assert told(wire)[-1][1] == f"{A} stepped down, nobody advertises"
    wire.record(advert(8, B, 90))
    assert told(wire)[-1][1] == f"{A} → {B} is master"


def test_a_takeover_leaves_no_silence_to_tell() -> None:
    wire = heard((0, A, 102), (3.4, B, 101))
    assert wire.next_silence() == T + 3.4 + 4.5
    assert not wire.check_silence(T + 5)


def test_virtual_routers_are_kept_apart() -> None:
    wire = AdvertTracker()
    wire.record(advert(0, A))
    wire.record(advert(0.1, B, vrid=51))
    wire.record(advert(0.2, "fe80::3"))
    wire.record(advert(0.3, C, interface="eth1"))
    assert {key[:2] for key in wire.peers} == {(50, V4), (50, V6), (51, V4)}
    assert [t.what for t in wire.transitions()] == [f"{x} is master" for x in (A, B, "fe80::3", C)]
    for number in range(1, 4):
        wire.record(advert(number, A))
        wire.record(advert(number, C, interface="eth1"))
    assert masters(wire, 3, on="eth0") == [A]
    assert masters(wire, 3, on="eth1") == [C]
    assert masters(wire, 9, family=V6) == []


def test_what_two_interfaces_show_is_told_once() -> None:
    wire = AdvertTracker()
    for interface, late in (("eth0", 0.0), ("vrrp.50", 0.001)):
        wire.record(advert(0 + late, A, interface=interface))
    assert len(wire.advertisers()) == 2
    assert [t.what for t in wire.transitions()] == [f"{A} is master"]


def test_wrong_adverts_are_counted_and_not_believed() -> None:
    wire = heard((0, A, 100))
    wrong = replace(advert(0.5, B, 250), error="checksum 0xbeef is wrong", checksum_ok=False)
    assert wire.record(wrong)
    assert not wire.record(replace(wrong, received=T + 0.6))
    assert (master(wire, 0.7), told(wire)) == (A, [(0, f"{A} is master")])
    forged = replace(advert(0.8, A, 0), ttl=64)
    assert wire.record(forged)  # the first wrong one of A is news, but it stepped nobody down
    first, second = wire.advertisers()
    assert (first.count, first.bad, first.last.priority) == (2, 1, 100)
    assert (second.count, second.bad, second.last.priority) == (2, 2, 250)
    assert master(wire, 0.9) == A
    wire.record(advert(1, B, 101))
    assert master(wire, 1) == B


def test_an_unusual_checksum_is_counted_as_wrong_and_believed() -> None:
    wire = AdvertTracker()
    wire.record(replace(advert(0, A), error=WITHOUT_PSEUDO_HEADER, checksum_ok=False))
    assert told(wire) == [(0, f"{A} is master")]
    assert master(wire, 0) == A
    assert wire.advertisers()[0].bad == 1


def test_an_interval_of_zero_does_not_make_rivals_of_a_takeover() -> None:
    wire = AdvertTracker()
    for at, who, priority in ((0, A, 100), (0.1, B, 101), (0.2, A, 100)):
        wire.record(replace(advert(at, who, priority), interval=0.0))
    assert rivals(wire, 0.2) == []


def test_a_flood_of_sources_is_bounded_and_the_longest_silent_go_first() -> None:
    wire = AdvertTracker()
    for n in range(2 * MAX_ADVERTISERS):
        wire.record(advert(n / 1000, f"10.9.{n // 250}.{n % 250 + 1}", vrid=n % 255 + 1))
    kept = wire.advertisers()
    assert len(kept) == MAX_ADVERTISERS
    assert min(a.last.received for a in kept) == T + MAX_ADVERTISERS / 1000
    assert len(wire.transitions()) <= MAX_TRANSITIONS
    assert set(wire.routers) == {key[:3] for key in wire.peers}


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
def test_whatever_comes_the_bookkeeping_holds(steps: list[tuple[float, str, int, int, str]]) -> None:
    wire, at = AdvertTracker(), 0.0
    for gap, who, priority, vrid, error in steps:
        at += gap
        wire.record(replace(advert(at, who, priority, vrid=vrid), error=error))
        wire.check_silence(T + at)
        for known_vrid, family in {key[:2] for key in wire.peers}:
            peers = {(a.last.vrid, a.last.source): a for a in wire.advertisers()}
            for source in masters(wire, at, vrid=known_vrid, family=family):
                one = peers[known_vrid, source]
                assert (one.stepped_down, one.silent(T + at), one.last.error) == (False, False, "")
    assert sum(a.count for a in wire.advertisers()) == len(steps)
    assert [t.at for t in wire.transitions()] == sorted(t.at for t in wire.transitions())


@given(st.floats(0.01, 0.99), st.integers(1, 253), st.integers(1, 20))
def test_no_orderly_preemption_is_called_a_split_brain(offset: float, priority: int, before: int) -> None:
    """RFC 5798 6.4.3: whoever hears a better one is silent from then on."""
    wire = AdvertTracker()
    for n in range(before):
        wire.record(advert(n, A, priority))
    start = before - 1 + offset
    for n in range(5):
        wire.record(advert(start + n, B, priority + 1))
        assert rivals(wire, start + n) == []
    assert [t.what for t in wire.transitions()] == [f"{A} is master", f"{A} → {B} is master"]


@given(st.floats(0.02, 0.98), st.integers(1, 254), st.integers(1, 254))
def test_every_split_brain_is_found_within_three_intervals(offset: float, one: int, other: int) -> None:
    wire = AdvertTracker()
    events = sorted([(float(n), A, one) for n in range(5)] + [(n + offset, B, other) for n in range(4)])
    for event in events:
        wire.record(advert(*event))
        if event[0] >= offset + 2:
            assert set(rivals(wire, event[0])) == {A, B}


def test_carp_of_a_host_that_advertised_before_is_known_beside_its_adverts() -> None:
    wire = heard((0, A, 102), (0.5, B, 101))
    for at in (1.0, 2.0):
        wire.record(replace(advert(at, B, 0), carp=True, version=2, addresses=(), error="CARP"))
    assert [(a.last.source, a.last.carp, a.count, a.believed) for a in wire.advertisers()] == [
        (A, False, 1, True),
        (B, False, 1, True),
        (B, True, 2, False),
    ]
    assert masters(wire, 1.2) == [A]
