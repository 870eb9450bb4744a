"""VIPs on this node's interfaces, compared with the state of their instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rejections import rejects
from kvtui.rules.triage.routers import describe, each_router, routers
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.claims import live
from kvtui.rules.vrrp.instances import is_private, listened_since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.addresses import InterfaceAddress
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.routers import Router

MASTER_SILENCE_INTERVALS = 4.1
"""Advert intervals after which a missing advert of the own node is a problem."""
DUMP_SECONDS = 45.0
"""keepalived dumped its state this long ago, so it does not hang: kvtui requests a dump every 30 s."""


def _held(observation: Observation, router: Router) -> tuple[InterfaceAddress, ...]:
    """Returns its VIPs on interfaces that answer ARP for them."""
    table = observation.snapshot.addresses
    places = (p for v in router.vips for p in table.holding(v)) if table else ()
    return tuple(p for p in places if not is_private(p.interface))


def vip_on_backup(observation: Observation) -> Iterator[Finding]:
    """A crash left the address behind, or somebody added it (keepalived-vip#65)."""
    for router in routers(observation):
        held = _held(observation, router)
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
                *(describe(a, router.now) for a in router.live_others),
            ),
            _remove(held)
            if router.live_others
            else "kvtui vrrp  # on every node: no other node advertises it, so removing it here may leave it on none",
            router.instance.name,
            tuple(p.address for p in held),
        )


def _remove(held: tuple[InterfaceAddress, ...]) -> str:
    return "; ".join(f"ip addr del {p.address}/{p.prefixlen} dev {shell_word(p.interface)}" for p in held[:4])


def vip_left_behind(observation: Observation) -> Iterator[Finding]:
    """No keepalived runs here, but a VIP is on an interface of this node."""
    snapshot = observation.snapshot
    if snapshot.chosen is not None or snapshot.addresses is None:
        return
    owners = {
        address: a
        for a in snapshot.advertisers or ()
        if not a.last.outgoing and live(a, snapshot.time)
        for address in a.last.addresses
    }
    known = {v for i in observation.vrrp_instances or () for v in i.vips}
    held = tuple(
        a
        for a in snapshot.addresses.addresses
        if (a.address in owners or a.address in known) and not is_private(a.interface)
    )
    if held:
        yield Finding(
            "vip-left-behind",
            Severity.CRITICAL,
            f"{listed(p.address for p in held)} is still on {held[0].interface} although keepalived does not run",
            (
                "keepalived does not run in this network namespace (keepalived)",
                f"present: {listed(f'{p.address}/{p.prefixlen} on {p.interface}' for p in held)} (addresses)",
                *(
                    describe(a, snapshot.time)
                    for a in dict.fromkeys(owners[p.address] for p in held if p.address in owners)
                ),
            ),
            f"{_remove(held)}  # or start keepalived again",
            held[0].address,
            tuple(p.address for p in held),
        )


def vip_missing(observation: Observation) -> Iterator[Finding]:
    """The master lacks an address that it advertises (keepalived-vip#54: "logs fine, VIP nowhere")."""
    for vip in observation.vips or ():
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
            f"kvtui failover {shell_word(vip.instance)}  # the next master installs it; by hand: ip addr add "
            f"{vip.address}/{vip.prefixlen} dev {shell_word(vip.interface or 'eth0')}",
            vip.address,
            (vip.address,),
        )


def held_without_advert(observation: Observation, router: Router) -> Iterator[Finding]:
    """The node holds the VIPs, but keepalived does not advertise: silenced by adverts that it rejects, or hung.

    Of two masters that reject each other's adverts one is silent: each rejected advert restarts its timer
    (vrrp_dispatcher_read; measured with 2.2.7). A restart would not help it.
    """
    snapshot, held = observation.snapshot, _held(observation, router)
    since = listened_since(snapshot, router.instance)
    if since is None or snapshot.chosen is None or not held:
        return
    heard = router.own.last.received if router.own else 0.0
    silence = router.now - max(since, heard)
    backup = router.view.state in {VrrpState.BACKUP, VrrpState.FAULT}  # see vip_on_backup
    if backup or silence < MASTER_SILENCE_INTERVALS * router.interval:
        return
    facts, remedy = rejects(observation, router) if router.other_masters else ((), "")
    dump = snapshot.source(SourceName.VRRP)
    answers = dump.state is SourceState.OK and dump.read_at is not None and router.now - dump.read_at < DUMP_SECONDS
    if facts:
        why = "adverts that it rejects restart its timer"
        facts = (*facts, "each rejected advert restarts the timer of its own: a restart of keepalived does not help")
    elif answers:
        why = "keepalived answers, but nothing is sent"
        remedy = f"{log_command(observation)}  # send errors? Is the interface up, and a firewall on OUTPUT?"
    else:
        why = "keepalived hangs, or cannot send"
        remedy = "ps -o pid,stat,wchan:20,args -C keepalived  # stopped (T) or stuck (D)? then restart keepalived"
    yield Finding(
        "vip-held-no-advert",
        Severity.CRITICAL,
        f"This node holds {listed(p.address for p in held)} but does not advertise {router.instance.name}: {why}",
        (
            f"it has not advertised for {silence:.1f} s; the interval is {router.interval:g} s (adverts)",
            f"present: {listed(f'{p.address} on {p.interface}' for p in held)} (addresses)",
            *facts,
            *(describe(a, router.now) for a in router.live_others),
        ),
        remedy,
        router.instance.name,
        tuple(p.address for p in held),
    )


def wrong_interface(observation: Observation) -> Iterator[Finding]:
    """A VIP is on another interface than configured (contrib#2328)."""
    for router in routers(observation):
        wanted = {v.address: v.interface or router.instance.interface for v in router.instance.vips}
        for place in _held(observation, router):
            want = wanted.get(place.address)
            if want is None or place.interface == want or place.interface.startswith("vrrp"):  # names of use_vmac
                continue
            yield Finding(
                "vip-on-wrong-interface",
                Severity.WARNING,
                f"{place.address} is on {place.interface}, but configured for {want}",
                (
                    f"{place.address}/{place.prefixlen} on {place.interface} (addresses)",
                    f"{router.instance.name} configures it on {want} (keepalived)",
                ),
                f"ip addr del {place.address}/{place.prefixlen} dev {shell_word(place.interface)}",
                place.address,
                (place.address,),
            )


def unusable_address(observation: Observation) -> Iterator[Finding]:
    """IPv6: the kernel does not use the VIP because duplicate address detection found another owner."""
    vips = {v.address for v in observation.vips or ()}
    for place in observation.snapshot.addresses.addresses if observation.snapshot.addresses else ():
        if place.tentative and place.address in vips:
            yield Finding(
                "vip-duplicate-detected",
                Severity.CRITICAL,
                f"{place.address} is on {place.interface} but the kernel does not use it: another node has it too",
                (f"{place.address}/{place.prefixlen}: duplicate address detection runs or has failed (addresses)",),
                f"ip -6 addr show dev {shell_word(place.interface)}  # dadfailed: find the other owner with ndisc6",
                place.address,
                (place.address,),
            )


def interface_missing(observation: Observation) -> Iterator[Finding]:
    """The interface of an instance does not exist (keepalived-vip#41: no NIC has the node's IP)."""
    table = observation.snapshot.addresses
    conf = observation.snapshot.effective_conf
    names = {i.name for i in table.interfaces} if table else set()
    for instance in conf.instances if conf and names else ():
        if instance.interface in names:
            continue
        yield Finding(
            "interface-missing",
            Severity.CRITICAL,
            f"Interface {instance.interface or '(none)'} of instance {instance.name} does not exist on this node",
            (
                f"{instance.at}: interface {instance.interface or 'is missing'} (conf)",
                f"this node has {listed(sorted(names))} (addresses)",
            ),
            "ip -br addr  # which interface has the node's IP? (keepalived-vip: --iface)",
            instance.name,
            tuple(v.address for v in instance.vips),
        )


RULES = (
    Rule(each_router(held_without_advert)),
    Rule(vip_on_backup, PASSING),
    Rule(vip_left_behind, PASSING),
    Rule(vip_missing, PASSING),
    Rule(unusable_address, PASSING),
    Rule(interface_missing),
    Rule(wrong_interface, PASSING),
)
