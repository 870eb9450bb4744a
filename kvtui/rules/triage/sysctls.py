"""Kernel settings that break a forwarding method; reported only if this node uses that method.

ip_nonlocal_bind: HAProxy in PROXY mode binds VIPs that are on another node. vs.conntrack: netfilter must see NAT
packets (keepalived-vip masquerades). ip_forward: the answers of NAT. rp_filter and arp_ignore concern real servers:
they matter only if this node is a real server too, with the VIP on lo or a tunnel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.mapping import MappingState
from kvtui.rules.phrases import listed
from kvtui.rules.triage.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kvtui.model.observation import Observation, VirtualServerView

NONLOCAL, CONNTRACK = "net.ipv4.ip_nonlocal_bind", "net.ipv4.vs.conntrack"
FORWARD4, FORWARD6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
TUNNELS = ("tunl", "ip6tnl", "gre")
LOCALS = ("lo", "dummy")
STRICT = 1
"""rp_filter: the kernel drops packets whose source it reaches through another interface (2 is loose)."""


def _using(observation: Observation, method: ForwardingMethod) -> list[VirtualServerView]:
    """Returns the kernel's virtual servers with this method; in practice a virtual server has one method."""
    return [
        v
        for v in observation.virtual_servers or ()
        if v.in_kernel and v.real_servers and v.real_servers[0].method is method
    ]


def _sysctls(observation: Observation) -> Mapping[str, int]:
    return observation.snapshot.sysctls or {}


def forwarding_off(observation: Observation) -> Iterator[Finding]:
    """This node must forward the answers of NAT connections."""
    used = _using(observation, ForwardingMethod.MASQ)
    for name, six in ((FORWARD4, False), (FORWARD6, True)):
        servers = [v for v in used if (":" in (v.address or "")) is six]
        if _sysctls(observation).get(name) != 0 or not servers:
            continue
        yield Finding(
            "ip-forward-off",
            Severity.CRITICAL,
            f"{name} is 0: this node does not forward the answers of NAT real servers",
            (f"{name} = 0 (sysctl)", f"virtual servers with NAT: {listed(v.name for v in servers)} (ipvs)"),
            f"sysctl -w {name}=1  # and set it in /etc/sysctl.d",
            name,
            tuple(dict.fromkeys(v.address for v in servers if v.address)),
        )


def conntrack_off(observation: Observation) -> Iterator[Finding]:
    """keepalived-vip sets it at its start; without it NAT connections are not masqueraded."""
    controller = observation.snapshot.controller
    servers = _using(observation, ForwardingMethod.MASQ)
    if _sysctls(observation).get(CONNTRACK) != 0 or not servers or controller is None:
        return
    yield Finding(
        "vs-conntrack-off",
        Severity.WARNING,
        f"{CONNTRACK} is 0: netfilter does not see NAT connections and cannot masquerade them",
        (
            f"{CONNTRACK} = 0 (sysctl)",
            f"virtual servers with NAT: {listed(v.name for v in servers)} (ipvs)",
            f"{controller.name} sets it to 1 at its start; something reset it",
        ),
        f"sysctl -w {CONNTRACK}=1",
        CONNTRACK,
        tuple(dict.fromkeys(v.address for v in servers if v.address)),
    )


def nonlocal_bind_off(observation: Observation) -> Iterator[Finding]:
    """With PROXY, HAProxy binds the VIPs on every node, not only on the master."""
    proxied = [m.vip for m in observation.mappings or () if m.method == "PROXY" and m.state is MappingState.OK]
    if _sysctls(observation).get(NONLOCAL) == 0 and proxied:
        yield Finding(
            "ip-nonlocal-bind-off",
            Severity.WARNING,
            f"{NONLOCAL} is 0: HAProxy cannot bind {listed(proxied)} while another node holds it",
            (f"{NONLOCAL} = 0 (sysctl)", f"mapped with PROXY: {listed(proxied)} (ConfigMap)"),
            f"sysctl -w {NONLOCAL}=1",
            NONLOCAL,
            tuple(proxied),
        )


def _own_copies(observation: Observation, links: tuple[str, ...]) -> list[tuple[str, str]]:
    """Returns (VIP, interface) of the VIPs that this node has as a real server."""
    table = observation.snapshot.addresses
    vips = {v.address for v in observation.vips or ()}
    return [
        (a.address, a.interface)
        for a in (table.addresses if table else ())
        if a.address in vips and a.interface.startswith(links) and ":" not in a.address
    ]


def rp_filter_strict(observation: Observation) -> Iterator[Finding]:
    """Strict filtering drops tunnelled packets: the client is reached through another interface."""
    for vip, link in _own_copies(observation, TUNNELS):
        values = {n: _sysctls(observation).get(f"net.ipv4.conf.{n}.rp_filter") for n in ("all", link)}
        if max((v for v in values.values() if v is not None), default=0) != STRICT:
            continue
        yield Finding(
            "rp-filter-strict",
            Severity.CRITICAL,
            f"rp_filter drops the packets that the director tunnels to {vip} on {link}",
            (
                f"{vip} is on {link}: this node is a real server with tunnelling (addresses)",
                *(f"net.ipv4.conf.{n}.rp_filter = {v} (sysctl; the higher value applies)" for n, v in values.items()),
            ),
            f"sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{link}.rp_filter=0",
            f"{link} rp_filter",
            (vip,),
        )


def arp_ignore_off(observation: Observation) -> Iterator[Finding]:
    """A real server with direct routing must not answer ARP for the VIP (LVS-HOWTO, "The ARP problem")."""
    routers = {v.address: v.interface for v in observation.vips or ()}
    wire = {i.name: i.interface for i in observation.vrrp_instances or ()}
    instances = {v.address: v.instance for v in observation.vips or ()}
    for vip, link in _own_copies(observation, LOCALS):
        outside = wire.get(instances[vip]) or routers[vip] or ""
        values = {n: _sysctls(observation).get(f"net.ipv4.conf.{n}.arp_ignore") for n in ("all", outside)}
        if None in values.values() or max(v or 0 for v in values.values()) > 0:
            continue
        yield Finding(
            "arp-ignore-off",
            Severity.CRITICAL,
            f"This node has {vip} on {link} and answers ARP for it on {outside}, even if another node is master",
            (
                f"{vip} is on {link}: this node is a real server with direct routing (addresses)",
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
