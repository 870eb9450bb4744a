"""The layers of the demo's node-c at one moment."""

from __future__ import annotations

from math import cos, sin
from typing import TYPE_CHECKING

from msgspec.structs import astuple, replace

from kvtui.backend.demo.changes import NO_CHANGES, advert_transitions, election_state, flowed, flows, weight
from kvtui.backend.demo.conf_text import read_text
from kvtui.backend.demo.services import CONF, DIRECT, FAILING, MASTER6, POD, SERVICES, TRACK_FILE, VIPS, VIPS6, VRID
from kvtui.backend.demo.story import CYCLE, EARLIER, NODES, SELF, STAND_IN, WEIGHT, scene
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.ipvs import IpvsTable, RealServer, Stats, VirtualServer, endpoint
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

if TYPE_CHECKING:
    from kvtui.backend.demo.changes import DemoChanges
    from kvtui.backend.demo.services import Service
    from kvtui.model.conf import Conf

KEEPALIVED_PID = 4711
EMPTYING = 12.0
"""Seconds until the last connection of a drained real server has ended."""


def keepalived(epoch: float) -> Keepalived:
    """Returns keepalived-vip's keepalived, started 67 minutes before the demo."""
    controller = Controller(
        pid=4700,
        name="kube-keepalived-vip",
        argv=("/kube-keepalived-vip", "--services-configmap=default/vip-configmap"),
        configmap="default/vip-configmap",
        pod=POD,
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


def conf(epoch: float, changes: DemoChanges = NO_CHANGES) -> Conf:
    return replace(read_text(changes.saved), read_at=epoch, modified=epoch + changes.saved_at)


def running_conf(epoch: float, changes: DemoChanges = NO_CHANGES) -> Conf:
    return replace(read_text(changes.run), read_at=epoch)


def instances(t: float, epoch: float, changes: DemoChanges = NO_CHANGES) -> tuple[VrrpInstance, ...]:
    """Returns keepalived's view: usually MASTER of the IPv4 VIPs, always BACKUP of the IPv6 one."""
    now = election_state(t, changes)
    own = VrrpInstance(
        name="vips",
        state=VrrpState.MASTER if now.holds else VrrpState.BACKUP if now.effective else VrrpState.FAULT,
        interface="eth0",
        vrid=VRID,
        version=3,
        family=AddressFamily.V4,
        base_priority=now.base,
        effective_priority=now.effective or now.base,
        nopreempt=False,
        advert_interval=1.0,
        master_address=None if now.master is None else NODES[now.master][0],
        master_priority=None if now.holds or now.master is None else NODES[now.master][1],
        last_transition=epoch + now.since,
        vips=tuple(VirtualAddress(v, 32, "eth0", installed=now.holds) for v in VIPS),
        track_files=(TrackFile("vip_ok", TRACK_FILE, now.value, WEIGHT),),
        counters={
            "advert_rcvd": int(t + 8000.5 - now.mastered),
            "advert_sent": int(now.mastered),
            "become_master": 1 + now.lost - (not now.holds),
            "release_master": now.lost,
            "pri_zero_rcvd": now.zeroes,
            "packet_len_err": 2,
        },
    )
    base6 = next(i.priority for i in read_text(changes.run).instances if i.name == "vips6")
    six = VrrpInstance(
        name="vips6",
        state=VrrpState.BACKUP,
        interface="eth0",
        vrid=VRID + 1,
        version=3,
        family=AddressFamily.V6,
        base_priority=base6,
        effective_priority=base6,
        nopreempt=True,
        advert_interval=1.0,
        master_address=MASTER6[0],
        master_priority=MASTER6[1],
        last_transition=epoch - 4015,
        vips=tuple(VirtualAddress(v, 128, "eth0", installed=False) for v in VIPS6),
        counters={"advert_rcvd": 4000 + int(t), "advert_sent": 0, "become_master": 0, "release_master": 0},
    )
    return (own, six)


def advertisers(t: float, epoch: float, changes: DemoChanges = NO_CHANGES) -> tuple[Advertiser, ...]:
    """Returns both nodes that were master of the IPv4 VIPs, and the master of the IPv6 one."""
    now = election_state(t, changes)
    tick = t - t % 1.0
    return (
        _advertiser(SELF, now.own, epoch, outgoing=True),
        _advertiser(STAND_IN, now.other, epoch),
        Advertiser(
            Advert(epoch + tick, "eth0", MASTER6[0], "ff02::12", outgoing=False, version=3, vrid=VRID + 1,
                   priority=MASTER6[1], interval=1.0, addresses=VIPS6),
            first_seen=epoch - 60,
            count=int(t) + 61,
        ),
    )  # fmt: skip


def _advertiser(node: str, last: tuple[float, int], epoch: float, *, outgoing: bool = False) -> Advertiser:
    at, priority = last
    advert = Advert(epoch + at, "eth0", NODES[node][0], "224.0.0.18", outgoing, 3, VRID, priority, 1.0, VIPS)
    count = max(1, int(at + EARLIER * CYCLE))
    return Advertiser(advert, epoch - EARLIER * CYCLE, count, usual_priority=priority or NODES[node][1])


def timeline(t: float, epoch: float, changes: DemoChanges = NO_CHANGES) -> tuple[Transition, ...]:
    return tuple(Transition(epoch + at, VRID, AddressFamily.V4, what) for at, what in advert_transitions(t, changes))


def addresses(t: float, epoch: float, changes: DemoChanges = NO_CHANGES) -> AddressTable:
    now = election_state(t, changes)
    held = [InterfaceAddress(v, 32, "eth0", since=epoch + now.since) for v in VIPS if now.holds]
    own = (
        InterfaceAddress(NODES[SELF][0], 24, "eth0", label="eth0"),
        InterfaceAddress("fe80::a4:5", 64, "eth0", scope="link"),
    )
    links = (
        Interface(1, "lo", up=True, running=True, mtu=65536),
        Interface(2, "eth0", up=True, running=True, mtu=1500, mac="02:00:0a:04:00:05"),
    )
    return AddressTable((*own, *held), links, epoch + t)


def table(t: float, epoch: float, changes: DemoChanges = NO_CHANGES) -> IpvsTable:
    virtuals = tuple(_virtual(s, number, t, changes) for number, s in enumerate(SERVICES))
    return IpvsTable(virtuals, complete=True, read_at=epoch + t, monotonic=t)


def _virtual(service: Service, number: int, t: float, changes: DemoChanges) -> VirtualServer:
    pairs = [(real, _traffic(service, number, index, t, changes)) for index, real in enumerate(service.reals)]
    removed = FAILING if scene(t).check_fails else None
    reals = tuple(_real(service, key, stats, t, changes) for key, stats in pairs if key != removed)
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
        stats=Stats(*map(sum, zip(*(astuple(stats) for _key, stats in pairs), strict=True))),
    )


def _traffic(service: Service, number: int, index: int, t: float, changes: DemoChanges) -> Stats:
    """Returns the counters of a real server, which never decrease and stop while it or this node gets no connections.

    Twelve times as many bytes go out as come in; with direct routing answers do not pass IPVS.
    """
    if ":" in service.vip:
        return Stats()
    target = (service.key, service.reals[index])
    rate, phase = service.rate / len(service.reals), number + 0.7 * index
    flowing = flowed(t, target, changes) + 4000
    slow, fast = flowing / 20 + phase, flowing / 3 + phase
    now = rate * max(0.0, 1 + (0.6 * sin(slow) + 0.3 * sin(fast))) if flows(t, target, changes) else 0.0
    # the integral of the rate
    swing = 0.6 * rate * 20 * (cos(phase) - cos(slow))
    ripple = 0.3 * rate * 3 * (cos(phase) - cos(fast))
    count = int(max(0.0, rate * flowing + swing + ripple))
    answers = service.method is not DIRECT
    return Stats(
        connections=count,
        in_packets=count * 9,
        out_packets=count * 11 * answers,
        in_bytes=count * service.size,
        out_bytes=count * service.size * 12 * answers,
        cps=round(now),
        in_pps=round(now * 9),
        out_pps=round(now * 11) * answers,
        in_bps=round(now * service.size),
        out_bps=round(now * service.size * 12 * answers),
    )


def _real(service: Service, key: tuple[str, int], stats: Stats, t: float, changes: DemoChanges) -> RealServer:
    now, since = weight(t, (service.key, key), changes)
    busy = float(stats.cps)
    templates = busy * 30
    if now == 0 and election_state(t, changes).holds and ":" not in service.vip:
        share = service.rate / len(service.reals)
        busy = share * max(0.0, 1 - (t - since) / EMPTYING)
        # a template outlives its connections and keeps its client here, unless the sysctl expires it
        fixed = changes.sysctls["expire_quiescent_template"]
        templates = busy * 30 if fixed else share * 30 * max(0.0, 1 - (t - since) / (service.persistence or EMPTYING))
    return RealServer(
        address=key[0],
        port=key[1],
        method=service.method,
        weight=now,
        active=round(busy * 4),
        inactive=round(busy * 9),
        persistent=round(templates) if service.persistence else 0,
        upper_threshold=0,
        lower_threshold=0,
        stats=stats,
    )


def checks(t: float) -> tuple[RealServerCheck, ...]:
    """Returns the checker's view, which does not include a drain in the kernel."""
    found = []
    for service in SERVICES:
        for real in service.reals:
            alive = not (scene(t).check_fails and real == FAILING)
            name = endpoint(service.vip, service.port)
            found.append(RealServerCheck(name, *real, 1, int(alive), alive, int(not alive)))
    return tuple(found)
