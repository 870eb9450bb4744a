"""Kernel settings that break a forwarding method; reported only if this node uses that method.

ip_nonlocal_bind: HAProxy in PROXY mode binds VIPs that are on another node. vs.conntrack: netfilter must see NAT
packets (keepalived-vip masquerades). ip_forward: the answers of NAT. rp_filter and arp_ignore concern real servers:
they matter only if this node is a real server too, with the VIP on lo or a tunnel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.mapping import MappingState
from kvtui.rules.phrases import listed
from kvtui.rules.triage.rule import Findings, Rule, finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.observation import Observation, VirtualServerView

NONLOCAL, CONNTRACK = "net.ipv4.ip_nonlocal_bind", "net.ipv4.vs.conntrack"
FORWARD4, FORWARD6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
TUNNELS = ("tunl", "ip6tnl", "gre")
LOCALS = ("lo", "dummy")
STRICT = 1
"""rp_filter: the kernel drops packets whose source it reaches through another interface (2 is loose)."""


def _with_nat(observation: Observation) -> list[VirtualServerView]:
    """Returns the kernel's virtual servers with NAT; in practice a virtual server has one method."""
    kernel = (v for v in observation.virtual_servers or () if v.in_kernel and v.real_servers)
    return [v for v in kernel if v.real_servers[0].method is ForwardingMethod.MASQ]


def _sysctls(observation: Observation) -> Mapping[str, int]:
    return observation.snapshot.sysctls or {}


def forwarding_off(observation: Observation) -> Findings:
    """This node must forward the answers of NAT connections."""
    for name, six in ((FORWARD4, False), (FORWARD6, True)):
        servers = [v for v in _with_nat(observation) if (":" in (v.address or "")) is six]
        if _sysctls(observation).get(name) == 0 and servers:
            yield finding(
                "ip-forward-off",
                Severity.CRITICAL,
                f"{name} is 0: this node does not forward the answers of NAT real servers",
                f"{name} = 0 (sysctl)",
                f"virtual servers with NAT: {listed(v.name for v in servers)} (ipvs)",
                remedy=f"sysctl -w {name}=1  # and set it in /etc/sysctl.d",
                about=name,
                vips=(v.address for v in servers),
            )


def conntrack_off(observation: Observation) -> Findings:
    """keepalived-vip sets it at its start; without it NAT connections are not masqueraded."""
    controller, servers = observation.snapshot.controller, _with_nat(observation)
    if _sysctls(observation).get(CONNTRACK) == 0 and servers and controller is not None:
        yield finding(
            "vs-conntrack-off",
            Severity.WARNING,
            f"{CONNTRACK} is 0: netfilter does not see NAT connections and cannot masquerade them",
            f"{CONNTRACK} = 0 (sysctl)",
            f"virtual servers with NAT: {listed(v.name for v in servers)} (ipvs)",
            f"{controller.name} sets it to 1 at its start; something reset it",
            remedy=f"sysctl -w {CONNTRACK}=1",
            about=CONNTRACK,
            vips=(v.address for v in servers),
        )


def nonlocal_bind_off(observation: Observation) -> Findings:
    """With PROXY, HAProxy binds the VIPs on every node, not only on the master."""
    proxied = [m.vip for m in observation.mappings or () if m.method == "PROXY" and m.state is MappingState.OK]
    if _sysctls(observation).get(NONLOCAL) == 0 and proxied:
        yield finding(
            "ip-nonlocal-bind-off",
            Severity.WARNING,
            f"{NONLOCAL} is 0: HAProxy cannot bind {listed(proxied)} while another node holds it",
            f"{NONLOCAL} = 0 (sysctl)",
            f"mapped with PROXY: {listed(proxied)} (ConfigMap)",
            remedy=f"sysctl -w {NONLOCAL}=1",
            about=NONLOCAL,
            vips=proxied,
        )


def _own_copies(observation: Observation, links: tuple[str, ...]) -> list[tuple[str, str]]:
    """Returns (VIP, interface) of the VIPs that this node has as a real server."""
    table = observation.snapshot.addresses
    vips = {v.address for v in observation.vips or () if ":" not in v.address}
    own = (a for a in (table.addresses if table else ()) if a.address in vips)
    return [(a.address, a.interface) for a in own if a.interface.startswith(links)]


def rp_filter_strict(observation: Observation) -> Findings:
    """Strict filtering drops tunnelled packets: the client is reached through another interface."""
    for vip, link in _own_copies(observation, TUNNELS):
        values = {n: _sysctls(observation).get(f"net.ipv4.conf.{n}.rp_filter") for n in ("all", link)}
        if max(v or 0 for v in values.values()) == STRICT:
            yield finding(
                "rp-filter-strict",
                Severity.CRITICAL,
                f"rp_filter drops the packets that the director tunnels to {vip} on {link}",
                f"{vip} is on {link}: this node is a real server with tunnelling (addresses)",
                *(f"net.ipv4.conf.{n}.rp_filter = {v} (sysctl; the higher value applies)" for n, v in values.items()),
                remedy=f"sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{link}.rp_filter=0",
                about=f"{link} rp_filter",
                vips=(vip,),
            )


def arp_ignore_off(observation: Observation) -> Findings:
    """A real server with direct routing must not answer ARP for the VIP (LVS-HOWTO, "The ARP problem")."""
    interfaces = {i.name: i.interface for i in observation.vrrp_instances or ()}
    outsides = {v.address: interfaces.get(v.instance) or v.interface or "" for v in observation.vips or ()}
    for vip, link in _own_copies(observation, LOCALS):
        outside = outsides[vip]
        values = {n: _sysctls(observation).get(f"net.ipv4.conf.{n}.arp_ignore") for n in ("all", outside)}
        if set(values.values()) == {0}:
            yield finding(
                "arp-ignore-off",
                Severity.CRITICAL,
                f"This node has {vip} on {link} and answers ARP for it on {outside}, even if another node is master",
                f"{vip} is on {link}: this node is a real server with direct routing (addresses)",
                *(f"net.ipv4.conf.{n}.arp_ignore = {v} (sysctl)" for n, v in values.items()),
                remedy="sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
                about=f"{vip} arp_ignore",
                vips=(vip,),
            )


RULES = tuple(map(Rule, (forwarding_off, arp_ignore_off, rp_filter_strict, conntrack_off, nonlocal_bind_off)))
