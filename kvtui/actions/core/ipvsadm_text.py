"""The equivalent ipvsadm commands: every option but the weight as the kernel has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, endpoint
from kvtui.rules.phrases import SERVICE_OPTIONS

if TYPE_CHECKING:
    from kvtui.model.ipvs import RealServer, VirtualServer
    from kvtui.model.keepalived import Keepalived


METHODS = {
    ForwardingMethod.MASQ: "-m",
    ForwardingMethod.LOCAL: "-m",  # the kernel itself turns it into local
    ForwardingMethod.TUNNEL: "-i",
    ForwardingMethod.DIRECT: "-g",
    ForwardingMethod.BYPASS: "-g",  # ipvsadm has no option for it
}
TUNNELS = ("ipip", "gue", "gre")  # IP_VS_CONN_F_TUNNEL_TYPE_*
CHECKSUMS = {0: "--tun-nocsum", 1: "--tun-csum", 2: "--tun-remcsum"}  # IP_VS_TUNNEL_ENCAP_FLAG_*


def edit(virtual: VirtualServer, real: RealServer, weight: int) -> str:
    """``ipvsadm -e …``, which sets every property of a real server: one that is left out falls back to its default."""
    words = ["ipvsadm -e", service(virtual), "-r", endpoint(*real.key), METHODS[real.method], "-w", str(weight)]
    if real.upper_threshold:
        words += ["-x", str(real.upper_threshold)]
    if real.lower_threshold:
        words += ["-y", str(real.lower_threshold)]
    if real.method is ForwardingMethod.TUNNEL and real.tunnel_type < len(TUNNELS):
        words += ["--tun-type", TUNNELS[real.tunnel_type]]
        if TUNNELS[real.tunnel_type] == "gue":
            words += ["--tun-port", str(real.tunnel_port)]
        if real.tunnel_type:
            words.append(CHECKSUMS.get(real.tunnel_flags, CHECKSUMS[0]))
    return " ".join(words)


def service(virtual: VirtualServer) -> str:
    if virtual.fwmark is not None:
        return f"-f {virtual.fwmark}" + (" -6" if virtual.family == 6 else "")
    return f"{SERVICE_OPTIONS[virtual.protocol]} {endpoint(virtual.address or '', virtual.port or 0)}"


def inside(command: str, keepalived: Keepalived | None) -> str:
    """The command as it must be typed here: in keepalived's network namespace, where that is another one."""
    if keepalived is None or keepalived.own_netns is not False:
        return command
    return f"nsenter -t {keepalived.pid} -n {command}"
