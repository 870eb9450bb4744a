"""Virtual servers whose config cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol, endpoint
from kvtui.rules.phrases import listed
from kvtui.rules.triage.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfRealServer, ConfVirtualServer
    from kvtui.model.observation import Observation

KEEPS_PORT = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})


def _servers(observation: Observation) -> Iterator[tuple[ConfVirtualServer, str]]:
    conf = observation.snapshot.effective_conf
    for virtual in conf.virtual_servers if conf else ():
        if virtual.address is not None and virtual.port:
            yield virtual, endpoint(virtual.address, virtual.port)


def _names(virtual: ConfVirtualServer, reals: list[ConfRealServer]) -> str:
    return listed(endpoint(*virtual.key_of(r)) for r in reals)


def port_changes(observation: Observation) -> Iterator[Finding]:
    """Direct routing and tunnels cannot change the port: keepalived resets it (measured)."""
    for virtual, name in _servers(observation):
        moved = [
            r
            for r in virtual.real_servers
            if (r.written_port or r.port) not in (None, virtual.port)
            and not r.sorry
            and (r.method or virtual.method) in KEEPS_PORT
        ]
        if not moved:
            continue
        yield Finding(
            "port-changed-by-direct-routing",
            Severity.CRITICAL,
            f"{name} has real servers on other ports, which direct routing and tunnels cannot reach",
            (
                f"{virtual.at}: {listed(endpoint(r.address, r.written_port or r.port or 0) for r in moved)} (conf)",
                f'keepalived logs "ports don\'t match - resetting" and uses port {virtual.port} for the real servers',
            ),
            "kubectl edit service  # set port = targetPort, or use NAT instead of DR in the ConfigMap",
            name,
            (virtual.address,) if virtual.address else (),
        )


def udp_checked_by_tcp(observation: Observation) -> Iterator[Finding]:
    """keepalived-vip writes TCP_CHECK for UDP too (#44); harmless if the port also answers TCP."""
    servers = (v for v in observation.virtual_servers or () if v.protocol is Protocol.UDP)
    incomplete = {v.name for v in servers if v.up < len(v.real_servers)}
    for virtual, name in _servers(observation):
        if virtual.protocol is not Protocol.UDP or name not in incomplete:
            continue
        checked = [r for r in virtual.real_servers if "TCP_CHECK" in r.checks]
        if not checked:
            continue
        yield Finding(
            "udp-with-tcp-check",
            Severity.WARNING,
            f"UDP {name} lacks real servers: TCP_CHECK removes those that do not answer TCP on that port",
            (f"{virtual.at}: TCP_CHECK for {_names(virtual, checked)} (conf)",),
            "let the pods answer TCP on that port too, or use UDP_CHECK (keepalived 2.1.0 and newer)",
            name,
            (virtual.address,) if virtual.address else (),
        )


def sorry_is_real(observation: Observation) -> Iterator[Finding]:
    """The sorry server is one of the real servers: it serves though its check fails (keepalived#1370, #2601)."""
    for virtual, name in _servers(observation):
        sorry = {virtual.key_of(r) for r in virtual.real_servers if r.sorry}
        same = [r for r in virtual.real_servers if not r.sorry and virtual.key_of(r) in sorry]
        if not same:
            continue
        yield Finding(
            "sorry-server-is-real-server",
            Severity.WARNING,
            f"{name} has its real server {_names(virtual, same)} as sorry_server too",
            (
                f"{virtual.at}: sorry_server {_names(virtual, same)} (conf)",
                "when all checks fail, the kernel gets it as sorry server; as real server it may then not come back",
            ),
            "use another server as sorry_server, or none; then: kvtui reload",
            name,
            (virtual.address,) if virtual.address else (),
        )


def vip_not_bound(observation: Observation) -> Iterator[Finding]:
    """No instance has the address of a virtual server."""
    conf = observation.snapshot.effective_conf
    if conf is None or not conf.instances:
        return
    bound = set(conf.vips())
    if observation.snapshot.addresses is not None:
        bound |= {a.address for a in observation.snapshot.addresses.addresses}
    for virtual, name in _servers(observation):
        if virtual.address in bound or virtual.address is None:
            continue
        yield Finding(
            "virtual-server-without-vip",
            Severity.WARNING,
            f"Virtual server {name} is configured, but no instance has {virtual.address}",
            (
                f"{virtual.at}: no virtual_ipaddress has {virtual.address} (conf)",
                f"no interface has {virtual.address} (addresses)",
            ),
            f"add {virtual.address} to the instance's virtual_ipaddress, then: kvtui reload",
            name,
            (virtual.address,),
        )


RULES = (Rule(port_changes), Rule(udp_checked_by_tcp), Rule(sorry_is_real), Rule(vip_not_bound))
