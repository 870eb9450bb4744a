"""Virtual servers whose config cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol, endpoint
from kvtui.rules.phrases import listed
from kvtui.rules.triage.rule import Findings, Rule, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfVirtualServer
    from kvtui.model.observation import Observation

KEEPS_PORT = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})


def _servers(observation: Observation) -> Iterator[tuple[ConfVirtualServer, str]]:
    conf = observation.snapshot.effective_conf
    for virtual in conf.virtual_servers if conf else ():
        if virtual.address is not None and virtual.port:
            yield virtual, endpoint(virtual.address, virtual.port)


def port_changes(observation: Observation) -> Findings:
    """Direct routing and tunnels cannot change the port: keepalived resets it (measured)."""
    for virtual, name in _servers(observation):
        fixed = [r for r in virtual.real_servers if not r.sorry and (r.method or virtual.method) in KEEPS_PORT]
        written = [(r.address, r.written_port or r.port) for r in fixed]
        if moved := [endpoint(a, port) for a, port in written if port is not None and port != virtual.port]:
            yield finding(
                "port-changed-by-direct-routing",
                Severity.CRITICAL,
                f"{name} has real servers on other ports, which direct routing and tunnels cannot reach",
                f"{virtual.at}: {listed(moved)} (conf)",
                f'keepalived logs "ports don\'t match - resetting" and uses port {virtual.port} for the real servers',
                remedy="kubectl edit service  # set port = targetPort, or use NAT instead of DR in the ConfigMap",
                about=name,
                vips=(virtual.address,),
            )


def udp_checked_by_tcp(observation: Observation) -> Findings:
    """keepalived-vip writes TCP_CHECK for UDP too (#44); harmless if the port also answers TCP."""
    servers = (v for v in observation.virtual_servers or () if v.protocol is Protocol.UDP)
    incomplete = {v.name for v in servers if v.up < len(v.real_servers)}
    for virtual, name in _servers(observation):
        checked = listed(endpoint(*virtual.key_of(r)) for r in virtual.real_servers if "TCP_CHECK" in r.checks)
        if checked and virtual.protocol is Protocol.UDP and name in incomplete:
            yield finding(
                "udp-with-tcp-check",
                Severity.WARNING,
                f"UDP {name} lacks real servers: TCP_CHECK removes those that do not answer TCP on that port",
                f"{virtual.at}: TCP_CHECK for {checked} (conf)",
                remedy="let the pods answer TCP on that port too, or use UDP_CHECK (keepalived 2.1.0 and newer)",
                about=name,
                vips=(virtual.address,),
            )


def sorry_is_real(observation: Observation) -> Findings:
    """The sorry server is one of the real servers: it serves though its check fails (keepalived#1370, #2601)."""
    for virtual, name in _servers(observation):
        sorry = virtual.sorry_keys()
        if servers := listed(endpoint(*key) for key in virtual.regular_servers() if key in sorry):
            yield finding(
                "sorry-server-is-real-server",
                Severity.WARNING,
                f"{name} has its real server {servers} as sorry_server too",
                f"{virtual.at}: sorry_server {servers} (conf)",
                "when all checks fail, the kernel gets it as sorry server; as real server it may then not come back",
                remedy="use another server as sorry_server, or none; then: kvtui reload",
                about=name,
                vips=(virtual.address,),
            )


def vip_not_bound(observation: Observation) -> Findings:
    """No instance has the address of a virtual server."""
    conf = observation.snapshot.effective_conf
    if conf is None or not conf.instances:
        return
    table = observation.snapshot.addresses
    bound = {*conf.vips(), *(a.address for a in (table.addresses if table else ()))}
    for virtual, name in _servers(observation):
        if virtual.address not in bound:
            yield finding(
                "virtual-server-without-vip",
                Severity.WARNING,
                f"Virtual server {name} is configured, but no instance has {virtual.address}",
                f"{virtual.at}: no virtual_ipaddress has {virtual.address} (conf)",
                f"no interface has {virtual.address} (addresses)",
                remedy=f"add {virtual.address} to the instance's virtual_ipaddress, then: kvtui reload",
                about=name,
                vips=(virtual.address,),
            )


RULES = (Rule(port_changes), Rule(udp_checked_by_tcp), Rule(sorry_is_real), Rule(vip_not_bound))
