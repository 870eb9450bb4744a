"""A takeover is not a split brain: which adverts count while the old master's last one is recent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.backend.adverts.tracker import AdvertTracker
from kvtui.model.vrrp import Advertiser, VrrpState
from kvtui.rules.observe import observe
from kvtui.rules.vrrp.claims import claimants, overlap, stable_master
from tests.kit import NOW, VIP, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from kvtui.model.observation import InstanceView
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import Advert


def heard(node: int, *, since: float, last: float, outgoing: bool = False) -> Advertiser:
    return replace(advertiser(node, at=last, outgoing=outgoing), since=since)


def seen(of: Snapshot) -> InstanceView:
    views = observe(of).vrrp_instances
    assert views is not None
    return views[0]


OLD = heard(2, since=NOW - 100, last=NOW - 2.3)
NEW = heard(0, since=NOW - 2.2, last=NOW - 0.2, outgoing=True)


def test_the_last_advert_of_an_old_master_is_not_a_claim() -> None:
    assert claimants((OLD, NEW), NOW) == (NEW,)


def test_an_advert_that_was_in_flight_is_not_a_claim() -> None:
    late = heard(2, since=NOW - 100, last=NOW - 2.1)
    assert claimants((late, NEW), NOW) == (NEW,)


def test_two_that_continue_are_rivals_after_an_interval() -> None:
    goes_on = heard(2, since=NOW - 100, last=NOW - 0.3)
    assert overlap(goes_on, NEW)
    assert claimants((goes_on, NEW), NOW) == (goes_on, NEW)


@pytest.mark.parametrize(("behind", "rivals"), [(1.0, True), (2.2, True), (2.6, False)])
def test_a_late_advert_does_not_end_a_split_brain(behind: float, rivals: bool) -> None:
    """A busy node's adverts come up to two intervals late; a node that is silent for longer has given way."""
    late = heard(2, since=NOW - 100, last=NOW - 0.1 - behind)
    on_time = heard(0, since=NOW - 90, last=NOW - 0.1, outgoing=True)
    assert (len(claimants((late, on_time), NOW)) == 2) is rivals


def test_this_node_preempts_and_has_no_rival() -> None:
    taken = snapshot(
        instances=(instance(VrrpState.MASTER),), advertisers=(OLD, NEW), addresses=addresses(VIP, since=NOW - 2.2)
    )
    assert (seen(taken).state, seen(taken).rivals) == (VrrpState.MASTER, ())


def test_this_node_is_preempted_and_names_the_new_master_before_the_next_dump() -> None:
    """The dump still shows MASTER; the address is gone, and another node began to advertise after its last advert."""
    own = heard(0, since=NOW - 100, last=NOW - 1.1, outgoing=True)
    other = heard(2, since=NOW - 1.0, last=NOW - 0.1)
    view = seen(snapshot(instances=(instance(VrrpState.MASTER),), advertisers=(own, other), addresses=addresses()))
    assert view.state is VrrpState.BACKUP
    assert view.master is not None
    assert (view.master.address, view.rivals) == ("10.4.0.5", ())


def test_master_by_its_address_alone_ignores_what_the_old_one_sent_before() -> None:
    just = snapshot(advertisers=(heard(2, since=NOW - 100, last=NOW - 0.5),), addresses=addresses(VIP, since=NOW - 0.1))
    assert (seen(just).state, seen(just).rivals) == (VrrpState.MASTER, ())


def test_a_router_with_only_bad_adverts_claims_nothing() -> None:
    wrong = replace(advertiser(1), bad=100, believed=False)
    assert claimants((wrong,), NOW) == ()


def test_a_router_whose_checksum_some_peers_accept_claims_the_mastership() -> None:
    unusual = replace(advertiser(1), bad=100)
    assert claimants((unusual,), NOW) == (unusual,)


# Backups of priority 100 and 101, 4 ms apart after a failover: both take over, the second one before it has read the
# first one's advert, and the worse one gives way when it has read it. Node 1 has priority 101, node 0 has 100.
BOTH = NOW - 10


def after(seconds: float) -> tuple[Advertiser, ...]:
    """Returns the adverts until then: node 1 continues, node 0 gave way after its first advert."""
    adverts = [BOTH + n for n in range(4) if BOTH + n <= BOTH + seconds]
    return heard(1, since=BOTH, last=adverts[-1]), heard(0, since=BOTH + 0.004, last=BOTH + 0.004)


@pytest.mark.parametrize("seconds", [0.01, 0.5, 0.999, 1.001, 1.2, 2.5, 3.4])
def test_of_two_that_took_over_at_once_the_higher_priority_counts_in_either_order(seconds: float) -> None:
    assert sources(claimants(after(seconds), BOTH + seconds)) == ["10.4.0.4"]
    assert sources(claimants(after(seconds)[::-1], BOTH + seconds)) == ["10.4.0.4"]


def test_the_higher_priority_may_come_last() -> None:
    worse, better = heard(0, since=BOTH, last=BOTH), heard(1, since=BOTH + 0.004, last=BOTH + 0.004)
    assert sources(claimants((worse, better), BOTH + 0.1)) == ["10.4.0.4"]


def test_of_equal_priority_the_higher_address_counts() -> None:
    low, high = (replace(a, last=replace(a.last, priority=100)) for a in reversed(after(0.5)))
    assert sources(claimants((low, high), BOTH + 0.5)) == ["10.4.0.4"]


def test_a_lower_priority_counts_after_the_higher_one_died() -> None:
    died = heard(1, since=NOW - 100, last=NOW - 3.0)
    assert sources(claimants((died, heard(0, since=NOW - 0.1, last=NOW - 0.1)), NOW)) == ["10.4.0.3"]


def test_a_lower_priority_that_continues_counts_even_if_the_last_adverts_of_the_higher_one_were_missed() -> None:
    gone, new = heard(1, since=NOW - 100, last=NOW - 2.0), heard(0, since=NOW - 1.4, last=NOW - 0.4)
    assert sources(claimants((gone, new), NOW)) == ["10.4.0.3"]


@pytest.mark.parametrize(("seconds", "who"), [(0.5, None), (1.5, None), (2.1, "10.4.0.4"), (3.4, "10.4.0.4")])
def test_the_owner_is_stable_after_two_intervals(seconds: float, who: str | None) -> None:
    found = stable_master(after(seconds), BOTH + seconds)
    assert (found.last.source if found else None) == who


def test_while_both_continue_no_owner_is_stable() -> None:
    both = heard(1, since=NOW - 30, last=NOW - 0.1), heard(0, since=NOW - 29.9, last=NOW - 0.2)
    assert sources(claimants(both, NOW)) == ["10.4.0.4", "10.4.0.3"]
    assert stable_master(both, NOW) is None


def test_of_rivals_one_counts_when_the_other_missed_an_advert() -> None:
    """Two backups that both took over; rivals of an old split brain are in the test of the late advert above."""
    both = heard(1, since=NOW - 3.1, last=NOW - 0.1), heard(0, since=NOW - 3.0, last=NOW - 1.7)
    assert sources(claimants(both, NOW)) == ["10.4.0.4"]
    found = stable_master(both, NOW)
    assert found is both[0]


def test_one_that_stepped_down_does_not_keep_another_from_being_stable() -> None:
    left = heard(2, since=NOW - 100, last=NOW - 2.7)
    left = replace(left, last=replace(left.last, priority=0))
    new = heard(0, since=NOW - 2.1, last=NOW - 0.1)
    assert stable_master((left, new), NOW) is new


def sources(of: tuple[Advertiser, ...]) -> list[str]:
    return [a.last.source for a in of]


SLOW = ([0.3, 2.4, 3.5, 5.8, 7.0, 9.3, 10.4, 12.6, 13.8], [1.1, 2.2, 4.4, 5.5, 7.9, 9.0, 11.2, 12.3, 14.6])
"""Times at which two busy nodes advertise instead of every second: their timers are late by up to 1.4 s."""


def at_each_moment(*senders: tuple[str, int, list[float]]) -> dict[float, list[str]]:
    """Returns who claims to be master, every 0.1 s."""
    wire = AdvertTracker()
    found: dict[float, list[str]] = {}
    adverts = sorted((at, source, priority) for source, priority, times in senders for at in times)
    for tenths in range(int(10 * adverts[-1][0])):
        now = tenths / 10
        while adverts and adverts[0][0] <= now:
            wire.record(advert(*adverts.pop(0)))
        found[now] = [a.last.source for a in claimants(wire.advertisers(), NOW + now)]
    return found


def advert(at: float, source: str, priority: int) -> Advert:
    return replace(advertiser(1).last, received=NOW + at, source=source, priority=priority)


def test_a_split_brain_of_busy_nodes_stays_reported() -> None:
    found = at_each_moment(("10.4.0.4", 101, SLOW[0]), ("10.4.0.5", 102, SLOW[1]))
    assert {tuple(sorted(sources)) for now, sources in found.items() if now >= 4.5} == {("10.4.0.4", "10.4.0.5")}


def test_a_takeover_from_a_busy_node_is_not_a_split_brain() -> None:
    last = SLOW[0][-1]
    successor = [last + 3.6 + seconds for seconds in (0.0, 1.0, 2.0, 3.0)]
    found = at_each_moment(("10.4.0.4", 101, SLOW[0]), ("10.4.0.5", 102, successor))
    assert [sources for now, sources in found.items() if len(sources) > 1] == []
    assert found[round(last + 3.7, 1)] == ["10.4.0.5"]
