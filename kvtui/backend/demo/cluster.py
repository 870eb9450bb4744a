"""The demo cluster's services and what node-c holds of them at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from kvtui.backend.demo.story import (
    BACK,
    CYCLE,
    DRAINED,
    EARLIER,
    FAILS,
    LEFT,
    LOWERED,
    MOVED,
    NODES,
    PASSES,
    RAISED,
    SELF,
    STAND_IN,
    UNDRAINED,
    WEIGHT,
    Scene,
    running,
    scene,
    transitions,
)
from kvtui.backend.demo.traffic import Flow, total
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.conf import Conf, ConfInstance, ConfRealServer, ConfVirtualServer, Location
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer
from kvtui.model.keepalived import Children, Controller, Keepalived
from kvtui.model.vrrp import (
    AddressFamily,
    Advert,
    Advertiser,
    RealServerCheck,
    TrackFile,
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
DRAINING = ("10.4.0.62", 443)
MASTER6 = ("fe80::a4:3", 150)
"""node-a, the master of the IPv6 VIP."""
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
            priority=NODES[SELF][1],
            nopreempt=name == "vips6",
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
    """This node's own view: usually master of the IPv4 VIPs, always a backup of the IPv6 one."""
    now = scene(t)
    base = NODES[SELF][1]
    mastered = running(t, (MOVED, BACK)) + 4000
    lost = int(t // CYCLE) + (now.at >= MOVED) + EARLIER
    own = VrrpInstance(
        name="vips",
        state=VrrpState.MASTER if now.holds else VrrpState.BACKUP,
        interface="eth0",
        vrid=VRID,
        version=3,
        family=AddressFamily.V4,
        base_priority=base,
        effective_priority=base - WEIGHT if now.lowered else base,
        nopreempt=False,
        advert_interval=1.0,
        master_address=None if now.master is None else NODES[now.master][0],
        master_priority=None if now.holds or now.master is None else NODES[now.master][1],
        last_transition=epoch + now.since,
        vips=tuple(VirtualAddress(v, 32, "eth0", installed=now.holds) for v in VIPS),
        track_files=(TrackFile("vip_ok", "/etc/keepalived/vip_ok", -1 if now.lowered else 0, WEIGHT),),
        counters={
            "advert_rcvd": int(t + 4000 - mastered + 4000),
            "advert_sent": int(mastered),
            "become_master": 1 + lost - (not now.holds),
            "release_master": lost,
            "pri_zero_rcvd": int(t // CYCLE) + (now.at >= LEFT) + EARLIER,
            "packet_len_err": 2,
        },
    )
    six = VrrpInstance(
        name="vips6",
        state=VrrpState.BACKUP,
        interface="eth0",
        vrid=VRID + 1,
        version=3,
        family=AddressFamily.V6,
        base_priority=base,
        effective_priority=base,
        nopreempt=True,
        advert_interval=1.0,
        master_address=MASTER6[0],
        master_priority=MASTER6[1],
        last_transition=epoch - 4015,
        vips=tuple(VirtualAddress(v, 128, "eth0", installed=False) for v in VIPS6),
        counters={"advert_rcvd": 4000 + int(t), "advert_sent": 0, "become_master": 0, "release_master": 0},
    )
    return (own, six)


def advertisers(t: float, epoch: float) -> tuple[Advertiser, ...]:
    """Who was heard: both nodes that took turns with the IPv4 VIPs, and the master of the IPv6 one."""
    now = scene(t)
    tick = t - t % 1.0
    start = t - now.at
    own = tick if now.holds else start + MOVED - 0.2
    other = tick if now.master == STAND_IN else (start if now.at >= LEFT else start - CYCLE) + LEFT
    return (
        _advertiser(SELF, own, epoch, lowered=LOWERED <= own % CYCLE < RAISED, outgoing=True),
        _advertiser(STAND_IN, other, epoch, stepped_down=now.master != STAND_IN),
        Advertiser(
            Advert(epoch + tick, "eth0", MASTER6[0], "ff02::12", outgoing=False, version=3, vrid=VRID + 1,
                   priority=MASTER6[1], interval=1.0, addresses=VIPS6),
            first_seen=epoch - 60,
            count=int(t) + 61,
        ),
    )  # fmt: skip


def _advertiser(
    node: str, at: float, epoch: float, *, lowered: bool = False, stepped_down: bool = False, outgoing: bool = False
) -> Advertiser:
    source, priority = NODES[node]
    told = 0 if stepped_down else priority - WEIGHT if lowered else priority
    advert = Advert(epoch + at, "eth0", source, "224.0.0.18", outgoing, 3, VRID, told, 1.0, VIPS)
    return Advertiser(advert, first_seen=epoch - EARLIER * CYCLE, count=max(1, int(at + EARLIER * CYCLE)))


def timeline(t: float, epoch: float) -> tuple[Transition, ...]:
    """Transitions on the wire until now."""
    return tuple(Transition(epoch + at, VRID, AddressFamily.V4, what) for at, what in transitions(t))


def addresses(t: float, epoch: float) -> AddressTable:
    """This node's interfaces: its own addresses, and the IPv4 VIPs while it is master."""
    now = scene(t)
    since = epoch + now.since
    held = tuple(InterfaceAddress(v, 32, "eth0", since=since) for v in VIPS) if now.holds else ()
    own = (
        InterfaceAddress(NODES[SELF][0], 24, "eth0", label="eth0"),
        InterfaceAddress("fe80::a4:5", 64, "eth0", scope="link"),
    )
    links = (
        Interface(1, "lo", up=True, running=True, mtu=65536),
        Interface(2, "eth0", up=True, running=True, mtu=1500, mac="02:00:0a:04:00:05"),
    )
    return AddressTable((*own, *held), links, epoch + t)


def table(t: float, epoch: float) -> IpvsTable:
    """The IPVS table of the node."""
    now = scene(t)
    virtuals = tuple(_virtual(s, number, t, now) for number, s in enumerate(SERVICES))
    return IpvsTable(virtuals, complete=True, read_at=epoch + t, monotonic=t)


def _virtual(service: Service, number: int, t: float, now: Scene) -> VirtualServer:
    pairs = [(real, _traffic(service, number, index, t, now)) for index, real in enumerate(service.reals)]
    reals = tuple(_real(service, key, stats, now) for key, stats in pairs if not (now.check_fails and key == FAILING))
    return VirtualServer(
        protocol=service.protocol,
        address=service.vip,
        port=service.port,
        fwmark=None,
        family=6 if ":" in service.vip else 4,
        scheduler="wlc",
        flags=("hashed", "persistent") if service.persistence else ("hashed",),
        persistence_timeout=service.persistence,
        real_servers=reals,
        stats=total([stats for _key, stats in pairs]),
    )


def _traffic(service: Service, number: int, index: int, t: float, now: Scene) -> Stats:
    """Counters of a real server: they stand still while it, or this node, takes nothing."""
    flow = Flow(service.rate / len(service.reals), service.size, number + 0.7 * index, service.method is MASQ)
    if ":" in service.vip:
        return Stats()
    stops = [(MOVED, BACK)]
    idle = not now.holds
    if service.reals[index] == FAILING:
        stops, idle = [*stops, (FAILS, PASSES)], idle or now.check_fails
    if service.reals[index] == DRAINING:
        stops, idle = [*stops, (DRAINED, UNDRAINED)], idle or now.drained
    return flow.stats(running(t, *stops) + 4000, idle=idle)


def _real(service: Service, key: tuple[str, int], stats: Stats, now: Scene) -> RealServer:
    draining = now.drained and key == DRAINING
    open_ = round(max(0.0, 1 - (now.at - DRAINED) / 12) * service.rate * 2) if draining else stats.cps * 4
    return RealServer(
        address=key[0],
        port=key[1],
        method=service.method,
        weight=0 if draining else 1,
        active=open_,
        inactive=stats.cps * 9,
        persistent=stats.cps * 30 if service.persistence else 0,
        upper_threshold=0,
        lower_threshold=0,
        stats=stats,
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
