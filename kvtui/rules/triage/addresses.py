"""VIPs on this node's interfaces, compared with the state of their instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rejections import rejects
from kvtui.rules.triage.routers import WITHOUT_VIPS, InstanceRouter, describe, each_router
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.claims import live
from kvtui.rules.vrrp.instances import is_private, listened_since

if TYPE_CHECKING:
    from kvtui.model.addresses import InterfaceAddress
    from kvtui.model.observation import Observation

MASTER_SILENCE_INTERVALS = 4.1
"""Advert intervals after which a missing advert of the own node is a problem."""
DUMP_SECONDS = 45.0
"""keepalived dumped its state this long ago, so it does not hang: kvtui requests a dump every 30 s."""


def _held(router: InstanceRouter) -> list[InterfaceAddress]:
    """Returns its VIPs on interfaces that answer ARP for them."""
    table = router.snapshot.addresses
    places = (p for v in router.vips for p in table.holding(v)) if table else ()
    return [p for p in places if not is_private(p.interface)]


def vip_on_backup(router: InstanceRouter) -> Findings:
    """A crash left the address behind, or somebody added it (keepalived-vip#65)."""
    held = _held(router)
    if held and router.view.state in WITHOUT_VIPS:
        alone = "kvtui vrrp  # on every node: no other node advertises it, so removing it here may leave it on none"
        yield router.finding(
            "vip-on-backup",
            Severity.CRITICAL,
            f"{listed(p.address for p in held)} is on {held[0].interface} though this node is "
            f"{router.view.state.value} of {router.instance.name}",
            f"present: {listed(f'{p.address}/{p.prefixlen} on {p.interface}' for p in held)} (addresses)",
            f"{router.instance.name} is {router.view.state.value} ({router.view.evidence})",
            *(describe(a, router.now) for a in router.live_others),
            remedy=_remove(held) if router.live_others else alone,
            vips=(p.address for p in held),
        )


def _remove(held: list[InterfaceAddress]) -> str:
    return "; ".join(f"ip addr del {p.address}/{p.prefixlen} dev {shell_word(p.interface)}" for p in held[:4])


def vip_left_behind(observation: Observation) -> Findings:
    """No keepalived runs here, but a VIP is on an interface of this node."""
    snapshot = observation.snapshot
    if snapshot.chosen is not None or snapshot.addresses is None:
        return
    others = [a for a in snapshot.advertisers or () if not a.last.outgoing and live(a, snapshot.time)]
    owners = {address: a for a in others for address in a.last.addresses}
    vips = {*owners, *(v for i in observation.vrrp_instances or () for v in i.vips)}
    held = [a for a in snapshot.addresses.addresses if a.address in vips and not is_private(a.interface)]
    masters = dict.fromkeys(owners[p.address] for p in held if p.address in owners)
    if held:
        yield finding(
            "vip-left-behind",
            Severity.CRITICAL,
            f"{listed(p.address for p in held)} is still on {held[0].interface} although keepalived does not run",
            "keepalived does not run in this network namespace (keepalived)",
            f"present: {listed(f'{p.address}/{p.prefixlen} on {p.interface}' for p in held)} (addresses)",
            *(describe(a, snapshot.time) for a in masters),
            remedy=f"{_remove(held)}  # or start keepalived again",
            about=held[0].address,
            vips=(p.address for p in held),
        )


def vip_missing(observation: Observation) -> Findings:
    """The master lacks an address that it advertises (keepalived-vip#54: "logs fine, VIP nowhere")."""
    for vip in observation.vips or ():
        if vip.state is VrrpState.MASTER and vip.present is False:
            yield finding(
                "vip-missing-on-master",
                Severity.CRITICAL,
                f"{vip.address} is on no interface, though this node is MASTER of {vip.instance}",
                f"{vip.address} is not among this node's addresses (addresses)",
                f"{vip.instance} is MASTER here, owner {vip.owner or 'this node'} (VRRP)",
                remedy=f"kvtui failover {shell_word(vip.instance)}  # the next master installs it; by hand: ip addr "
                f"add {vip.address}/{vip.prefixlen} dev {shell_word(vip.interface or 'eth0')}",
                about=vip.address,
                vips=(vip.address,),
            )


def held_without_advert(router: InstanceRouter) -> Findings:
    """The node holds the VIPs, but keepalived does not advertise: silenced by adverts that it rejects, or hung.

    Of two masters that reject each other's adverts one is silent: each rejected advert restarts its timer
    (vrrp_dispatcher_read; measured with 2.2.7). A restart would not help it.
    """
    snapshot, held = router.snapshot, _held(router)
    since = listened_since(snapshot, router.instance)
    if since is None or snapshot.chosen is None or not held:
        return
    heard = router.own.last.received if router.own else 0.0
    silence = router.now - max(since, heard)
    if router.view.state in WITHOUT_VIPS or silence < MASTER_SILENCE_INTERVALS * router.interval:  # see vip_on_backup
        return
    facts, remedy = rejects(router) if router.other_masters else ((), "")
    dump = snapshot.source(SourceName.VRRP)
    answers = dump.state is SourceState.OK and dump.read_at is not None and router.now - dump.read_at < DUMP_SECONDS
    if facts:
        why = "adverts that it rejects restart its timer"
        timer = "each rejected advert restarts keepalived's own advert timer: a restart of keepalived does not help"
        facts = (*facts, timer)
    elif answers:
        why = "keepalived answers, but nothing is sent"
        remedy = f"{log_command(snapshot)}  # send errors? Is the interface up, and a firewall on OUTPUT?"
    else:
        why = "keepalived hangs, or cannot send"
        remedy = "ps -o pid,stat,wchan:20,args -C keepalived  # stopped (T) or stuck (D)? then restart keepalived"
    yield router.finding(
        "vip-held-no-advert",
        Severity.CRITICAL,
        f"This node holds {listed(p.address for p in held)} but does not advertise {router.instance.name}: {why}",
        f"it has not advertised for {silence:.1f} s; the interval is {router.interval:g} s (adverts)",
        f"present: {listed(f'{p.address} on {p.interface}' for p in held)} (addresses)",
        *facts,
        *(describe(a, router.now) for a in router.live_others),
        remedy=remedy,
        vips=(p.address for p in held),
    )


def wrong_interface(router: InstanceRouter) -> Findings:
    """A VIP is on another interface than configured (contrib#2328)."""
    wanted = {v.address: v.interface or router.instance.interface for v in router.instance.vips}
    for place in _held(router):
        want = wanted.get(place.address)
        if want not in {None, place.interface} and not place.interface.startswith("vrrp"):  # names of use_vmac
            yield finding(
                "vip-on-wrong-interface",
                Severity.WARNING,
                f"{place.address} is on {place.interface}, but configured for {want}",
                f"{place.address}/{place.prefixlen} on {place.interface} (addresses)",
                f"{router.instance.name} configures it on {want} (keepalived)",
                remedy=f"ip addr del {place.address}/{place.prefixlen} dev {shell_word(place.interface)}",
                about=place.address,
                vips=(place.address,),
            )


def unusable_address(observation: Observation) -> Findings:
    """IPv6: the kernel does not use the VIP because duplicate address detection found another owner."""
    vips = {v.address for v in observation.vips or ()}
    for place in observation.snapshot.addresses.addresses if observation.snapshot.addresses else ():
        if place.tentative and place.address in vips:
            yield finding(
                "vip-duplicate-detected",
                Severity.CRITICAL,
                f"{place.address} is on {place.interface} but the kernel does not use it: another node has it too",
                f"{place.address}/{place.prefixlen}: duplicate address detection runs or has failed (addresses)",
                remedy=f"ip -6 addr show dev {shell_word(place.interface)}  # dadfailed: find the other owner with "
                "ndisc6",
                about=place.address,
                vips=(place.address,),
            )


def interface_missing(observation: Observation) -> Findings:
    """The interface of an instance does not exist (keepalived-vip#41: no NIC has the node's IP)."""
    table = observation.snapshot.addresses
    conf = observation.snapshot.effective_conf
    names = {i.name for i in table.interfaces} if table else set()
    for instance in conf.instances if conf and names else ():
        if instance.interface not in names:
            yield finding(
                "interface-missing",
                Severity.CRITICAL,
                f"Interface {instance.interface or '(none)'} of instance {instance.name} does not exist on this node",
                f"{instance.at}: interface {instance.interface or 'is missing'} (conf)",
                f"this node has {listed(sorted(names))} (addresses)",
                remedy="ip -br addr  # which interface has the node's IP? (keepalived-vip: --iface)",
                about=instance.name,
                vips=(v.address for v in instance.vips),
            )


RULES = (
    Rule(each_router(held_without_advert)),
    Rule(each_router(vip_on_backup), TRANSIENT_SECONDS),
    Rule(vip_left_behind, TRANSIENT_SECONDS),
    Rule(vip_missing, TRANSIENT_SECONDS),
    Rule(unusable_address, TRANSIENT_SECONDS),
    Rule(interface_missing),
    Rule(each_router(wrong_interface), TRANSIENT_SECONDS),
)
