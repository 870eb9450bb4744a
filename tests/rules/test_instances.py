"""The evidence that counts when the layers disagree about an instance, and the reported owner of a VIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.addresses import InterfaceAddress
from kvtui.model.observation import InstanceView, Master, VipView
from kvtui.model.vrrp import Advertiser, VirtualAddress, VrrpState
from kvtui.rules.observe import observe
from tests.kit import NODES, NOW, VIP, addresses, advertiser, instance, snapshot, sources

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot


def seen(of: Snapshot) -> InstanceView:
    views = observe(of).vrrp_instances
    assert views is not None
    return views[0]


def vip(of: Snapshot) -> VipView:
    views = observe(of).vips
    assert views is not None
    return views[0]


def test_a_healthy_backup_names_the_master_that_it_hears() -> None:
    view = seen(snapshot())
    assert (view.state, view.evidence) == (VrrpState.BACKUP, "dump")
    assert view.master == Master("10.4.0.5", 102, is_self=False)
    assert view.rivals == ()
    assert [(p.address, p.seen, p.age_seconds) for p in view.peers] == [("10.4.0.5", True, 0.5)]
    assert vip(snapshot()).owner == "10.4.0.5"
    assert vip(snapshot()).present is False


def test_own_adverts_newer_than_the_dump_make_it_master() -> None:
    view = seen(snapshot(advertisers=(advertiser(0, outgoing=True),), addresses=addresses(VIP, since=NOW - 0.4)))
    assert (view.state, view.evidence) == (VrrpState.MASTER, "wire")
    assert view.master == Master("10.4.0.3", 100, is_self=True)


def test_an_address_that_appears_after_the_dump_makes_it_master_before_its_first_advert() -> None:
    view = seen(snapshot(advertisers=(), addresses=addresses(VIP, since=NOW - 0.01)))
    assert (view.state, view.evidence) == (VrrpState.MASTER, "address")
    assert view.since == NOW - 0.01
    assert vip(snapshot(advertisers=(), addresses=addresses(VIP, since=NOW))).owner == "10.4.0.3"


def test_a_left_over_address_from_before_the_dump_does_not() -> None:
    view = seen(snapshot(addresses=addresses(VIP, since=None)))
    assert view.state is VrrpState.BACKUP
    assert vip(snapshot(addresses=addresses(VIP))).present is True
    assert vip(snapshot(addresses=addresses(VIP))).owner == "10.4.0.5"


def test_a_master_that_lost_its_address_to_a_newer_advertiser_is_a_backup() -> None:
    state = seen(snapshot(instances=(instance(VrrpState.MASTER),)))
    assert (state.state, state.evidence) == (VrrpState.BACKUP, "wire")


def test_a_master_without_its_address_and_without_a_rival_is_unknown() -> None:
    state = seen(snapshot(instances=(instance(VrrpState.MASTER),), advertisers=()))
    assert state.state is VrrpState.UNKNOWN


def test_two_masters_are_both_named() -> None:
    both = (advertiser(0, outgoing=True), advertiser(2))
    view = seen(snapshot(instances=(instance(VrrpState.MASTER),), addresses=addresses(VIP), advertisers=both))
    assert view.state is VrrpState.MASTER
    assert view.rivals == ("10.4.0.5",)


@pytest.mark.parametrize("gone", [advertiser(2, priority=0), advertiser(2, at=NOW - 4)])
def test_a_master_that_stepped_down_or_fell_silent_owns_nothing(gone: Advertiser) -> None:
    assert seen(snapshot(advertisers=(gone,))).master is None
    assert vip(snapshot(advertisers=(gone,))).owner is None


def test_without_a_dump_the_config_names_the_instances_and_the_wire_their_state() -> None:
    view = seen(snapshot(instances=None, sources=sources(None)))
    assert (view.name, view.vrid, view.priority) == ("vips", 50, 100)
    assert (view.state, view.evidence) == (VrrpState.BACKUP, "wire")
    assert view.effective_priority is None


def test_without_dump_and_wire_only_an_address_shows_the_state() -> None:
    held = snapshot(instances=None, sources=sources(None), advertisers=None, addresses=addresses(VIP))
    assert (seen(held).state, seen(held).evidence) == (VrrpState.MASTER, "address")
    blind = snapshot(instances=None, sources=sources(None), advertisers=None, addresses=None)
    assert (seen(blind).state, seen(blind).evidence) == (VrrpState.UNKNOWN, "none")
    assert vip(blind).present is None


def test_without_any_config_there_are_no_instances() -> None:
    bare = observe(snapshot(instances=None, conf=None, running=None, ipvs=None))
    assert bare.vrrp_instances is None
    assert bare.vips is None
    assert bare.virtual_servers is None


def test_adverts_of_another_family_or_interface_are_not_this_instance() -> None:
    six = instance(vips=(VirtualAddress("fd00::50", 128),))
    assert seen(snapshot(instances=(six,))).master is None
    assert seen(snapshot(instances=(instance(interface="eth1"),))).master is None


def test_a_configured_peer_that_was_never_heard_is_listed_as_never_heard() -> None:
    view = seen(snapshot(instances=(instance(unicast_peers=("10.4.0.4", "10.4.0.5")),)))
    assert [(p.address, p.seen) for p in view.peers] == [("10.4.0.5", True), ("10.4.0.4", False)]


def test_an_address_removed_with_its_interface_does_not_count() -> None:
    """The NIC was renamed: eth0 is gone, and its earlier adverts are not evidence for the present."""
    earlier = advertiser(0, at=NOW - 30, outgoing=True)
    (there,) = observe(snapshot(advertisers=(earlier,))).vrrp_instances or ()
    assert there.address == NODES[0]
    table = replace(addresses(), addresses=(InterfaceAddress(NODES[0], 24, "wan0"),), interfaces=())
    (gone,) = observe(snapshot(advertisers=(earlier,), addresses=table)).vrrp_instances or ()
    assert gone.address is None
    (sends,) = observe(snapshot(advertisers=(advertiser(0, outgoing=True),), addresses=table)).vrrp_instances or ()
    assert sends.address == NODES[0]
