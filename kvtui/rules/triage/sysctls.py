"""Kernel settings that break a way of forwarding, told only where that way is used on this node.

ip_nonlocal_bind is needed by whoever binds a VIP that is not there (HAProxy in PROXY mode), vs.conntrack by NAT whose
packets netfilter must see (keepalived-vip masquerades), ip_forward by NAT's answers. rp_filter and arp_ignore are the
affair of real servers: they matter here only when this node is one too, with the VIP on lo or a tunnel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.mapping import MappingState
from kvtui.rules.triage.rule import Rule
from kvtui.rules.triage.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kvtui.model.observation import Observation, VirtualServerView
    from kvtui.rules.triage.condition_history import ConditionHistory

NONLOCAL, CONNTRACK = "net.ipv4.ip_nonlocal_bind", "net.ipv4.vs.conntrack"
FORWARD4, FORWARD6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
TUNNELS = ("tunl", "ip6tnl", "gre")
LOCALS = ("lo", "dummy")
STRICT = 1
"""rp_filter: a packet whose source would be reached by another interface is dropped (2 is loose)."""


def _using(seen: Observation, method: ForwardingMethod) -> list[VirtualServerView]:
    """Virtual servers of the kernel that forward so; a virtual server has one method in practice."""
    return [
        v for v in seen.virtual_servers or () if v.in_kernel and v.real_servers and v.real_servers[0].method is method
    ]


def _known(seen: Observation) -> Mapping[str, int]:
    return seen.snapshot.sysctls or {}


def forwarding_off(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Answers to NAT'ed connections must be forwarded by this node."""
    used = _using(seen, ForwardingMethod.MASQ)
    for name, six in ((FORWARD4, False), (FORWARD6, True)):
        servers = [v for v in used if (":" in (v.address or "")) is six]
        if _known(seen).get(name) != 0 or not servers:
            continue
        yield Finding(
            "ip-forward-off",
            Severity.CRITICAL,
            f"{name} is 0: the answers of NAT real servers do not get through this node",
            (f"{name} = 0 (sysctl)", f"NAT is used by {listed(v.name for v in servers)} (ipvs)"),
            f"sysctl -w {name}=1  # and keep it in /etc/sysctl.d",
            name,
            tuple(dict.fromkeys(v.address for v in servers if v.address)),
        )


def conntrack_off(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """keepalived-vip sets it at its start: without, NAT'ed connections are not masqueraded."""
    chosen = seen.snapshot.chosen_keepalived
    servers = _using(seen, ForwardingMethod.MASQ)
    if _known(seen).get(CONNTRACK) != 0 or not servers or chosen is None or chosen.controller is None:
        return
    yield Finding(
        "vs-conntrack-off",
        Severity.WARNING,
        f"{CONNTRACK} is 0: netfilter does not see NAT'ed connections, so nothing masquerades them",
        (
            f"{CONNTRACK} = 0 (sysctl)",
            f"NAT is used by {listed(v.name for v in servers)} (ipvs)",
            f"{chosen.controller.name} sets it to 1 at its start; somebody set it back",
        ),
        f"sysctl -w {CONNTRACK}=1",
        CONNTRACK,
        tuple(dict.fromkeys(v.address for v in servers if v.address)),
    )


def nonlocal_bind_off(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """HAProxy binds the VIPs on every node, also where they are not (mappings with PROXY)."""
    proxied = [m.vip for m in seen.mappings or () if m.method == "PROXY" and m.state is MappingState.OK]
    if _known(seen).get(NONLOCAL) == 0 and proxied:
        yield Finding(
            "ip-nonlocal-bind-off",
            Severity.WARNING,
            f"{NONLOCAL} is 0: HAProxy cannot bind {listed(proxied)} while another node holds it",
            (f"{NONLOCAL} = 0 (sysctl)", f"PROXY is asked for {listed(proxied)} (ConfigMap)"),
            f"sysctl -w {NONLOCAL}=1",
            NONLOCAL,
            tuple(proxied),
        )


def _own_copies(seen: Observation, links: tuple[str, ...]) -> list[tuple[str, str]]:
    """(VIP, interface) where this node is a real server as well."""
    table = seen.snapshot.addresses
    vips = {v.address for v in seen.vips or ()}
    return [
        (a.address, a.interface)
        for a in (table.addresses if table else ())
        if a.address in vips and a.interface.startswith(links) and ":" not in a.address
    ]


def rp_filter_strict(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A packet out of a tunnel comes from a client that is reached by another interface: strict filtering drops it."""
    for vip, link in _own_copies(seen, TUNNELS):
        values = {n: _known(seen).get(f"net.ipv4.conf.{n}.rp_filter") for n in ("all", link)}
        if max((v for v in values.values() if v is not None), default=0) != STRICT:
            continue
        yield Finding(
            "rp-filter-strict",
            Severity.CRITICAL,
            f"rp_filter drops what the director tunnels to {vip} on {link}",
            (
                f"{vip} is on {link}: this node is a real server by tunnelling (addresses)",
                *(f"net.ipv4.conf.{n}.rp_filter = {v} (sysctl; the greater one counts)" for n, v in values.items()),
            ),
            f"sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{link}.rp_filter=0",
            f"{link} rp_filter",
            (vip,),
        )


def arp_ignore_off(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A real server by direct routing must not answer ARP for the VIP (LVS-HOWTO, "The ARP problem")."""
    routers = {v.address: v.interface for v in seen.vips or ()}
    wire = {i.name: i.interface for i in seen.vrrp_instances or ()}
    instances = {v.address: v.instance for v in seen.vips or ()}
    for vip, link in _own_copies(seen, LOCALS):
        outside = wire.get(instances[vip]) or routers[vip] or ""
        values = {n: _known(seen).get(f"net.ipv4.conf.{n}.arp_ignore") for n in ("all", outside)}
        if None in values.values() or max(v or 0 for v in values.values()) > 0:
            continue
        yield Finding(
            "arp-ignore-off",
            Severity.CRITICAL,
            f"This node has {vip} on {link} and answers ARP for it on {outside}, whoever is master",
            (
                f"{vip} is on {link}: this node is a real server by direct routing (addresses)",
                *(f"net.ipv4.conf.{n}.arp_ignore = {v} (sysctl)" for n, v in values.items()),
            ),
            "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
            f"{vip} arp_ignore",
            (vip,),
        )


RULES = (
    Rule(forwarding_off),
    Rule(arp_ignore_off),
    Rule(rp_filter_strict),
    Rule(conntrack_off),
    Rule(nonlocal_bind_off),
)
