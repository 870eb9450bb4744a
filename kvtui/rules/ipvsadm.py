"""ipvsadm's commands (ipvsadm(8), measured with 1.31). ``-e`` and ``-E`` reset whatever they are not given."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Protocol, endpoint
from kvtui.model.text import shell_word

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable, RealServer, VirtualServer
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import VirtualServerView

SERVICES = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service", Protocol.FWMARK: "-f"}
METHODS = {
    ForwardingMethod.MASQ: "-m",
    ForwardingMethod.LOCAL: "-m",  # the kernel itself turns it into local
    ForwardingMethod.TUNNEL: "-i",
    ForwardingMethod.DIRECT: "-g",
    ForwardingMethod.BYPASS: "-g",  # ipvsadm has no option for it
}
TUNNELS = ("ipip", "gue", "gre")  # IP_VS_CONN_F_TUNNEL_TYPE_*
CHECKSUMS = {0: "--tun-nocsum", 1: "--tun-csum", 2: "--tun-remcsum"}  # IP_VS_TUNNEL_ENCAP_FLAG_*
SCHEDULER_FLAG = "sched-flag-"


ADDRESS = re.compile(r"[\w.:\[\]-]+")


def address_word(text: str) -> str:
    """Returns ``10.2.68.5:80`` or ``[fd00::5]:80`` unchanged; other text is quoted for a shell."""
    return text if ADDRESS.fullmatch(text) else shell_word(text)


def service(virtual: VirtualServer | VirtualServerView) -> str:
    """Returns how ipvsadm names a virtual server: ``-t 10.4.0.50:80``, ``-f 7 -6``."""
    if virtual.fwmark is not None:
        return f"-f {virtual.fwmark}" + (" -6" if virtual.key[1] == "::" else "")
    return f"{SERVICES[virtual.protocol]} {address_word(endpoint(virtual.address or '', virtual.port or 0))}"


def edit(virtual: VirtualServer, real: RealServer, weight: int) -> str:
    """Returns the command that sets a real server's weight and keeps everything else."""
    target = address_word(endpoint(*real.key))
    words = ["ipvsadm -e", service(virtual), "-r", target, METHODS[real.method], "-w", str(weight)]
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


def edit_weight(table: IpvsTable | None, view: VirtualServerView, key: tuple[str, int], weight: int) -> str:
    """Returns ``edit`` for a real server of a view; an instruction if the kernel does not have it."""
    for virtual in table.virtual_servers if table else ():
        for real in virtual.real_servers if virtual.key == view.key else ():
            if real.key == key:
                return edit(virtual, real, weight)
    return f"give {endpoint(*key)} of {view.name} the weight {weight}"


def edit_service(
    table: IpvsTable | None, view: VirtualServerView, scheduler: str, persistence_timeout: int | None
) -> str:
    """Returns the command that sets scheduler and persistence of a virtual server and keeps everything else."""
    virtual = next((v for v in table.virtual_servers if v.key == view.key), None) if table else None
    words = ["ipvsadm -E", service(view), "-s", shell_word(scheduler)]
    if persistence_timeout:
        words += ["-p", str(persistence_timeout), *(_persistence(virtual) if virtual else [])]
    flags = virtual.flags if virtual else view.flags
    scheduled = [f"flag-{f.removeprefix(SCHEDULER_FLAG)}" for f in flags if f.startswith(SCHEDULER_FLAG)]
    if scheduled and scheduler == view.scheduler:  # another scheduler gives them another meaning
        words += ["-b", ",".join(scheduled)]
    return " ".join([*words, *(["-o"] if "ops" in flags else [])])


def _persistence(virtual: VirtualServer) -> list[str]:
    six, bits = virtual.family == 6, virtual.netmask
    words = []
    if bits is not None and bits < (128 if six else 32):
        words += ["-M", str(bits) if six else str(IPv4Network((0, bits)).netmask)]
    return [*words, *(["--pe", shell_word(virtual.persistence_engine)] if virtual.persistence_engine else [])]


def inside(command: str, keepalived: Keepalived | None) -> str:
    """The command as it must be typed here: in keepalived's network namespace, where that is another one."""
    if keepalived is None or keepalived.own_netns is not False:
        return command
    return f"nsenter -t {keepalived.pid} -n {command}"
