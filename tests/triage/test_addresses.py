"""Findings about VIPs on interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.addresses import Interface, InterfaceAddress
from kvtui.model.finding import Severity
from kvtui.model.vrrp import VirtualAddress, VrrpState
from kvtui.rules.observe import observe
from tests.kit import NOW, VIP, addresses, advertiser, instance
from tests.triage.case import backup, conf, master, only, suspected

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advertiser

LEFT = addresses(VIP, since=NOW - 3000)


def on(interface: str, *, tentative: bool = False, address: str = VIP) -> InterfaceAddress:
    return InterfaceAddress(address, 32, interface, tentative=tentative)


def with_address(place: InterfaceAddress, *, kind: str | None = None) -> object:
    table = addresses()
    link = Interface(9, place.interface, up=True, running=True, mtu=1500, kind=kind)
    return replace(table, addresses=(*table.addresses, place), interfaces=(*table.interfaces, link))


def test_a_vip_on_a_backup_names_the_address_to_remove() -> None:
    found = only(backup(addresses=LEFT))

    assert (found.id, found.severity, found.vips) == ("vip-on-backup", Severity.CRITICAL, (VIP,))
    assert found.remedy == f"ip addr del {VIP}/32 dev eth0"
    assert found.title == f"{VIP} is on eth0 though this node is BACKUP of vips"


def test_a_real_servers_own_copy_on_lo_is_not_a_stray_vip() -> None:
    assert "vip-on-backup" not in suspected(backup(addresses=with_address(on("lo"))))


def test_a_vip_that_a_dead_keepalived_left() -> None:
    found = suspected(backup(chosen=None, addresses=LEFT))

    assert set(found) == {"keepalived-not-running", "vip-left-behind"}
    assert found["vip-left-behind"].evidence[2].startswith("10.4.0.5 advertises VRID 50")


def test_a_stray_vip_is_found_by_adverts_alone() -> None:
    nothing_known = backup(chosen=None, addresses=LEFT, conf=None, running=None, instances=None)

    assert suspected(nothing_known)["vip-left-behind"].vips == (VIP,)


def test_a_master_without_its_address() -> None:
    two = instance(VrrpState.MASTER, vips=(VirtualAddress(VIP, 32), VirtualAddress("10.4.0.51", 32)))
    advert = replace(advertiser(0, outgoing=True).last, addresses=(VIP, "10.4.0.51"))
    own = replace(advertiser(0, outgoing=True), last=advert)
    found = only(master(instances=(two,), advertisers=(own,)))

    assert (found.id, found.severity, found.object) == ("vip-missing-on-master", Severity.CRITICAL, "10.4.0.51")


def test_a_held_vip_without_adverts() -> None:
    found = only(master(advertisers=(advertiser(0, at=NOW - 9.0, outgoing=True),)))

    assert (found.id, found.severity) == ("vip-held-no-advert", Severity.CRITICAL)
    assert found.evidence[0] == "it has not advertised for 9.0 s; the interval is 1 s (adverts)"


def test_the_priority_of_ended_adverts_is_not_the_masters() -> None:
    """keepalived 2.3.3 waits before it restarts a VRRP process that died again; its priority may change meanwhile."""
    speaks, silent = (advertiser(0, priority=60, at=NOW - ago, outgoing=True) for ago in (0.5, 9.0))

    def priority(*advertisers: Advertiser) -> int | None:
        (view,) = observe(master(instances=None, advertisers=advertisers)).vrrp_instances or ()
        assert view.master is not None
        return view.master.priority

    assert (priority(speaks), priority(silent)) == (60, None)


def test_a_held_vip_without_adverts_needs_a_capture() -> None:
    assert suspected(master(advertisers=()), listened=3.0) == {}


def test_a_vip_on_another_interface() -> None:
    place = InterfaceAddress(VIP, 32, "eth1")
    table = addresses()
    links = (*table.interfaces, Interface(3, "eth1", up=True, running=True, mtu=1500))
    found = only(master(addresses=replace(table, addresses=(*table.addresses, place), interfaces=links)))

    assert (found.id, found.severity) == ("vip-on-wrong-interface", Severity.WARNING)
    assert found.remedy == f"ip addr del {VIP}/32 dev eth1"


def test_duplicate_detection() -> None:
    held = LEFT.addresses[-1]
    table = replace(LEFT, addresses=(*LEFT.addresses[:-1], replace(held, tentative=True)))

    assert only(master(addresses=table)).id == "vip-duplicate-detected"


def test_a_missing_interface() -> None:
    base = conf()
    elsewhere = replace(base, instances=(replace(base.instances[0], interface="bond0"),))
    found = only(backup(conf=elsewhere, running=elsewhere))

    assert (found.id, found.severity) == ("interface-missing", Severity.CRITICAL)
    assert found.evidence[0] == "/etc/keepalived/keepalived.conf:1:1: interface bond0 (conf)"
