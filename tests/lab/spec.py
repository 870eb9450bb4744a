"""The spec of a lab cluster, and the keepalived.conf that keepalived-vip would write for it.

The file follows keepalived-vip's template (aledbf/kube-keepalived-vip, rootfs/keepalived.tmpl): one `vrrp_instance
vips` for all VIPs, state BACKUP on all nodes, a `# Service:` comment before each virtual server, wlc, TCP_CHECK.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.lab.release import keepalived_root

Method = Literal["DR", "NAT", "TUN"]
SUBNET4, SUBNET6 = "10.4.0", "fd00:10:4:"
GATEWAY = f"{SUBNET4}.1"  # the bridge itself: the address of the lab's shell and its commands
CLIENTS = tuple(
    f"{SUBNET4}.{host}" for host in range(100, 106)
)  # all on the one client, so that source hashing spreads requests
CLIENT6 = f"{SUBNET6}:100"
REAL_SERVERS = 5


def real4(number: int) -> str:
    """Returns the IPv4 address of rs-<number>."""
    return f"{SUBNET4}.{10 + number}"


def real6(number: int) -> str:
    """Returns the IPv6 address of rs-<number>."""
    return f"{SUBNET6}:{10 + number}"


@dataclass(frozen=True)
class Service:
    """A Kubernetes Service behind a VIP."""

    name: str  # <namespace>-<service>, as in the template's comment
    vip: str
    real_servers: tuple[str, ...]
    port: int = 80

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.vip


NGINX = Service("default-nginx", f"{SUBNET4}.50", (real4(1), real4(2), real4(3)))
ECHO = Service("default-echo", f"{SUBNET4}.51", (real4(4), real4(5)))
NGINX6 = Service("default-nginx", f"{SUBNET6}:50", (real6(1), real6(2), real6(3)))


@dataclass(frozen=True)
class ClusterSpec:
    """All parameters of a lab cluster. Hashable, so that equal clusters are built once."""

    nodes: int = 3
    unicast: bool = False
    preempt: bool = True  # keepalived-vip's own template always has nopreempt
    priorities: tuple[int, ...] = ()  # default: 100 + index, as keepalived-vip computes them
    advert_int: float = 0.25  # elections take a quarter of the time; VRRP version 2 allows whole seconds only
    vrrp_version: Literal[2, 3] = 3
    vrid: int = 50
    method: Method = "DR"
    scheduler: str = "wlc"
    persistence: int = 0  # seconds; keepalived-vip's template has 1800
    delay_loop: int = 5
    ipv6: bool = False
    services: tuple[Service, ...] = (NGINX, ECHO)
    extra_global: str = ""  # text inside global_defs
    extra_instance: str = ""  # text inside each vrrp_instance
    extra: str = ""  # text at the end of the file; the node's priority replaces PRIORITY
    keepalived: str = "/usr/sbin/keepalived"
    root: str = field(default_factory=keepalived_root)  # the root folder of the keepalived to run
    extra_args: tuple[str, ...] = ()  # more arguments for keepalived
    requests_per_second: float = 4.0  # 0: no traffic

    def __post_init__(self) -> None:
        if self.priorities and len(self.priorities) != self.nodes:
            raise ValueError("one priority for each node")
        if self.vrrp_version == 2 and self.advert_int % 1:
            raise ValueError("VRRP version 2 has whole seconds between adverts")

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names node-a, node-b, …"""
        return tuple(f"node-{chr(ord('a') + index)}" for index in range(self.nodes))

    @property
    def all_services(self) -> tuple[Service, ...]:
        """The services, with nginx over IPv6 if ``ipv6`` is set."""
        return (*self.services, NGINX6) if self.ipv6 else self.services

    @property
    def vips(self) -> tuple[str, ...]:
        return tuple(service.vip for service in self.all_services)

    def address4(self, index: int) -> str:
        """Returns the node's IPv4 address: 10.4.0.3, .4, .5, as in keepalived-vip's figure."""
        return f"{SUBNET4}.{3 + index}"

    def address6(self, index: int) -> str:
        return f"{SUBNET6}:{3 + index}"

    def priority(self, index: int) -> int:
        return self.priorities[index] if self.priorities else 100 + index

    def best(self) -> str:
        """Returns the name of the node with the highest priority."""
        return max(self.node_names, key=lambda name: self.priority(self.node_names.index(name)))

    def conf(self, index: int) -> str:
        """Returns the keepalived.conf of node number `index`."""
        parts = [_globals(self), _instance(self, index, "vips", self.vrid, ipv6=False)]
        if self.ipv6:
            parts.append(_instance(self, index, "vips6", self.vrid + 1, ipv6=True))
        parts += [_virtual_server(self, service) for service in self.all_services]
        return "\n".join([*parts, self.extra.replace("PRIORITY", str(self.priority(index)))]) + "\n"


def _globals(spec: ClusterSpec) -> str:
    return f"""
global_defs {{
  vrrp_version {spec.vrrp_version}
  #get rid of warning:  default user 'keepalived_script' for script execution does not exist - please create
  script_user root
  enable_script_security
  {spec.extra_global}
}}
"""


def _unicast(spec: ClusterSpec, index: int, *, ipv6: bool) -> str:
    addresses = [spec.address6(node) if ipv6 else spec.address4(node) for node in range(spec.nodes)]
    peers = "\n    ".join(address for address in addresses if address != addresses[index])
    return f"""
  unicast_src_ip {addresses[index]}
  unicast_peer {{
    {peers}
  }}
"""


def _instance(spec: ClusterSpec, index: int, name: str, vrid: int, *, ipv6: bool) -> str:
    vips = "\n    ".join(service.vip for service in spec.all_services if service.is_ipv6 == ipv6)
    return f"""
vrrp_instance {name} {{
  state BACKUP
  interface eth0
  virtual_router_id {vrid}
  priority {spec.priority(index)}
  {"" if spec.preempt else "nopreempt"}
  advert_int {spec.advert_int:g}

  track_interface {{
    eth0
  }}
  {_unicast(spec, index, ipv6=ipv6) if spec.unicast else ""}
  virtual_ipaddress {{
    {vips}
  }}
  {spec.extra_instance}
}}
"""


def _virtual_server(spec: ClusterSpec, service: Service) -> str:
    real_servers = "".join(
        f"""
  real_server {address} {service.port} {{
    weight 1
    TCP_CHECK {{
      connect_port {service.port}
      connect_timeout 3
    }}
  }}
"""
        for address in service.real_servers
    )
    return f"""
# Service: {service.name}
virtual_server {service.vip} {service.port} {{
  delay_loop {spec.delay_loop}
  lvs_sched {spec.scheduler}
  lvs_method {spec.method}
  {f"persistence_timeout {spec.persistence}" if spec.persistence else ""}
  protocol TCP
  {real_servers}
}}
"""
