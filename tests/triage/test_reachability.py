"""VIPs that are held and do not answer, or answer from the wrong node; sources that contradict each other."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kvtui.cli.views import render
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.kube import ServicePort
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.model.vrrp import RealServerCheck, VirtualAddress, VrrpState
from kvtui.presenters import vips, vrrp
from kvtui.rules.observe import observe
from tests.kit import NODES, NOW, VIP, addresses, advertiser, conf, conf_real, instance, keepalived, real, table
from tests.kit import kube as build_kube
from tests.triage.case import backup, master, suspected
from tests.triage.case import conf as healthy_conf

OWN = advertiser(0, outgoing=True)


def test_strict_without_accept_drops_packets_to_the_vip() -> None:
    strict = instance(VrrpState.MASTER, strict=True, accept=False)
    assert suspected(master(instances=(strict,)))["strict-drops-traffic"].severity is Severity.CRITICAL
    assert "strict-drops-traffic" in suspected(backup(instances=(instance(strict=True, accept=False),)))
    assert suspected(master(instances=(replace(strict, accept=True),))) == {}
    config = healthy_conf()
    config = replace(config, instances=(replace(config.instances[0], strict=True, accept=False),))
    assert "strict-drops-traffic" in suspected(master(conf=config, running=config))  # without these in the dump
    assert "strict-drops-traffic" not in suspected(master(instances=(replace(strict, base_priority=255),)))


def with_places(*places: InterfaceAddress, links: tuple[Interface, ...] = ()) -> AddressTable:
    base = addresses()
    return replace(base, addresses=(*base.addresses, *places), interfaces=(*base.interfaces, *links))


def test_kube_proxy_holds_the_vip_of_a_backup() -> None:
    link = Interface(9, "kube-ipvs0", up=False, running=False, mtu=1500, kind="dummy")
    found = suspected(backup(addresses=with_places(InterfaceAddress(VIP, 32, "kube-ipvs0", since=NOW), links=(link,))))

    assert "vip-on-kube-proxy" in found
    assert not {"vip-on-backup", "vip-held-no-advert"} & set(
        found
    )  # keepalived does not manage it, so the remedy must not remove it


def test_external_ips_of_a_service_take_the_vip_from_a_backup() -> None:
    """Also without kube-ipvs0; not reported if only keepalived has the VIP, or if kube-proxy is meant to serve it."""

    def found(**changes: Any) -> set[str]:
        known = {("default", "web"): build_kube.service("web", external_ips=(VIP,), **changes)}
        seen = build_kube.snapshot().kube
        assert seen is not None
        return set(suspected(backup(kube=replace(seen, services=known))))

    assert "vip-on-kube-proxy" in found()
    assert "vip-on-kube-proxy" not in found(ports=(ServicePort("", 8443, 8080),))
    assert "vip-on-kube-proxy" not in suspected(master())


def test_a_real_servers_copy_of_the_vip_is_not_a_master() -> None:
    copy = with_places(InterfaceAddress(VIP, 32, "lo", since=NOW))
    seen = observe(backup(addresses=copy))
    assert [(v.state, v.present) for v in seen.vips or ()] == [(VrrpState.BACKUP, False)]
    on_lo = instance(VrrpState.MASTER, vips=(VirtualAddress(VIP, 32, "lo"),))
    seen = observe(master(instances=(on_lo,), addresses=copy))
    assert [v.present for v in seen.vips or ()] == [True]  # configured there


def test_directors_that_are_each_others_real_servers() -> None:
    other = real(5, address=NODES[2], port=80, method=ForwardingMethod.DIRECT)
    own = real(6, address=NODES[0], port=80, method=ForwardingMethod.LOCAL)
    assert "directors-circle-packets" in suspected(backup(ipvs=table(other, own)))
    assert "directors-circle-packets" not in suspected(backup(ipvs=table(replace(other, method=ForwardingMethod.MASQ))))
    assert "directors-circle-packets" not in suspected(backup())


def vmac(**changes: Any) -> Any:
    """Returns VIP and instance on the VMAC, adverts on its base interface: use_vmac with vmac_xmit_base."""
    base = instance(VrrpState.MASTER, interface="vrrp.50", vmac="vrrp.50", vips=(VirtualAddress(VIP, 32, "vrrp.50"),))
    link = Interface(9, "vrrp.50", up=True, running=True, mtu=1500, kind="macvlan", parent="eth0")
    places = with_places(InterfaceAddress(VIP, 32, "vrrp.50"), links=(link,))
    return master(**{"instances": (base,), "addresses": places, **changes})


def test_a_vmac_that_advertises_on_its_base_interface() -> None:
    assert suspected(vmac()) == {}
    seen = observe(vmac())
    assert seen.vrrp_instances is not None
    assert seen.vrrp_instances[0].master is not None
    assert seen.vrrp_instances[0].master.is_self


def test_adverts_seen_on_a_vmac_and_on_its_base_are_one_rival() -> None:
    twice = tuple(replace(advertiser(2), last=replace(advertiser(2).last, interface=i)) for i in ("eth0", "vrrp.50"))
    seen = observe(vmac(advertisers=(OWN, *twice)))
    assert [i.rivals for i in seen.vrrp_instances or ()] == [(NODES[2],)]


def test_excluded_vips_are_vips_but_not_advertised() -> None:
    extra = VirtualAddress("10.4.0.60", 32, excluded=True)
    one = instance(VrrpState.MASTER, vips=(*instance().vips, extra))
    config = replace(healthy_conf(), instances=(replace(healthy_conf().instances[0], excluded_vips=(extra,)),))
    seen = backup(instances=(replace(one, state=VrrpState.BACKUP),), conf=config, running=config)
    assert suspected(seen) == {}  # the master's adverts do not list it, as specified
    assert [v.address for v in observe(seen).vips or ()] == [VIP, "10.4.0.60"]
    known = observe(replace(seen, instances=None))
    assert [v.address for v in known.vips or ()] == [VIP, "10.4.0.60"]


def test_own_adverts_without_a_known_keepalived() -> None:
    gone = backup(keepalived=(), chosen=None, instances=None, conf=None, running=None, advertisers=(OWN,))
    found = suspected(gone)
    assert "sources-contradict" in found
    assert "keepalived-not-running" not in found
    assert "this node advertises VRID 50 on eth0" in vips.empty_text(observe(gone))
    assert "no keepalived is found" in vrrp.empty_text(observe(gone))
    assert "VIPs unknown" in render(observe(gone), "status")
    assert vips.contradiction_text(observe(backup())) == ""
    stranger = replace(OWN, last=replace(OWN.last, vrid=99))
    assert "sources-contradict" in suspected(backup(advertisers=(advertiser(2), stranger)))
    other = keepalived(pid=900)
    assert "sources-contradict" not in suspected(
        backup(advertisers=(advertiser(2), stranger), keepalived=(keepalived(), other))
    )


def test_own_adverts_with_other_vips_than_the_dump_has() -> None:
    newer = replace(OWN, last=replace(OWN.last, addresses=(VIP, "10.4.0.77")))
    assert set(suspected(master(advertisers=(newer,)))) == {"sources-contradict"}


def test_a_master_by_its_dump_alone() -> None:
    silent = master(advertisers=(), addresses=addresses())
    found = suspected(silent)
    assert found["sources-contradict"].severity is Severity.CRITICAL
    assert "sources-contradict" not in suspected(replace(silent, advertisers=None))  # adverts cannot be heard


def check(number: int, **changes: Any) -> RealServerCheck:
    return replace(
        RealServerCheck(f"{VIP}:80", f"10.2.68.{number}", 8080, 1, 1, alive=True, failed_checkers=0), **changes
    )


def test_a_real_server_that_serves_as_sorry_server_is_not_up() -> None:
    sorry = replace(conf_real(5), sorry=True)
    config = conf(conf_real(5), conf_real(6), sorry)
    config = replace(config, virtual_servers=(replace(config.virtual_servers[0], persistence_timeout=1800),))
    down = backup(
        conf=config, running=config, ipvs=table(real(5)), checks=(check(5, alive=False), check(6, alive=False))
    )
    (server,) = observe(down).virtual_servers or ()
    assert [r.state for r in server.real_servers] == [RealServerState.FAILED, RealServerState.REMOVED]
    assert server.up == 0
    assert "sorry-server-is-real-server" in suspected(down)
    assert "sorry-server-is-real-server" not in suspected(backup())


def test_weight_zero_with_inhibit_on_failure_is_a_drain_only_if_the_check_passes() -> None:
    inhibited = replace(conf_real(6), inhibit_on_failure=True)
    config = conf(conf_real(5), inhibited)
    config = replace(config, virtual_servers=(replace(config.virtual_servers[0], persistence_timeout=1800),))
    zero = backup(conf=config, running=config, ipvs=table(real(5), real(6, weight=0, persistent=0)), checks=None)
    assert set(suspected(zero)) == {"drained-or-failed"}
    assert set(suspected(replace(zero, checks=(check(6),)))) == {"drained"}
    assert set(suspected(replace(zero, checks=(check(6, alive=False),)))) == {"real-server-down"}


def test_docker_swarms_weights_are_not_reported() -> None:
    """As in ingress_sbox: marks that keepalived does not configure."""
    (virtual,) = table(real(5), real(6, weight=0, port=0)).virtual_servers
    marked = replace(virtual, fwmark=256, address=None, port=None, protocol=Protocol.FWMARK, persistence_timeout=None)
    swarm = backup(
        ipvs=replace(table(), virtual_servers=(marked,)), keepalived=(), chosen=None, conf=None, running=None
    )
    assert [v.managed_by for v in observe(swarm).virtual_servers or ()] == [ManagedBy.UNKNOWN]
    assert not {"drained", "no-live-real-server"} & set(suspected(swarm))


def test_adverts_of_a_bridge_port_are_captured_on_its_bridge() -> None:
    """kvtui captures on the bridge: the port shows the same packets."""
    base = addresses()
    port = replace(base.interfaces[0], master="br-ex")
    bridge = Interface(3, "br-ex", up=True, running=True, mtu=1500, kind="bridge")
    heard = replace(advertiser(2), last=replace(advertiser(2).last, interface="br-ex"))
    seen = backup(addresses=replace(base, interfaces=(port, bridge)), advertisers=(heard,))

    assert set(suspected(seen)) == {"interface-is-bridge-port"}
    assert [i.master.address for i in observe(seen).vrrp_instances or () if i.master] == [NODES[2]]
