"""Settings of the controller on this node: its flags, its version and its node's address.

Derived from the snapshot. Each assumption is stated in a sentence, and every setting can be overridden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.keepalived import is_true, parse_flags
from kvtui.model.mapping import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.addresses import AddressTable
    from kvtui.model.conf import Conf, ConfInstance
    from kvtui.model.kube import KubeNode
    from kvtui.model.snapshot import Snapshot

INSTANCE = "vips"
"""The name of the only instance that the controller writes."""
DEFAULT_VRID = 50
FIRST_PRIORITY = 100
"""The controller adds the index in the sorted list of the nodes' addresses (keepalived-vip.md section 2)."""
UNLISTED_PRIORITY = 99
"""The priority of a node that is not in the controller's list of nodes: 100 + (-1)."""
IGNORED = ("lo", "docker0", "flannel.1", "cbr0")
IGNORED_PREFIXES = ("veth", "cali")
_ALEDBF_FLAGS = ("iface", "http-port", "release-vips")
_CONTRIB_FLAGS = ("vrrp-version", "use-kubernetes-cluster-service")


class ControllerSettings(Struct, frozen=True):
    """The inputs of the controller apart from the ConfigMap and the Services; unknown ones are None or empty."""

    dialect: Dialect = Dialect.ALEDBF
    why_dialect: str = ""  # evidence, in a few words
    namespace: str = ""  # `--watch-namespace`; empty for all
    vrid: int = DEFAULT_VRID
    interface: str | None = None  # `--iface`, or the interface with the node's address
    unicast: bool = False
    proxy_mode: bool = False
    notify: str = ""  # KEEPALIVED_NOTIFY
    vrrp_version: int = 3
    address: str | None = None  # of the node: first ExternalIP, else InternalIP
    node_addresses: tuple[str, ...] | None = None  # of all nodes that the controller counts, in any order
    priority: int | None = None
    peers: tuple[str, ...] | None = None
    assumptions: tuple[str, ...] = ()

    def computed_priority(self) -> int | None:
        """Returns 100 + the index of the node's address among all, sorted as text; 99 if it is not among them.

        None if the nodes or the address are unknown.
        """
        if self.priority is not None:
            return self.priority
        if self.node_addresses is None or self.address is None:
            return None
        ordered = sorted(self.node_addresses)
        return FIRST_PRIORITY + ordered.index(self.address) if self.address in ordered else UNLISTED_PRIORITY

    def computed_peers(self) -> tuple[str, ...] | None:
        if self.peers is not None:
            return self.peers
        if self.node_addresses is None or self.address is None:
            return None
        return tuple(sorted(a for a in self.node_addresses if a != self.address))


def settings_of(
    snapshot: Snapshot, *, dialect: Dialect | None = None, node: str | None = None, interface: str | None = None
) -> ControllerSettings:
    """Returns the settings of the controller on this node, or on another ``node``; the options override."""
    controller = snapshot.controller
    flags = parse_flags(controller.argv) if controller else {}
    chosen, why = (dialect, "given by option") if dialect else _dialect(snapshot, flags)
    assumptions = [] if controller else ["kube-keepalived-vip does not run on this node: default flags are assumed"]
    addresses = _node_addresses(snapshot, chosen, node, assumptions)
    interface = interface or (controller.interface if controller else None)
    if not interface:
        interface = _interface(snapshot, node, assumptions)
    return replace(
        addresses,
        dialect=chosen,
        why_dialect=why,
        namespace=flags.get("watch-namespace", ""),
        vrid=DEFAULT_VRID if controller is None or controller.vrid is None else controller.vrid,
        interface=interface,
        unicast=is_true(flags, "use-unicast"),
        proxy_mode=is_true(flags, "proxy-protocol-mode"),
        notify=(controller.notify or "") if controller else "",
        vrrp_version=int(flags["vrrp-version"]) if flags.get("vrrp-version", "").isdecimal() else 3,
        assumptions=tuple(assumptions),
    )


def _node_addresses(
    snapshot: Snapshot, dialect: Dialect, node: str | None, assumptions: list[str]
) -> ControllerSettings:
    """Returns the node's address and those of all nodes; without the API, this node's values in keepalived.conf."""
    kube = snapshot.kube
    if kube is not None and kube.nodes is not None:
        wanted = own_node(snapshot) if node is None else kube.nodes.get(node)
        assumptions.append(f"all {len(kube.nodes)} nodes count; a nodeSelector of the DaemonSet would exclude some")
        addresses = _addresses(kube.nodes.values(), dialect)
        return ControllerSettings(address=wanted.address if wanted else None, node_addresses=addresses)
    instance = _instance(snapshot.conf)
    if instance is None or node is not None:
        return ControllerSettings()
    assumptions.append("the nodes cannot be read: priority and unicast peers come from keepalived.conf")
    return ControllerSettings(address=instance.unicast_source, priority=instance.priority, peers=instance.unicast_peers)


def own_node(snapshot: Snapshot) -> KubeNode | None:
    """Returns this node in the API: by the controller's pod, by name, or by address; None if not found."""
    kube = snapshot.kube
    nodes = kube.nodes if kube else None
    if not kube or not nodes:
        return None
    name = snapshot.controller.pod if snapshot.controller else None
    if name and kube.pods:
        pod = kube.pods.get((name.partition("/")[0], name.partition("/")[2]))
        if pod and pod.node and pod.node in nodes:
            return nodes[pod.node]
    if snapshot.node.name in nodes:
        return nodes[snapshot.node.name]
    held = {a.address for a in snapshot.addresses.addresses} if snapshot.addresses else set()
    return next((n for n in nodes.values() if held.intersection(n.internal_ips + n.external_ips)), None)


def _dialect(snapshot: Snapshot, flags: dict[str, str]) -> tuple[Dialect, str]:
    """Detects the dialect from the flags, then the config file, then the keepalived version of the image."""
    for dialect, names in ((Dialect.ALEDBF, _ALEDBF_FLAGS), (Dialect.CONTRIB, _CONTRIB_FLAGS)):
        if flag := next((n for n in names if n in flags), None):
            return dialect, f"only this controller has --{flag}"
    comments = [v.service for v in snapshot.conf.written_servers if v.service] if snapshot.conf else []
    if comments and "/" not in comments[0]:
        return Dialect.ALEDBF, f"keepalived.conf names a Service {comments[0]}, with a dash"
    if comments:
        return _older(snapshot.conf, f"keepalived.conf names a Service {comments[0]}, with a slash")
    if snapshot.conf and "script_user" in snapshot.conf.globals:
        return Dialect.ALEDBF, "keepalived.conf has script_user"
    keepalived = snapshot.chosen_keepalived
    version = keepalived.version if keepalived else None
    if version and version.startswith("1.2."):
        return _older(snapshot.conf, f"keepalived is {version}, as in images up to 0.11")
    if keepalived and "/keepalived.pid" in keepalived.argv and version is None:
        return _older(snapshot.conf, "the PID file is /keepalived.pid")
    return Dialect.ALEDBF, "default"


def _older(conf: Conf | None, why: str) -> tuple[Dialect, str]:
    """Returns 0.9 or contrib: only contrib writes DR and VIPs without a Service."""
    if conf is not None:
        served = {v.address for v in conf.virtual_servers}
        if any(v.method is ForwardingMethod.DIRECT for v in conf.virtual_servers):
            return Dialect.CONTRIB, f"{why}, and uses DR, which 0.9 does not support"
        if any(v.address not in served for i in conf.instances for v in i.vips):
            return Dialect.CONTRIB, f"{why}, and has a VIP without a Service, which 0.9 skips"
    return Dialect.V09, f"{why}, and uses nothing newer than 0.9"


def _instance(conf: Conf | None) -> ConfInstance | None:
    return conf.instance(INSTANCE) if conf else None


def _addresses(nodes: Iterable[KubeNode], dialect: Dialect) -> tuple[str, ...]:
    """Returns the nodes' addresses as the controller lists them.

    aledbf's head lists the first ExternalIP, else the InternalIP, as for its own node. Older controllers list the
    InternalIP first, so a node with both is missing from its own list and gets priority 99.
    """
    if dialect is Dialect.ALEDBF:
        return tuple(n.address or "" for n in nodes)
    both = (n.internal_ips + n.external_ips for n in nodes)
    return tuple(addresses[0] for addresses in both if addresses)


def _interface(snapshot: Snapshot, node: str | None, assumptions: list[str]) -> str | None:
    """Returns the interface with the node's address; empty if the controller would not find one.

    kvtui does not know another node's interfaces and assumes that they equal this node's.
    """
    here = own_node(snapshot)
    table, instance = snapshot.addresses, _instance(snapshot.conf)
    if table is None or here is None or here.address is None:
        interface = instance.interface if instance else None
        if interface:
            assumptions.append(f"the interface {interface} comes from keepalived.conf")
    else:
        interface = _interface_with(table, here.address)
        if not interface:
            assumptions.append(
                f"the node's address {here.address} is not the first address of any interface that the controller "
                "searches: it writes an empty interface, and keepalived does not start (set --iface)"
            )
    if node is not None and (here is None or here.name != node) and interface is not None:
        assumptions.append(f"node {node} is assumed to use the interface {interface}, like this node")
    return interface


def _interface_with(table: AddressTable, address: str) -> str:
    """Searches like the controller: only the first IPv4 address of each interface, and not every interface."""
    first: dict[str, str] = {}
    for entry in table.addresses:
        if ":" not in entry.address and entry.scope != "host":
            first.setdefault(entry.interface, entry.address)
    searched = (n for n in first if n not in IGNORED and not n.startswith(IGNORED_PREFIXES))
    return next((name for name in searched if first[name] == address), "")
