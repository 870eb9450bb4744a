"""The demo cluster's services and what node-a holds of them at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kvtui.backend.demo.story import NODES, Scene, scene, transitions
from kvtui.backend.demo.traffic import Flow, total
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.conf import Conf, ConfInstance, ConfRealServer, ConfVirtualServer, Location
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, VirtualServer
from kvtui.model.keepalived import Children, Controller, Keepalived
from kvtui.model.vrrp import (
    AddressFamily,
    Advert,
    Advertiser,
    RealServerCheck,
    Transition,
    VirtualAddress,
    VrrpInstance,
    VrrpState,
)

VRID = 50
CONF = "/etc/keepalived/keepalived.conf"
KEEPALIVED_PID = 4711


@dataclass(frozen=True, slots=True)
class Service:
    """One Service behind a VIP."""

    name: str
    vip: str
    port: int
    method: ForwardingMethod
    reals: tuple[tuple[str, int], ...]
    rate: float
    size: int
    protocol: Protocol = Protocol.TCP
    persistence: int | None = None


MASQ, DIRECT = ForwardingMethod.MASQ, ForwardingMethod.DIRECT
SERVICES = (
    Service("default/nginx", "10.4.0.50", 80, MASQ, tuple((f"10.2.{n}.5", 8080) for n in (68, 69, 70)), 6.0, 700),
    Service("shop/pay", "10.4.0.51", 443, DIRECT, (("10.4.0.61", 443), ("10.4.0.62", 443)), 2.5, 900, persistence=1800),
    Service("kube-system/dns", "10.4.0.52", 53, MASQ, (("10.2.68.9", 53), ("10.2.69.9", 53)), 22.0, 64, Protocol.UDP),
    Service("default/nginx", "fd00:10:4::50", 80, MASQ, (("fd00:10:2::5", 8080), ("fd00:10:2::6", 8080)), 0.8, 900),
)  # fmt: skip
VIP_ONLY = "10.4.0.60"
FAILING = ("10.2.70.5", 8080)
VIPS = (*(s.vip for s in SERVICES if ":" not in s.vip), VIP_ONLY)
VIPS6 = tuple(s.vip for s in SERVICES if ":" in s.vip)


def keepalived(epoch: float) -> Keepalived:
    """keepalived-vip's, started an hour and a bit before the demo."""
    controller = Controller(
        pid=4700,
        name="kube-keepalived-vip",
        argv=("/kube-keepalived-vip", "--services-configmap=default/vip-configmap"),
        configmap="default/vip-configmap",
        pod="default/kube-keepalived-vip-x7k2p",
    )
    return Keepalived(
        pid=KEEPALIVED_PID,
        ns_pid=12,
        argv=("keepalived", "--dont-fork", "--log-console", "--log-detail"),
        version="2.2.7",
        conf=CONF,
        root=f"/proc/{KEEPALIVED_PID}/root",
        netns=4026531840,
        mntns=4026532711,
        own_netns=True,
        children=Children(vrrp=4713, checker=4712),
        started=epoch - 4020,
        dumps_json=True,
        controller=controller,
    )


def conf(epoch: float) -> Conf:
    """What the controller wrote."""
    at = Location(CONF, 1)
    instances = tuple(
        ConfInstance(
            name=name,
            at=at,
            state="BACKUP",
            interface="eth0",
            vrid=vrid,
            priority=NODES["node-a"][1],
            advert_interval=1.0,
            vips=tuple(VirtualAddress(v, bits, "eth0") for v in vips),
        )
        for name, vrid, bits, vips in (("vips", VRID, 32, VIPS), ("vips6", VRID + 1, 128, VIPS6))
    )
    virtual_servers = tuple(
        ConfVirtualServer(
            at=at,
            address=s.vip,
            port=s.port,
            protocol=s.protocol,
            scheduler="wlc",
            method=s.method,
            persistence_timeout=s.persistence,
            service=s.name,
            real_servers=tuple(ConfRealServer(a, p, at, weight=1, checks=("TCP_CHECK",)) for a, p in s.reals),
        )
        for s in SERVICES
    )
    return Conf(
        path=CONF,
        read_at=epoch,
        modified=epoch - 4020,
        digest="demo",
        files=(CONF,),
        instances=instances,
        virtual_servers=virtual_servers,
    )


def instances(t: float, epoch: float) -> tuple[VrrpInstance, ...]:
    """node-a's own view: always a backup here, since it has the lowest priority."""
    now = scene(t)
    rcvd = int(max(0.0, t))
    base = VrrpInstance(
        name="vips",
        state=VrrpState.BACKUP,
        interface="eth0",
        vrid=VRID,
        version=3,
        base_priority=NODES["node-a"][1],
        effective_priority=NODES["node-a"][1],
        nopreempt=False,
        advert_interval=1.0,
        master_priority=NODES[now.master][1] if now.master else None,
        last_transition=epoch - 4015,
        vips=tuple(VirtualAddress(v, 32, "eth0") for v in VIPS),
        counters={"advert_rcvd": 4000 + rcvd, "advert_sent": 0, "become_master": 0, "release_master": 0},
    )
    six = tuple(VirtualAddress(v, 128, "eth0") for v in VIPS6)
    own = replace(
        base,
        name="vips6",
        state=VrrpState.MASTER,
        vrid=VRID + 1,
        vips=six,
        master_priority=None,
        last_transition=epoch - 3000,
        counters={"advert_rcvd": 1000, "advert_sent": 3000 + rcvd, "become_master": 1, "release_master": 0},
    )
    return (base, own)


def advertisers(t: float, epoch: float) -> tuple[Advertiser, ...]:
    """Who was heard: the master of the IPv4 VIPs, earlier masters, and node-a itself for the IPv6 one."""
    now = scene(t)
    lately = {"node-c": t if now.master == "node-c" else now.since - (0 if now.master is None else 3.6)}
    if t > 63.6:
        lately["node-b"] = t if now.master == "node-b" else now.since - 0.6
    found = []
    for name, at in lately.items():
        address, priority = NODES[name]
        heard = epoch + (at - at % 1.0 if at == t else at)
        found.append(_advertiser(address, priority, heard, VRID, VIPS, epoch))
    link_local = "fe80::a4:3"
    found.append(
        _advertiser(link_local, NODES["node-a"][1], epoch + t - t % 1.0, VRID + 1, VIPS6, epoch, outgoing=True)
    )
    return tuple(found)


def _advertiser(
    source: str, priority: int, at: float, vrid: int, vips: tuple[str, ...], epoch: float, *, outgoing: bool = False
) -> Advertiser:
    group = "ff02::12" if ":" in source else "224.0.0.18"
    advert = Advert(at, "eth0", source, group, outgoing, 3, vrid, priority, 1.0, vips)
    return Advertiser(advert, first_seen=epoch - 60, count=max(1, int(at - epoch) + 60))


def timeline(t: float, epoch: float) -> tuple[Transition, ...]:
    """Transitions on the wire until now."""
    return tuple(Transition(epoch + at, VRID, AddressFamily.V4, what) for at, what in transitions(t))


def addresses(epoch: float) -> AddressTable:
    """node-a's interfaces: its own addresses and the IPv6 VIP."""
    held = tuple(InterfaceAddress(v, 128, "eth0") for v in VIPS6)
    own = (
        InterfaceAddress("10.4.0.3", 24, "eth0", label="eth0"),
        InterfaceAddress("fe80::a4:3", 64, "eth0", scope="link"),
    )
    links = (
        Interface(1, "lo", up=True, running=True, mtu=65536),
        Interface(2, "eth0", up=True, running=True, mtu=1500, mac="02:00:0a:04:00:03"),
    )
    return AddressTable((*own, *held), links, epoch)


def table(t: float, epoch: float) -> IpvsTable:
    """The IPVS table of the node."""
    now = scene(t)
    virtuals = tuple(_virtual(s, number, t, now) for number, s in enumerate(SERVICES))
    return IpvsTable(virtuals, complete=True, read_at=epoch + t, monotonic=t)


def _virtual(service: Service, number: int, t: float, now: Scene) -> VirtualServer:
    share = service.rate / len(service.reals)
    flows = [Flow(share, service.size, number + 0.7 * i, service.method is MASQ) for i in range(len(service.reals))]
    stats = [f.stats(t + 4000) for f in flows]
    reals = tuple(
        RealServer(
            address=address,
            port=port,
            method=service.method,
            weight=1,
            active=round(flow.per_second(t) * 4),
            inactive=round(flow.per_second(t) * 9),
            persistent=round(flow.per_second(t) * 30) if service.persistence else 0,
            upper_threshold=0,
            lower_threshold=0,
            stats=s,
        )
        for (address, port), flow, s in zip(service.reals, flows, stats, strict=True)
        if not (now.check_fails and (address, port) == FAILING)
    )
    return VirtualServer(
        protocol=service.protocol,
        address=service.vip,
        port=service.port,
        fwmark=None,
        family=6 if ":" in service.vip else 4,
        scheduler="wlc",
        flags=("persistent",) if service.persistence else (),
        persistence_timeout=service.persistence,
        real_servers=reals,
        stats=total(stats),
    )


def checks(t: float) -> tuple[RealServerCheck, ...]:
    """What the checker says."""
    failing = scene(t).check_fails
    found = []
    for s in SERVICES:
        host = f"[{s.vip}]" if ":" in s.vip else s.vip
        for address, port in s.reals:
            alive = not (failing and (address, port) == FAILING)
            found.append(
                RealServerCheck(f"{host}:{s.port}", address, port, 1, 1 if alive else 0, alive, 0 if alive else 1)
            )
    return tuple(found)
