"""Kernel settings: reported only if the forwarding method that they break is used here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.addresses import Interface, InterfaceAddress
from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod
from tests.kit import VIP, addresses, keepalived, real, table
from tests.kit import kube as build_kube
from tests.triage.case import SYSCTLS, backup, conf, only, suspected

if TYPE_CHECKING:
    from kvtui.model.addresses import AddressTable

DIRECT = table(*(real(n, method=ForwardingMethod.DIRECT) for n in (5, 6)))
OFF = dict.fromkeys(SYSCTLS, 0)


def on(interface: str) -> AddressTable:
    """Returns the VIP on an interface, as a real server has it."""
    base = addresses()
    link = Interface(9, interface, up=True, running=True, mtu=1480)
    place = InterfaceAddress(VIP, 32, interface)
    return replace(base, addresses=(*base.addresses, place), interfaces=(*base.interfaces, link))


def test_nat_needs_forwarding() -> None:
    found = only(backup(sysctls=OFF))

    assert (found.id, found.severity, found.vips) == ("ip-forward-off", Severity.CRITICAL, (VIP,))
    assert found.remedy.startswith("sysctl -w net.ipv4.ip_forward=1")


def test_direct_routing_needs_no_setting_of_the_director() -> None:
    assert suspected(backup(sysctls=OFF, ipvs=DIRECT)) == {}


def test_keepalived_vip_needs_conntrack_for_nat() -> None:
    sysctls = {**SYSCTLS, "net.ipv4.vs.conntrack": 0}
    managed = (keepalived(controller=build_kube.controller()),)
    found = only(backup(sysctls=sysctls, keepalived=managed))

    assert (found.id, found.severity) == ("vs-conntrack-off", Severity.WARNING)
    assert suspected(backup(sysctls=sysctls, keepalived=managed, ipvs=DIRECT)) == {}
    assert suspected(backup(sysctls=sysctls)) == {}


def test_haproxy_binds_vips_of_other_nodes() -> None:
    proxy = build_kube.kube(configmap=build_kube.configmap({VIP: "default/nginx:PROXY"}))
    managed = (keepalived(controller=build_kube.controller("--proxy-protocol-mode=true")),)
    empty = conf(server={"real_servers": ()})
    bare = replace(empty, virtual_servers=())
    sysctls = {**SYSCTLS, "net.ipv4.ip_nonlocal_bind": 0}
    base = backup(kube=proxy, keepalived=managed, conf=bare, running=bare, ipvs=replace(table(), virtual_servers=()))

    assert "ip-nonlocal-bind-off" not in suspected(base)
    assert suspected(replace(base, sysctls=sysctls))["ip-nonlocal-bind-off"].severity is Severity.WARNING


def test_a_tunnel_end_here_needs_loose_filtering() -> None:
    found = suspected(backup(addresses=on("tunl0"), sysctls={**SYSCTLS, "net.ipv4.conf.tunl0.rp_filter": 0}))

    assert set(found) == {"rp-filter-strict"}
    assert found["rp-filter-strict"].severity is Severity.CRITICAL
    assert "net.ipv4.conf.all.rp_filter = 1 (sysctl; the higher value applies)" in found["rp-filter-strict"].evidence


def test_loose_filtering_is_enough() -> None:
    loose = {**SYSCTLS, "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.tunl0.rp_filter": 2}

    assert suspected(backup(addresses=on("tunl0"), sysctls=loose)) == {}


def test_a_real_server_by_direct_routing_must_not_answer_arp() -> None:
    found = suspected(backup(addresses=on("lo")))

    assert set(found) == {"arp-ignore-off"}
    assert (
        found["arp-ignore-off"].title
        == f"This node has {VIP} on lo and answers ARP for it on eth0, even if another node is master"
    )


def test_a_real_server_that_does_not_answer() -> None:
    assert suspected(backup(addresses=on("lo"), sysctls={**SYSCTLS, "net.ipv4.conf.all.arp_ignore": 1})) == {}
