"""The lab's network: a bridge, and a network namespace on it per node, per real server and for the client."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.inside import inside
from tests.lab.spec import CLIENT6, CLIENTS, GATEWAY, REAL_SERVERS, SUBNET4, SUBNET6, real4, real6

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.spec import ClusterSpec


def command(argv: Sequence[str], *, text: str | None = None) -> str:
    """Runs a command that must succeed; the error contains its stderr."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}\n{text or ''}")
    return done.stdout


def _has_link(name: str) -> bool:
    """Whether an interface exists in this namespace."""
    return Path("/sys/class/net", name).exists()


def _is_in_lab_subnet(vip: str) -> bool:
    return vip.startswith((f"{SUBNET4}.", SUBNET6))


class LabNetwork:
    """Creates and removes the namespaces of one cluster. A prefix separates several clusters."""

    def __init__(self, spec: ClusterSpec, prefix: str = "") -> None:
        self.spec = spec
        self.prefix = prefix
        self.bridge = f"{prefix}br0"
        self.client = f"{prefix}client"
        self.nodes = [prefix + name for name in spec.node_names]
        self.servers = [f"{prefix}rs-{number + 1}" for number in range(REAL_SERVERS)]

    @property
    def namespaces(self) -> list[str]:
        return [*self.nodes, *self.servers, self.client]

    def up(self) -> None:
        """Creates everything. Sets sysctls first where they must precede an address."""
        lines = [f"link add {self.bridge} type bridge mcast_snooping 0", f"link set {self.bridge} up"]
        if not self.prefix:
            lines += [f"addr add {GATEWAY}/24 dev {self.bridge}"]
        for netns in self.namespaces:
            lines += [
                f"netns add {netns}",
                f"link add {netns}-l type veth peer name eth0 netns {netns}",
                f"link set {netns}-l master {self.bridge} up",
            ]
        command(["ip", "-batch", "-"], text="\n".join(lines) + "\n")
        for index, netns in enumerate(self.nodes):
            sysctls = {"net/ipv4/ip_nonlocal_bind": "1", "net/ipv4/vs/conntrack": "1"}  # as keepalived-vip sets them
            if self.spec.method == "NAT":
                sysctls |= {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
                sysctls |= {f"net/ipv4/conf/{link}/send_redirects": "0" for link in ("all", "eth0")}
            self._configure(netns, sysctls, self._addresses(self.spec.address4(index), self.spec.address6(index)))
        for number, netns in enumerate(self.servers, start=1):
            self._configure(netns, self._server_sysctls(), self._server_lines(number))
        addresses = [line for address in CLIENTS for line in self._addresses(address)]
        self._configure(self.client, {}, [*addresses, *self._addresses(None, CLIENT6), *self._routes()])

    def down(self) -> None:
        """Removes everything, also after a partial creation.

        Deletes the links first: the kernel deletes a namespace's link later, and only when no process is left in it.
        The next cluster with that prefix would still find the link ("File exists").
        """
        lines = [f"link del {netns}-l" for netns in self.namespaces if _has_link(f"{netns}-l")]
        lines += [f"netns del {netns}" for netns in self.namespaces if Path("/run/netns", netns).exists()]
        lines += [f"link del {self.bridge}"] if _has_link(self.bridge) else []
        command(["ip", "-batch", "-"], text="\n".join(lines) + "\n")

    @staticmethod
    def _configure(netns: str, sysctls: dict[str, str], lines: Sequence[str]) -> None:
        with inside(netns):
            for name, value in sysctls.items():  # /proc/sys/net belongs to the namespace of the thread that opens it
                Path("/proc/sys", name).write_text(value)
            command(["ip", "-batch", "-"], text="\n".join(["link set lo up", "link set eth0 up", *lines]) + "\n")

    @staticmethod
    def _addresses(address4: str | None = None, address6: str | None = None) -> list[str]:
        lines = [f"addr add {address4}/24 dev eth0"] if address4 else []
        return lines + ([f"addr add {address6}/64 dev eth0 nodad"] if address6 else [])

    def _routes(self) -> list[str]:
        """Returns routes to VIPs outside the lab's subnet. They are on the same link, as with a router's route."""
        return [f"route add {s.vip}/32 dev eth0" for s in self.spec.all_services if not _is_in_lab_subnet(s.vip)]

    def _server_sysctls(self) -> dict[str, str]:
        """Returns the real servers' sysctls. They have the VIP and must not answer ARP for it (LVS-HOWTO).

        With NAT the node is the gateway to a client on the same link, and sends redirects, by which answers would
        bypass the node. The sysctl send_redirects prevents IPv4 redirects; only the receiver can ignore IPv6 redirects.
        """
        if self.spec.method == "NAT":
            return {f"net/ipv6/conf/{link}/accept_redirects": "0" for link in ("all", "eth0")}
        return {"net/ipv4/conf/all/arp_ignore": "1", "net/ipv4/conf/all/arp_announce": "2"}

    def _server_lines(self, number: int) -> list[str]:
        lines = self._addresses(real4(number), real6(number))
        mine = [
            service for service in self.spec.all_services if {real4(number), real6(number)} & set(service.real_servers)
        ]
        if self.spec.method == "TUN":
            lines.append("link set tunl0 up")
            if self.spec.ipv6:
                lines += [f"link add tunl6 type ip6tnl mode ip6ip6 local {real6(number)}", "link set tunl6 up"]
        for service in mine:
            if self.spec.method == "NAT":  # answers must pass the node with the VIP
                clients = (
                    (f"{SUBNET6}:100/128",) if service.is_ipv6 else (f"{GATEWAY}/32", *(f"{c}/32" for c in CLIENTS))
                )
                onlink = "" if _is_in_lab_subnet(service.vip) else " dev eth0 onlink"
                lines += [f"route add {client} via {service.vip}{onlink}" for client in clients]
            else:
                device = ("tunl6" if service.is_ipv6 else "tunl0") if self.spec.method == "TUN" else "lo"
                lines.append(f"addr add {service.vip}/{'128 nodad' if service.is_ipv6 else 32} dev {device}")
        return lines
