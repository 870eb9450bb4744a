"""Virtual servers whose config cannot work as it is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol, endpoint
from kvtui.rules.triage.rule import Rule
from kvtui.rules.triage.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfRealServer, ConfVirtualServer
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory

KEEPS_THE_PORT = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})


def _servers(seen: Observation) -> Iterator[tuple[ConfVirtualServer, str]]:
    """Each virtual server that has an address and a port, with its name."""
    conf = seen.snapshot.running or seen.snapshot.conf
    for virtual in conf.virtual_servers if conf else ():
        if virtual.address is not None and virtual.port:
            yield virtual, endpoint(virtual.address, virtual.port)


def _name(real: ConfRealServer, port: int) -> str:
    return endpoint(real.address, real.port or port)


def port_changes(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Direct routing and tunnels cannot change a port: keepalived resets it (measured)."""
    for virtual, name in _servers(seen):
        moved = [
            r
            for r in virtual.real_servers
            if r.port not in (None, virtual.port) and not r.sorry and (r.method or virtual.method) in KEEPS_THE_PORT
        ]
        if not moved:
            continue
        yield Finding(
            "port-changed-by-direct-routing",
            Severity.CRITICAL,
            f"{name} sends to other ports, which direct routing and tunnels cannot do",
            (
                f"{virtual.at}: {listed(_name(r, virtual.port or 0) for r in moved)} (conf)",
                f"keepalived says «ports don't match - resetting» and takes {virtual.port} for the real servers too",
            ),
            "kubectl edit service  # port = targetPort, or NAT instead of DR in the ConfigMap",
            name,
            (virtual.address,) if virtual.address else (),
        )


def udp_checked_by_tcp(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Written by keepalived-vip for UDP as well (#44), which is no harm where TCP is answered there too."""
    gone = {v.name for v in seen.virtual_servers or () if v.protocol is Protocol.UDP and v.up < len(v.real_servers)}
    for virtual, name in _servers(seen):
        if virtual.protocol is not Protocol.UDP or name not in gone:
            continue
        checked = [r for r in virtual.real_servers if "TCP_CHECK" in r.checks]
        if not checked:
            continue
        yield Finding(
            "udp-with-tcp-check",
            Severity.WARNING,
            f"UDP {name} lacks real servers: a TCP_CHECK removes those that do not answer TCP on that port",
            (f"{virtual.at}: TCP_CHECK for {listed(_name(r, virtual.port or 0) for r in checked)} (conf)",),
            "let the pods answer TCP on that port too, or write UDP_CHECK (keepalived 2.1.0 and newer)",
            name,
            (virtual.address,) if virtual.address else (),
        )


def vip_not_bound(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A virtual server whose address no instance brings to any interface."""
    conf = seen.snapshot.running or seen.snapshot.conf
    if conf is None or not conf.instances:
        return
    bound = {v.address for i in conf.instances for v in (*i.vips, *i.excluded_vips)}
    if seen.snapshot.addresses is not None:
        bound |= {a.address for a in seen.snapshot.addresses.addresses}
    for virtual, name in _servers(seen):
        if virtual.address in bound or virtual.address is None:
            continue
        yield Finding(
            "virtual-server-without-vip",
            Severity.WARNING,
            f"Virtual server {name} is configured, but no instance has {virtual.address}",
            (f"{virtual.at}: {virtual.address} is in no virtual_ipaddress, and on no interface (conf, addresses)",),
            f"add {virtual.address} to the instance's virtual_ipaddress, then: kvtui reload",
            name,
            (virtual.address,),
        )


RULES = (Rule(port_changes), Rule(udp_checked_by_tcp), Rule(vip_not_bound))
