"""A takeover is no split brain: whose adverts count while the old master's last one is still young."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.model.vrrp import Advertiser, VrrpState
from kvtui.rules.claims import claimants, side_by_side
from kvtui.rules.observe import observe
from tests.build import NOW, VIP, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from kvtui.model.observation import InstanceView
    from kvtui.model.snapshot import Snapshot


def heard(node: int, *, since: float, last: float, outgoing: bool = False) -> Advertiser:
    return replace(advertiser(node, at=last, outgoing=outgoing), since=since)


def seen(of: Snapshot) -> InstanceView:
    views = observe(of).vrrp_instances
    assert views is not None
    return views[0]


OLD = heard(2, since=NOW - 100, last=NOW - 2.3)
NEW = heard(0, since=NOW - 2.2, last=NOW - 0.2, outgoing=True)


def test_the_last_advert_of_an_old_master_claims_nothing() -> None:
    assert claimants((OLD, NEW), NOW) == (NEW,)


def test_nor_does_one_that_was_under_way() -> None:
    late = heard(2, since=NOW - 100, last=NOW - 2.1)
    assert claimants((late, NEW), NOW) == (NEW,)


def test_two_that_go_on_are_rivals_after_an_interval() -> None:
    goes_on = heard(2, since=NOW - 100, last=NOW - 0.3)
    assert side_by_side(goes_on, NEW)
    assert claimants((goes_on, NEW), NOW) == (goes_on, NEW)


def test_this_node_preempts_and_sees_no_rival() -> None:
    taken = snapshot(
        instances=(instance(VrrpState.MASTER),), advertisers=(OLD, NEW), addresses=addresses(VIP, since=NOW - 2.2)
    )
    assert (seen(taken).state, seen(taken).rivals) == (VrrpState.MASTER, ())


def test_this_node_is_preempted_and_names_the_new_master_before_it_is_asked_again() -> None:
    """The dump still says MASTER; the address is gone and another node began to advertise after our last advert."""
    own = heard(0, since=NOW - 100, last=NOW - 1.1, outgoing=True)
    other = heard(2, since=NOW - 1.0, last=NOW - 0.1)
    view = seen(snapshot(instances=(instance(VrrpState.MASTER),), advertisers=(own, other), addresses=addresses()))
    assert view.state is VrrpState.BACKUP
    assert view.master is not None
    assert (view.master.address, view.rivals) == ("10.4.0.5", ())


def test_master_by_its_address_alone_ignores_what_the_old_one_sent_before() -> None:
    just = snapshot(advertisers=(heard(2, since=NOW - 100, last=NOW - 0.5),), addresses=addresses(VIP, since=NOW - 0.1))
    assert (seen(just).state, seen(just).rivals) == (VrrpState.MASTER, ())


def test_one_that_was_never_believable_claims_nothing() -> None:
    wrong = replace(advertiser(1), bad=100)
    assert claimants((wrong,), NOW) == ()
