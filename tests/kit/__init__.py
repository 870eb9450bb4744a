"""Builders of small snapshots for tests of rules, CLI and UI: the tutorial's cluster from node-a's point of view.

``kube``: objects of the API; ``views``: rows of the screens; ``cluster``: reports of other nodes' kvtui.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.conf import Conf, ConfInstance, ConfRealServer, ConfVirtualServer, Location
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer
from kvtui.model.keepalived import Children, Keepalived
from kvtui.model.snapshot import Node, Snapshot
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import Advert, Advertiser, VirtualAddress, VrrpInstance, VrrpState

NOW = 1_795_526_500.0
VIP = "10.4.0.50"
NODES = ("10.4.0.3", "10.4.0.4", "10.4.0.5")


def instance(state: VrrpState = VrrpState.BACKUP, **changes: Any) -> VrrpInstance:
    """Returns the only instance of keepalived-vip."""
    base = VrrpInstance(
        name="vips",
        state=state,
        interface="eth0",
        vrid=50,
        version=3,
        base_priority=100,
        effective_priority=100,
        nopreempt=True,
        advert_interval=1.0,
        last_transition=NOW - 60,
        vips=(VirtualAddress(VIP, 32, "eth0"),),
    )
    return replace(base, **changes)


def advertiser(node: int, *, at: float = NOW - 0.5, priority: int | None = None, outgoing: bool = False) -> Advertiser:
    """Returns node number ``node`` (0 is this node) as an advertiser of VRID 50."""
    advert = Advert(
        received=at,
        interface="eth0",
        source=NODES[node],
        destination="224.0.0.18",
        outgoing=outgoing,
        version=3,
        vrid=50,
        priority=100 + node if priority is None else priority,
        interval=1.0,
        addresses=(VIP,),
    )
    return Advertiser(advert, first_seen=NOW - 100, count=100)


def addresses(*vips: str, since: float | None = None) -> AddressTable:
    """Returns eth0 with this node's address and these VIPs."""
    own = InterfaceAddress(NODES[0], 24, "eth0")
    held = tuple(InterfaceAddress(v, 32, "eth0", since=since) for v in vips)
    return AddressTable((own, *held), (Interface(2, "eth0", up=True, running=True, mtu=1500),), NOW)


def real(number: int, **changes: Any) -> RealServer:
    """Returns real server 10.2.68.``number``."""
    base = RealServer(
        address=f"10.2.68.{number}",
        port=8080,
        method=ForwardingMethod.MASQ,
        weight=1,
        active=2,
        inactive=1,
        persistent=0,
        upper_threshold=0,
        lower_threshold=0,
        stats=Stats(connections=10 * number),
    )
    return replace(base, **changes)


def table(*reals: RealServer, at: float = NOW, monotonic: float = 100.0, stats: Stats | None = None) -> IpvsTable:
    """Returns a table with one virtual server on the VIP, port 80."""
    virtual = VirtualServer(
        protocol=Protocol.TCP,
        address=VIP,
        port=80,
        fwmark=None,
        family=4,
        scheduler="wlc",
        flags=("persistent",),
        persistence_timeout=1800,
        real_servers=reals,
        stats=stats or Stats(connections=100, in_bytes=5000),
    )
    return IpvsTable((virtual,), complete=True, read_at=at, monotonic=monotonic)


def conf(*reals: ConfRealServer, **changes: Any) -> Conf:
    """Returns the config that keepalived-vip writes for that virtual server."""
    location = Location("/etc/keepalived/keepalived.conf", 1)
    virtual = ConfVirtualServer(
        at=location,
        address=VIP,
        port=80,
        scheduler="wlc",
        method=ForwardingMethod.MASQ,
        service="default/nginx",
        real_servers=reals,
    )
    vips = (VirtualAddress(VIP, 32),)
    one = ConfInstance("vips", location, interface="eth0", vrid=50, priority=100, nopreempt=True, vips=vips)
    base = Conf(path=location.file, read_at=NOW, instances=(one,), virtual_servers=(virtual,))
    return replace(base, **changes)


def conf_real(number: int, weight: int | None = 1) -> ConfRealServer:
    """Returns real server 10.2.68.``number`` of the config."""
    return ConfRealServer(f"10.2.68.{number}", 8080, Location("keepalived.conf", 1), weight=weight)


def sources(dumped_at: float | None = NOW - 2) -> tuple[Source, ...]:
    """Returns sources that are all OK, except that Kubernetes is not read."""
    ok = [Source(n, SourceState.OK, "", NOW) for n in SourceName if n not in {SourceName.VRRP, SourceName.KUBERNETES}]
    vrrp = Source(SourceName.VRRP, SourceState.OK, "", dumped_at)
    return (*ok, vrrp, Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "not read"))


def keepalived(**changes: Any) -> Keepalived:
    """Returns this node's keepalived, in a pod."""
    base = Keepalived(
        pid=820,
        ns_pid=1,
        argv=("keepalived", "--dont-fork"),
        version="2.2.7",
        conf="/etc/keepalived/keepalived.conf",
        root="/proc/820/root",
        netns=4026531840,
        mntns=4026532000,
        own_netns=True,
        children=Children(vrrp=822, checker=821),
        started=NOW - 3600,
    )
    return replace(base, **changes)


def snapshot(**changes: Any) -> Snapshot:
    """Returns a healthy backup: node-c advertises, and this node holds no VIP."""
    base = Snapshot(
        time=NOW,
        node=Node("node-a", read_only=False),
        sources=sources(),
        keepalived=(keepalived(),),
        chosen=820,
        conf=conf(conf_real(5), conf_real(6)),
        running=conf(conf_real(5), conf_real(6)),
        instances=(instance(),),
        checks=(),
        ipvs=table(real(5), real(6)),
        addresses=addresses(),
        advertisers=(advertiser(2),),
    )
    return replace(base, **changes)


def many_vips(instances: int, vips: int = 100) -> Snapshot:
    """Returns a master of ``instances`` instances with ``vips`` VIPs each, all on the interface."""
    base = instance()
    wanted = {f"VI_{i}": [f"10.{i}.0.{n}" for n in range(vips)] for i in range(instances)}
    return snapshot(
        instances=tuple(
            replace(base, name=name, vrid=n, vips=tuple(replace(base.vips[0], address=a) for a in addresses))
            for n, (name, addresses) in enumerate(wanted.items(), start=1)
        ),
        addresses=addresses(*(a for addresses in wanted.values() for a in addresses)),
    )
