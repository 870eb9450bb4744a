"""A VIP is held, but does not answer, or answers from the wrong node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod
from kvtui.rules.phrases import listed
from kvtui.rules.triage.routers import OWNER_PRIORITY, WITHOUT_VIPS, InstanceRouter, each_router, routers
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import real_name
from kvtui.rules.vrrp.instances import KUBE_PROXY_INTERFACE, links_of

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


def strict_drops(router: InstanceRouter) -> Findings:
    """vrrp_strict without accept and priority < 255: keepalived drops packets to the VIPs (keepalived#474, #1373)."""
    instance, written = router.instance, router.configured
    strict = written is not None and written.strict if instance.strict is None else instance.strict
    accept = written is None or written.accept if instance.accept is None else instance.accept
    if strict and not accept and router.view.priority != OWNER_PRIORITY:
        yield router.finding(
            "strict-drops-traffic",
            Severity.CRITICAL if router.is_master else Severity.WARNING,
            f"vrrp_strict without accept: keepalived drops all packets to {listed(router.vips)} on the master",
            f"{instance.name}: strict mode on, accept off, priority {router.view.priority} (dump, conf)",
            "keepalived adds a firewall rule for each VIP: nft list table ip keepalived, or iptables -S",
            remedy="remove vrrp_strict (or strict_mode) on all nodes, or set accept with VRRP 3; then: kvtui reload",
        )


def bridge_port(router: InstanceRouter) -> Findings:
    """The interface of an instance became a port of a bridge (openshift/machine-config-operator#3445)."""
    links, table = links_of(router.snapshot), router.snapshot.addresses
    link = links.get(router.instance.interface or "")
    bridge = links.get(link.master) if link and link.master else None
    if link is None or bridge is None or bridge.kind not in {"bridge", "openvswitch"}:
        return
    own = [a.address for a in table.addresses if a.interface == bridge.name] if table else []
    yield router.finding(
        "interface-is-bridge-port",
        Severity.WARNING,
        f"{link.name} of {router.instance.name} is a port of bridge {bridge.name}: VIPs on it may not answer",
        f"{link.name} belongs to {bridge.name}, which has {listed(own) or 'no address'} (addresses)",
        f"adverts pass {link.name}, but the kernel handles ARP and IP on {bridge.name}",
        remedy=f"set interface {bridge.name} in the instance on this node, then: kvtui reload",
    )


def on_kube_proxy(router: InstanceRouter) -> Findings:
    """kube-proxy has the VIP of a BACKUP too, from a Service's externalIPs: the node reaches itself (kubernetes#66966).

    In IPVS mode the VIP is on kube-ipvs0. In the other modes its rules come before IPVS: they take what keepalived's
    virtual servers would get.
    """
    table, kube = router.snapshot.addresses, router.snapshot.kube
    if table is None or router.view.state not in WITHOUT_VIPS:
        return
    held = [v for v in router.vips if any(a.interface == KUBE_PROXY_INTERFACE for a in table.holding(v))]
    services = {f"{s.namespace}/{s.name}": s for s in ((kube.services or {}).values() if kube else ())}
    served = {(v.address, v.port) for v in router.observation.virtual_servers or () if v.address in router.vips}
    taken = {a for s in services.values() for a in s.external_ips if any((a, p.port) in served for p in s.ports)}
    vips = held or sorted(taken)
    if not vips:
        return
    names = [name for name, s in services.items() if {*s.external_ips} & {*vips}]
    where = f"on {KUBE_PROXY_INTERFACE}" if held else f"in externalIPs of {listed(names)}"
    yield router.finding(
        "vip-on-kube-proxy",
        Severity.WARNING,
        f"{listed(vips)} is {where}: this node, {router.view.state.value}, reaches itself at it",
        *((f"present: {listed(held)} on {KUBE_PROXY_INTERFACE} (addresses)",) if held else ()),
        f"kube-proxy serves the externalIPs of Services on each node: {listed(names) or 'unknown which'} (Kubernetes)",
        "connections from this node and its pods do not go to the VIP's owner",
        remedy="remove the VIP from externalIPs and loadBalancerIP of the Service, or accept it",
        vips=vips,
    )


def directors_loop(observation: Observation) -> Findings:
    """Directors are each other's real servers with direct routing: packets may circle (keepalived#2450)."""
    peers = {a.last.source for r in routers(observation) for a in r.others if not a.last.carp}
    peers |= {p for r in routers(observation) for p in r.instance.unicast_peers}
    for virtual in observation.virtual_servers or ():
        if virtual.fwmark is not None or not virtual.in_kernel:  # marks by MAC are the usual cure
            continue
        loops = [r for r in virtual.real_servers if r.method is ForwardingMethod.DIRECT and r.address in peers]
        if loops:
            yield finding(
                "directors-circle-packets",
                Severity.WARNING,
                f"{virtual.name}: {listed(map(real_name, loops))} is a director too: packets may circle between them",
                f"direct routing to {listed(map(real_name, loops))} (ipvs), heard in VRRP (adverts, conf)",
                "a director with the same virtual server balances such a packet again",
                remedy="mark only packets that come from clients (iptables -t mangle, by MAC) and use virtual_server "
                "fwmark; or keep virtual servers off backups",
                about=virtual.name,
                vips=(virtual.address,),
            )


RULES = (
    *(Rule(each_router(find), TRANSIENT_SECONDS) for find in (strict_drops, bridge_port, on_kube_proxy)),
    Rule(directors_loop, TRANSIENT_SECONDS),
)
