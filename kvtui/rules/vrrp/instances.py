"""State, master and peers of VRRP instances, from dump, adverts and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.model.keepalived import parse_version
from kvtui.model.observation import InstanceView, Master, Peer, VipView
from kvtui.model.source import SourceName
from kvtui.model.vrrp import AddressFamily, VirtualAddress, VrrpInstance, VrrpState
from kvtui.rules.identity_cache import IdentityCache
from kvtui.rules.vrrp.claims import OVERLAP_INTERVALS, claimants, live, stable_master

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kvtui.model.addresses import Interface, InterfaceAddress
    from kvtui.model.conf import Conf, ConfInstance
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import Advertiser, AuthHmac


AUTH_HMAC_VERSION = (2, 4, 0)
KUBE_PROXY_INTERFACE = "kube-ipvs0"
"""The dummy interface to which kube-proxy in IPVS mode adds every service address (pkg/proxy/ipvs/proxier.go)."""
PRIVATE = ("lo", "dummy", "tunl", "ip6tnl", "gre", KUBE_PROXY_INTERFACE)
"""Interfaces on which a real server keeps a VIP without answering ARP for it."""
VMAC_KINDS = frozenset({"macvlan", "ipvlan"})


class Evidence(Struct, frozen=True):
    """What a snapshot shows of an instance's state."""

    instance: VrrpInstance
    dumped_at: float | None  # None if the instance is known only from the config
    own: Advertiser | None
    others: tuple[Advertiser, ...]
    held: bool | None  # whether its VIPs are on an interface of this node; None if addresses cannot be read
    held_since: float | None
    now: float
    alive: bool = True  # whether keepalived runs; without it the instance has no state

    @property
    def claimants(self) -> tuple[Advertiser, ...]:
        """Best first, with this node."""
        return claimants(self._heard, self.now)

    @property
    def stable_master(self) -> Advertiser | None:
        return stable_master(self._heard, self.now)

    @property
    def _heard(self) -> tuple[Advertiser, ...]:
        return (*self.others, *((self.own,) if self.own else ()))

    @property
    def own_live(self) -> bool:
        return any(a is self.own for a in self.claimants)

    @property
    def live_others(self) -> tuple[Advertiser, ...]:
        """The claimants without this node."""
        return tuple(a for a in self.claimants if a is not self.own)


def known_instances(snapshot: Snapshot) -> tuple[VrrpInstance, ...] | None:
    """Returns the instances of the dump; without one those of the config, without a state."""
    if snapshot.instances is not None:
        return snapshot.instances
    conf = snapshot.effective_conf
    return None if conf is None else tuple(_from_conf(conf, i) for i in conf.instances)


def _from_conf(conf: Conf, instance: ConfInstance) -> VrrpInstance:
    group = conf.sync_group_of(instance.name)
    return VrrpInstance(
        name=instance.name,
        state=VrrpState.UNKNOWN,
        interface=instance.interface,
        vrid=instance.vrid,
        version=conf.version_of(instance),
        family=AddressFamily.of_vips(instance.vips),
        base_priority=instance.priority,
        nopreempt=instance.nopreempt,
        preempt_delay=instance.preempt_delay,
        advert_interval=instance.advert_interval or 1.0,
        vips=(*instance.vips, *(replace(v, excluded=True) for v in instance.excluded_vips)),
        unicast_source=instance.unicast_source,
        unicast_peers=instance.unicast_peers,
        auth_type=instance.auth_type,
        sync_group=group.name if group else None,
        auth_hmac=instance.auth_hmac,
    )


def family_of(instance: VrrpInstance) -> AddressFamily:
    return instance.family or AddressFamily.of_vips(instance.vips)


def evidence(snapshot: Snapshot, instance: VrrpInstance) -> Evidence:
    heard = _heard(snapshot, instance, snapshot.advertisers or ())
    own = max((a for a in heard if a.last.outgoing), key=lambda a: a.last.received, default=None)
    held = [a for v in instance.vips for a in _held(snapshot, v, instance)]
    since = [a.since for a in held if a.since is not None]
    return Evidence(
        instance=instance,
        dumped_at=None if snapshot.instances is None else snapshot.source(SourceName.VRRP).read_at,
        own=own,
        others=tuple(a for a in heard if not a.last.outgoing),
        held=None if snapshot.addresses is None or not instance.vips else bool(held),
        held_since=max(since, default=None),
        now=snapshot.time,
        alive=snapshot.chosen is not None,
    )


def auth_hmac_of(snapshot: Snapshot, instance: VrrpInstance) -> AuthHmac | None:
    """Returns its auth_hmac: of the config that runs, else of the dump; None if it has none, or keepalived is older."""
    chosen, conf = snapshot.chosen_keepalived, snapshot.effective_conf
    version = parse_version(chosen.version or "") if chosen else None
    if version is not None and version < AUTH_HMAC_VERSION:
        return None
    known = conf.instance(instance.name) if conf else None
    return known.auth_hmac if known else instance.auth_hmac


def listened_since(snapshot: Snapshot, instance: VrrpInstance) -> float | None:
    """Returns since when its adverts would have been heard without a gap; None if they cannot be heard now.

    Without this evidence silence means nothing: the interface may have appeared, or come up, after kvtui started.
    """
    known = links_of(snapshot)
    links = [known[name] for name in interfaces_of(snapshot, instance) or () if name in known]
    if snapshot.heard_since is None or not any(link.up and link.running for link in links):
        return None
    return max(snapshot.heard_since, *(link.since or 0.0 for link in links))


def interfaces_of(snapshot: Snapshot, instance: VrrpInstance) -> frozenset[str] | None:
    """Returns the interfaces on which its adverts may be captured; None for all.

    Its own; with a VMAC the base too (``vmac_xmit_base``); of a port of a bridge or bond, the bridge or bond.
    """
    if instance.interface is None:
        return None
    conf = snapshot.effective_conf.instance(instance.name) if snapshot.effective_conf else None
    base = conf.interface if conf and (instance.vmac or conf.use_vmac) else None
    names = {name for name in (instance.interface, instance.vmac, base) if name}
    links = links_of(snapshot)
    for link in [links[name] for name in names if name in links]:
        names |= {name for name in (link.master, link.parent if link.kind in VMAC_KINDS else None) if name}
    return frozenset(names)


def links_of(snapshot: Snapshot) -> Mapping[str, Interface]:
    interfaces = snapshot.addresses.interfaces if snapshot.addresses else ()
    return _links.get((interfaces,), None, lambda: {link.name: link for link in interfaces})


_links: IdentityCache[dict[str, Interface]] = IdentityCache(2)


def _heard(snapshot: Snapshot, instance: VrrpInstance, advertisers: Iterable[Advertiser]) -> tuple[Advertiser, ...]:
    """Returns the advertisers of its virtual router, once each, though a VMAC and its base both show their adverts."""
    family, where = family_of(instance), interfaces_of(snapshot, instance)
    newest: dict[tuple[str, bool], Advertiser] = {}
    for a in advertisers:
        if a.last.vrid != instance.vrid or a.last.family is not family or (where and a.last.interface not in where):
            continue
        known = newest.get((a.last.source, a.last.outgoing))
        if known is None or a.last.received > known.last.received:
            newest[a.last.source, a.last.outgoing] = a
    return tuple(newest.values())


def heard_of(snapshot: Snapshot) -> Iterator[tuple[Advertiser, ...]]:
    """Returns the advertisers of each known instance; linear in instances and advertisers."""
    by_router: dict[int, list[Advertiser]] = {}
    for advertiser in snapshot.advertisers or ():
        by_router.setdefault(advertiser.last.vrid, []).append(advertiser)
    return (_heard(snapshot, i, by_router.get(i.vrid or 0, ())) for i in known_instances(snapshot) or ())


def unexplained_adverts(snapshot: Snapshot) -> tuple[Advertiser, ...]:
    """Returns this node's adverts now of VRIDs that no known instance has; none if other keepalived may send them."""
    chosen = snapshot.chosen_keepalived
    others = [k for k in snapshot.keepalived if chosen is not None and k.pid != chosen.pid and k.netns == chosen.netns]
    vrids = {i.vrid for i in known_instances(snapshot) or ()}
    own = (a for a in snapshot.advertisers or () if a.last.outgoing and a.last.vrid not in vrids)
    return () if others else tuple(a for a in own if live(a, snapshot.time))


def is_private(interface: str) -> bool:
    """Whether the kernel keeps a VIP on this interface without answering ARP for it: a real server's, kube-proxy's."""
    return interface.startswith(PRIVATE)


def _held(snapshot: Snapshot, vip: VirtualAddress, instance: VrrpInstance) -> tuple[InterfaceAddress, ...]:
    """Returns where the VIP is; a real server's or kube-proxy's copy is not the instance's."""
    places = snapshot.addresses.holding(vip.address) if snapshot.addresses else ()
    wanted = vip.interface or instance.interface
    return tuple(p for p in places if not is_private(p.interface) or p.interface == wanted)


def state_of(known: Evidence) -> tuple[VrrpState, str]:
    """Returns the instance's state and the evidence for it.

    A dump is exact but rare (each one is a line in keepalived's log); adverts and address events are live. Newer
    evidence that contradicts the dump wins.
    """
    if not known.alive:
        return VrrpState.UNKNOWN, "none"
    dumped = known.instance.state if known.dumped_at is not None else VrrpState.UNKNOWN
    at = known.dumped_at or 0.0
    if known.own_live and known.own and (dumped is VrrpState.MASTER or known.own.last.received > at):
        return VrrpState.MASTER, "dump" if dumped is VrrpState.MASTER else "wire"
    if known.held and dumped is not VrrpState.MASTER and (known.held_since or 0.0) > at:
        return VrrpState.MASTER, "address"
    newer_master = any(a.last.received > at for a in known.live_others)
    if dumped is VrrpState.MASTER and known.held is False:
        return (VrrpState.BACKUP, "wire") if newer_master else (VrrpState.UNKNOWN, "address")
    if dumped is not VrrpState.UNKNOWN:
        return dumped, "dump"
    if known.live_others and not known.held:
        return VrrpState.BACKUP, "wire"
    if known.held:
        return VrrpState.MASTER, "address"
    return VrrpState.UNKNOWN, "none"


def master_of(known: Evidence, state: VrrpState, self_address: str | None) -> Master | None:
    """Returns the master: from current adverts, else from the dump."""
    if state is VrrpState.MASTER:
        own = known.own.last if known.own else None
        is_current = own is not None and own.priority and known.own_live  # its VRRP process may be another one since
        priority = own.priority if own and is_current else known.instance.effective_priority
        return Master(own.source if own else self_address, priority, is_self=True)
    if known.live_others:
        best = known.live_others[0].last
        return Master(best.source, best.priority, is_self=False)
    if state is VrrpState.BACKUP and known.instance.master_address and not known.others:
        return Master(known.instance.master_address, known.instance.master_priority, is_self=False)
    return None


def rivals_of(known: Evidence, state: VrrpState) -> tuple[str, ...]:
    others = known.live_others
    if state is not VrrpState.MASTER:
        return tuple(a.last.source for a in others[1:])
    if not known.own_live:
        # master according to dump or address, but not heard yet: the previous master may have sent one more advert
        since = max(known.held_since or 0.0, known.instance.last_transition or 0.0)
        others = tuple(a for a in others if a.last.received > since + OVERLAP_INTERVALS * a.last.interval)
    return tuple(a.last.source for a in others)


def peers_of(known: Evidence) -> tuple[Peer, ...]:
    """Returns the other nodes: heard ones by priority, then configured ones that were never heard."""
    heard = sorted(known.others, key=lambda a: (-a.last.priority, a.last.source))
    peers = [
        Peer(
            a.last.source,
            a.last.priority,
            seen=True,
            age_seconds=known.now - a.last.received,
            auth_hmac_key=a.last.hmac.key_id if a.last.hmac else None,
        )
        for a in heard
    ]
    names = {p.address for p in peers}
    silent = [Peer(a, None, seen=False, age_seconds=None) for a in known.instance.unicast_peers if a not in names]
    return (*peers, *silent)


_not_vips: IdentityCache[tuple[InterfaceAddress, ...]] = IdentityCache(2)


def _addresses_but_vips(snapshot: Snapshot) -> tuple[InterfaceAddress, ...]:
    """Returns the few addresses that are no VIP: to look at thousands for each instance would be quadratic."""
    vips = {v.address for i in known_instances(snapshot) or () for v in i.vips}
    return tuple(a for a in (snapshot.addresses.addresses if snapshot.addresses else ()) if a.address not in vips)


def self_address(snapshot: Snapshot, instance: VrrpInstance) -> str | None:
    """Returns this node's source address: the configured one, else the first of its interface that is not a VIP."""
    if instance.unicast_source:
        return instance.unicast_source
    six = family_of(instance) is AddressFamily.V6
    scope = "link" if six else "global"
    inputs = (snapshot.instances, snapshot.effective_conf, snapshot.addresses)
    for a in _not_vips.get(inputs, "", lambda: _addresses_but_vips(snapshot)):
        if a.interface == instance.interface and (":" in a.address) is six and a.scope == scope:
            return a.address
    return None


def _own_address(snapshot: Snapshot, instance: VrrpInstance, own: Advertiser | None) -> str | None:
    """Returns the source of its adverts; that of earlier ones while one of its interfaces has it."""
    if own is not None:
        where, table = interfaces_of(snapshot, instance), snapshot.addresses
        if not own.silent(snapshot.time) or table is None or where is None:
            return own.last.source
        if any(place.interface in where for place in table.holding(own.last.source)):
            return own.last.source
    return self_address(snapshot, instance)


def view(snapshot: Snapshot, instance: VrrpInstance) -> InstanceView:
    known = evidence(snapshot, instance)
    state, why = state_of(known)
    address = _own_address(snapshot, instance, known.own)
    since = instance.last_transition if why == "dump" else (known.held_since if why == "address" else None)
    return InstanceView(
        name=instance.name,
        state=state,
        interface=instance.interface,
        vrid=instance.vrid,
        version=instance.version,
        priority=instance.base_priority,
        effective_priority=instance.effective_priority,
        nopreempt=instance.nopreempt,
        advert_interval=instance.advert_interval,
        vips=tuple(v.address for v in instance.vips),
        since=since,
        master=master_of(known, state, address),
        peers=peers_of(known),
        counters=dict(instance.counters) if instance.counters else None,
        evidence=why,
        rivals=rivals_of(known, state),
        track_files=tuple(t.name for t in instance.track_files),
        tracked=instance.tracked,
        sync_group=instance.sync_group,
        preempt_delay=instance.preempt_delay,
        auth_hmac=auth_hmac_of(snapshot, instance),
        address=address,
        unicast_peers=instance.unicast_peers,
    )


def vips_of(snapshot: Snapshot, instance: VrrpInstance, seen: InstanceView) -> Iterator[VipView]:
    for vip in instance.vips:
        held = _held(snapshot, vip, instance)
        yield VipView(
            address=vip.address,
            prefixlen=held[0].prefixlen if held else vip.prefixlen,
            interface=held[0].interface if held else (vip.interface or instance.interface),
            instance=instance.name,
            present=None if snapshot.addresses is None else bool(held),
            owner=seen.master.address if seen.master else None,
            state=seen.state,
            owner_is_self=bool(seen.master and seen.master.is_self),
            rivals=seen.rivals,
        )
