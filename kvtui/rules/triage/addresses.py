"""The VIPs on this node's interfaces, against the state of their instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.vrrp import VrrpState
from kvtui.rules.servers.views import KUBE_PROXY_INTERFACE
from kvtui.rules.triage.routers import routers, told
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.triage.words import listed, quoted
from kvtui.rules.vrrp.claims import live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.addresses import InterfaceAddress
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory
    from kvtui.rules.triage.routers import Router

PRIVATE = ("lo", "dummy", "tunl", "ip6tnl", "gre", KUBE_PROXY_INTERFACE)
"""Where a real server keeps a VIP so that nobody asks for it: that makes no node the VIP's owner."""
HEARD = 4.1
"""Advert intervals of silence after which a master would have been heard."""


def _held(seen: Observation, router: Router) -> tuple[InterfaceAddress, ...]:
    """Its VIPs on interfaces that answer for them."""
    table = seen.snapshot.addresses
    places = (p for v in router.vips for p in table.holding(v)) if table else ()
    return tuple(p for p in places if not p.interface.startswith(PRIVATE))


def vip_on_backup(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """An address that a crash left behind, or a person added (keepalived-vip#65)."""
    for router in routers(seen):
        held = _held(seen, router)
        if not held or router.view.state not in {VrrpState.BACKUP, VrrpState.FAULT}:
            continue
        yield Finding(
            "vip-on-backup",
            Severity.CRITICAL,
            f"{listed(p.address for p in held)} is on {held[0].interface} though this node is "
            f"{router.view.state.value} of {router.instance.name}",
            (
                f"present: {listed(f'{p.address}/{p.prefixlen} on {p.interface}' for p in held)} (addresses)",
                f"{router.instance.name} is {router.view.state.value} ({router.view.evidence})",
                *(told(a, router.now) for a in router.live_others),
            ),
            _remove(held),
            router.instance.name,
            tuple(p.address for p in held),
        )


def _remove(held: tuple[InterfaceAddress, ...]) -> str:
    return "; ".join(f"ip addr del {p.address}/{p.prefixlen} dev {quoted(p.interface)}" for p in held[:4])


def vip_left_behind(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """No keepalived runs here, and addresses that another node advertises are on an interface of this one."""
    snapshot = seen.snapshot
    if snapshot.chosen is not None or snapshot.addresses is None:
        return
    owners = {
        address: a
        for a in snapshot.advertisers or ()
        if not a.last.outgoing and live(a, snapshot.time)
        for address in a.last.addresses
    }
    known = {v for i in seen.vrrp_instances or () for v in i.vips}
    held = tuple(
        a
        for a in snapshot.addresses.addresses
        if (a.address in owners or a.address in known) and not a.interface.startswith(PRIVATE)
    )
    if held:
        yield Finding(
            "vip-left-behind",
            Severity.CRITICAL,
            f"{listed(p.address for p in held)} stayed on {held[0].interface} after keepalived ended",
            (
                "no keepalived runs in this network namespace (keepalived)",
                f"present: {listed(f'{p.address}/{p.prefixlen} on {p.interface}' for p in held)} (addresses)",
                *(
                    told(a, snapshot.time)
                    for a in dict.fromkeys(owners[p.address] for p in held if p.address in owners)
                ),
            ),
            f"{_remove(held)}  # or start keepalived again",
            held[0].address,
            tuple(p.address for p in held),
        )


def vip_missing(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The master does not have an address that it advertises (keepalived-vip#54: "logs fine, VIP nowhere")."""
    for vip in seen.vips or ():
        if vip.state is not VrrpState.MASTER or vip.present is not False:
            continue
        yield Finding(
            "vip-missing-on-master",
            Severity.CRITICAL,
            f"{vip.address} is on no interface, though this node is MASTER of {vip.instance}",
            (
                f"{vip.address} is not among this node's addresses (addresses)",
                f"{vip.instance} is MASTER here, owner {vip.owner or 'this node'} (VRRP)",
            ),
            f"kvtui failover {quoted(vip.instance)}  # the next master installs it; by hand: ip addr add "
            f"{vip.address}/{vip.prefixlen} dev {quoted(vip.interface or 'eth0')}",
            vip.address,
            (vip.address,),
        )


def held_without_advert(seen: Observation, history: ConditionHistory) -> Iterator[Finding]:
    """The VIPs are here, keepalived runs, but it does not advertise: it hangs, or may not send."""
    if seen.snapshot.advertisers is None or seen.snapshot.chosen is None or history.began is None:
        return
    for router in routers(seen):
        held = _held(seen, router)
        heard = router.own.last.received if router.own else 0.0
        quiet = router.now - max(history.began, heard)
        backup = router.view.state in {VrrpState.BACKUP, VrrpState.FAULT}  # that is ``vip_on_backup``
        if not held or backup or quiet < HEARD * router.interval:
            continue
        yield Finding(
            "vip-held-no-advert",
            Severity.CRITICAL,
            f"This node holds {listed(p.address for p in held)} but does not advertise {router.instance.name}",
            (
                f"no advert of its own for {quiet:.1f} s, one is due every {router.interval:g} s (adverts)",
                f"present: {listed(f'{p.address} on {p.interface}' for p in held)} (addresses)",
                *(told(a, router.now) for a in router.live_others),
            ),
            "ps -o pid,stat,wchan:20,args -C keepalived  # stopped (T) or stuck (D)? then restart keepalived",
            router.instance.name,
            tuple(p.address for p in held),
        )


def wrong_interface(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A VIP on another interface than the config wants (contrib#2328)."""
    for router in routers(seen):
        wanted = {v.address: v.interface or router.instance.interface for v in router.instance.vips}
        for place in _held(seen, router):
            want = wanted.get(place.address)
            if want is None or place.interface == want or place.interface.startswith("vrrp"):  # use_vmac's own names
                continue
            yield Finding(
                "vip-on-wrong-interface",
                Severity.WARNING,
                f"{place.address} is on {place.interface}, the config wants it on {want}",
                (
                    f"{place.address}/{place.prefixlen} on {place.interface} (addresses)",
                    f"{router.instance.name} has it on {want} (keepalived)",
                ),
                f"ip addr del {place.address}/{place.prefixlen} dev {quoted(place.interface)}",
                place.address,
                (place.address,),
            )


def unusable_address(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """IPv6: duplicate address detection found another owner, so the kernel does not use the VIP."""
    vips = {v.address for v in seen.vips or ()}
    for place in seen.snapshot.addresses.addresses if seen.snapshot.addresses else ():
        if place.tentative and place.address in vips:
            yield Finding(
                "vip-duplicate-detected",
                Severity.CRITICAL,
                f"{place.address} is on {place.interface} but the kernel does not use it: another node has it too",
                (f"{place.address}/{place.prefixlen} is tentative, or its duplicate detection failed (addresses)",),
                f"ip -6 addr show dev {quoted(place.interface)}  # dadfailed: find the other owner with ndisc6",
                place.address,
                (place.address,),
            )


def interface_missing(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """An instance on an interface that does not exist (keepalived-vip#41: the node's IP on no NIC)."""
    table = seen.snapshot.addresses
    conf = seen.snapshot.running or seen.snapshot.conf
    names = {i.name for i in table.interfaces} if table else set()
    for instance in conf.instances if conf and names else ():
        if instance.interface in names:
            continue
        yield Finding(
            "interface-missing",
            Severity.CRITICAL,
            f"Instance {instance.name} runs on {instance.interface or 'no interface'}, which this node does not have",
            (
                f"{instance.at}: interface {instance.interface or 'is not said'} (conf)",
                f"this node has {listed(sorted(names))} (addresses)",
            ),
            "ip -br addr  # which interface has the node's IP? (keepalived-vip: --iface)",
            instance.name,
            tuple(v.address for v in instance.vips),
        )


RULES = (
    Rule(held_without_advert),
    Rule(vip_on_backup, PASSING),
    Rule(vip_left_behind, PASSING),
    Rule(vip_missing, PASSING),
    Rule(unusable_address, PASSING),
    Rule(interface_missing),
    Rule(wrong_interface, PASSING),
)
