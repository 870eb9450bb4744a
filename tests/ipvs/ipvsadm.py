"""ipvsadm's listings, and the same listings built from what kvtui read, to compare as text or columns."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network
from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Protocol, endpoint

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable, RealServer, VirtualServer

Columns = dict[tuple[str, str], tuple[str, ...]]
"""(virtual server, real server or "") -> its columns."""

SERVICE_OPTIONS = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service"}
METHOD_OPTIONS = {
    ForwardingMethod.MASQ: "-m",
    ForwardingMethod.DIRECT: "-g",
    ForwardingMethod.TUNNEL: "-i",
}
METHOD_WORDS = {
    ForwardingMethod.MASQ: "Masq",
    ForwardingMethod.DIRECT: "Route",
    ForwardingMethod.TUNNEL: "Tunnel",
}
TUNNELS = ("ipip", "gue", "gre")
SCHEDULER_FLAGS = {
    "sh": {"sched-flag-1": "sh-fallback", "sched-flag-2": "sh-port"},
    "mh": {"sched-flag-1": "mh-fallback", "sched-flag-2": "mh-port"},
}


def ipvsadm(netns: str, *options: str, text: str | None = None) -> str:
    """Runs ipvsadm in a network namespace; it must succeed."""
    argv = ["ip", "netns", "exec", netns, "ipvsadm", *options]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


def columns(output: str) -> Columns:
    """Returns the columns of any `ipvsadm -Ln …` listing."""
    found: Columns = {}
    service = ""
    for line in output.splitlines():
        words = line.split()
        if words[:1] == ["->"] and words[1] != "RemoteAddress:Port":
            found[service, words[1]] = tuple(words[2:])
        elif words[0] in {"TCP", "UDP", "SCTP", "FWM"}:
            six = words[2:3] == ["IPv6"]
            service = " ".join(words[: 3 if six else 2])
            found[service, ""] = tuple(words[3 if six else 2 :])
    return found


def service_name(virtual: VirtualServer) -> str:
    """Returns the name of a virtual server in ipvsadm's listings."""
    if virtual.fwmark is not None:
        return f"FWM {virtual.fwmark}" + (" IPv6" if virtual.family == 6 else "")
    return f"{virtual.protocol} {virtual.name}"


def listed(table: IpvsTable, *fields: str) -> Columns:
    """Returns what kvtui read in the columns of a listing; `fields` as in `cell`. Services have no columns here."""
    return {
        (service_name(virtual), endpoint(*real.key)): tuple(cell(real, field) for field in fields)
        for virtual in table.virtual_servers
        for real in virtual.real_servers
    }


def cell(real: RealServer, field: str) -> str:
    """Returns a column of a real server."""
    return METHOD_WORDS[real.method] if field == "method" else str(getattr(real, field))


def traffic(table: IpvsTable) -> Columns:
    """Returns what kvtui read as `ipvsadm -Ln --stats --exact` lists it."""
    found: Columns = {}
    for virtual in table.virtual_servers:
        for name, stats in [("", virtual.stats), *((endpoint(*r.key), r.stats) for r in virtual.real_servers)]:
            assert stats is not None
            five = (stats.connections, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes)
            found[service_name(virtual), name] = tuple(map(str, five))
    return found


def rates(table: IpvsTable) -> Columns:
    """Returns what kvtui read as `ipvsadm -Ln --rate --exact` lists it."""
    found: Columns = {}
    for virtual in table.virtual_servers:
        for name, stats in [("", virtual.stats), *((endpoint(*r.key), r.stats) for r in virtual.real_servers)]:
            assert stats is not None
            found[service_name(virtual), name] = tuple(
                map(str, (stats.cps, stats.in_pps, stats.out_pps, stats.in_bps, stats.out_bps))
            )
    return found


def saved(table: IpvsTable) -> list[str]:
    """Returns what kvtui read as `ipvsadm -Sn` writes it, sorted and without thresholds."""
    lines = []
    for virtual in table.virtual_servers:
        lines.append(_saved_service(virtual))
        lines += [_saved_real_server(virtual, real) for real in virtual.real_servers]
    return sorted(lines)


def _name_options(virtual: VirtualServer) -> str:
    if virtual.fwmark is not None:
        return f"-f {virtual.fwmark}" + (" -6" if virtual.family == 6 else "")
    return f"{SERVICE_OPTIONS[virtual.protocol]} {virtual.name}"


def _saved_service(virtual: VirtualServer) -> str:
    words = [f"-A {_name_options(virtual)} -s {virtual.scheduler}"]
    if virtual.persistence_timeout is not None:
        words.append(f"-p {virtual.persistence_timeout}")
    if virtual.netmask is not None:
        words.append(f"-M {virtual.netmask if virtual.family == 6 else ip_network((0, virtual.netmask)).netmask}")
    if virtual.persistence_engine is not None:
        words.append(f"--pe {virtual.persistence_engine}")
    if "ops" in virtual.flags:
        words.append("-o")
    names = SCHEDULER_FLAGS.get(virtual.scheduler, {})
    flags = [names.get(flag, flag) for flag in virtual.flags if flag.startswith("sched-flag-")]
    if flags:
        words.append(f"-b {','.join(flags)}")
    return " ".join(words)


def _saved_real_server(virtual: VirtualServer, real: RealServer) -> str:
    words = [f"-a {_name_options(virtual)} -r {endpoint(*real.key)} {METHOD_OPTIONS[real.method]} -w {real.weight}"]
    if real.method is ForwardingMethod.TUNNEL:
        words.append(f"--tun-type {TUNNELS[real.tunnel_type]}")
        if real.tunnel_type == 1:
            words.append(f"--tun-port {real.tunnel_port}")
        if real.tunnel_type != 0:
            words.append("--tun-csum" if real.tunnel_flags & 1 else "--tun-nocsum")
    return " ".join(words)
