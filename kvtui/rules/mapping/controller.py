"""How the controller on this node was started: what it writes depends on its flags, its version and its node.

A pure guess from what the snapshot holds; each part that is guessed is said in a sentence, and all can be overridden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.mapping import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.addresses import AddressTable
    from kvtui.model.conf import Conf, ConfInstance
    from kvtui.model.keepalived import Controller
    from kvtui.model.kube import KubeNode
    from kvtui.model.snapshot import Snapshot

DEFAULT_VRID = 50
FIRST_PRIORITY = 100
ABSENT = 99
"""The priority of a node that is not in its own list: 100 + (-1)."""
IGNORED = ("lo", "docker0", "flannel.1", "cbr0")
IGNORED_PREFIXES = ("veth", "cali")
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_ALEDBF_FLAGS = ("iface", "http-port", "release-vips")
_CONTRIB_FLAGS = ("vrrp-version", "use-kubernetes-cluster-service")


class ControllerSettings(Struct, frozen=True):
    """What the controller's output depends on, beside the ConfigMap and the Services.

    Attributes:
        dialect: grammar and template.
        why_dialect: what tells, in a few words.
        namespace: ``--watch-namespace``; empty for all.
        vrid: ``--vrid``.
        interface: ``--iface``, or the one that holds the node's address; None when it is not known.
        unicast: ``--use-unicast``.
        proxy_mode: ``--proxy-protocol-mode``.
        notify: KEEPALIVED_NOTIFY; empty when there is none, or it is not known.
        vrrp_version: ``--vrrp-version`` (contrib).
        address: of the node: first ExternalIP, else InternalIP; None when it is not known.
        node_addresses: of all nodes that the controller counts, in any order; None when nodes cannot be read.
        priority: instead of the computed one; None to compute it.
        peers: instead of the computed ones; None to compute them.
        assumptions: what is guessed, a sentence each.
    """

    dialect: Dialect = Dialect.ALEDBF
    why_dialect: str = ""
    namespace: str = ""
    vrid: int = DEFAULT_VRID
    interface: str | None = None
    unicast: bool = False
    proxy_mode: bool = False
    notify: str = ""
    vrrp_version: int = 3
    address: str | None = None
    node_addresses: tuple[str, ...] | None = None
    priority: int | None = None
    peers: tuple[str, ...] | None = None
    assumptions: tuple[str, ...] = ()

    def computed_priority(self) -> int | None:
        """100 + the place of the node's address among all, sorted as text; 99 when it is not among them.

        None when the nodes or the address are not known.
        """
        if self.priority is not None:
            return self.priority
        if self.node_addresses is None or self.address is None:
            return None
        ordered = sorted(self.node_addresses)
        return FIRST_PRIORITY + ordered.index(self.address) if self.address in ordered else ABSENT

    def computed_peers(self) -> tuple[str, ...] | None:
        """All nodes' addresses but this node's, sorted as text; None when they are not known."""
        if self.peers is not None:
            return self.peers
        if self.node_addresses is None or self.address is None:
            return None
        return tuple(sorted(a for a in self.node_addresses if a != self.address))


def settings_of(
    snapshot: Snapshot, *, dialect: Dialect | None = None, node: str | None = None, interface: str | None = None
) -> ControllerSettings:
    """The settings of the controller on this node, or on another.

    Args:
        snapshot: one reading of this node.
        dialect: which controller; None to guess it.
        node: name of a node of the cluster to compute for; None for this one.
        interface: instead of ``--iface``; None to find it out.
    """
    keepalived = snapshot.chosen_keepalived
    controller = keepalived.controller if keepalived else None
    flags = _flags(controller)
    chosen, why = (dialect, "as it was asked for") if dialect else _dialect(snapshot, flags)
    assumptions = (
        [] if controller else ["no kube-keepalived-vip was found here: its flags are taken to be the defaults"]
    )
    place = _place(snapshot, chosen, node, assumptions)
    interface = interface or (controller.interface if controller else None)
    if not interface:
        interface = _interface(snapshot, node, assumptions)
    return replace(
        place,
        dialect=chosen,
        why_dialect=why,
        namespace=flags.get("watch-namespace", ""),
        vrid=DEFAULT_VRID if controller is None or controller.vrid is None else controller.vrid,
        interface=interface,
        unicast=_true(flags, "use-unicast"),
        proxy_mode=_true(flags, "proxy-protocol-mode"),
        notify=(controller.notify or "") if controller else "",
        vrrp_version=int(flags["vrrp-version"]) if flags.get("vrrp-version", "").isdecimal() else 3,
        assumptions=tuple(assumptions),
    )


def _place(snapshot: Snapshot, dialect: Dialect, node: str | None, assumptions: list[str]) -> ControllerSettings:
    """The node's address and all nodes'; where nodes cannot be read, what keepalived.conf says of this one."""
    kube = snapshot.kube
    if kube is not None and kube.nodes is not None:
        wanted = own_node(snapshot) if node is None else kube.nodes.get(node)
        assumptions.append(
            f"all {len(kube.nodes)} nodes are counted; a nodeSelector of the DaemonSet would leave some out"
        )
        addresses = _addresses(kube.nodes.values(), dialect)
        return ControllerSettings(address=wanted.address if wanted else None, node_addresses=addresses)
    ours = _instance(snapshot.conf)
    if ours is None or node is not None:
        return ControllerSettings()
    assumptions.append("the nodes cannot be read: priority and unicast peers are taken from keepalived.conf")
    return ControllerSettings(address=ours.unicast_source, priority=ours.priority, peers=ours.unicast_peers)


def own_node(snapshot: Snapshot) -> KubeNode | None:
    """This machine among the cluster's nodes: by the controller's pod, by name, by address; None when not found."""
    kube = snapshot.kube
    nodes = kube.nodes if kube else None
    if not kube or not nodes:
        return None
    keepalived = snapshot.chosen_keepalived
    pod = keepalived.controller.pod if keepalived and keepalived.controller else None
    if pod and kube.pods:
        found = kube.pods.get((pod.partition("/")[0], pod.partition("/")[2]))
        if found and found.node and found.node in nodes:
            return nodes[found.node]
    if snapshot.node.name in nodes:
        return nodes[snapshot.node.name]
    held = {a.address for a in snapshot.addresses.addresses} if snapshot.addresses else set()
    return next((n for n in nodes.values() if held.intersection(n.internal_ips + n.external_ips)), None)


def _flags(controller: Controller | None) -> dict[str, str]:
    """The controller's flags: ``--name=value`` and ``--name value``; a bare one is ``true`` (as pflag takes it)."""
    argv = controller.argv if controller else ()
    flags: dict[str, str] = {}
    for word, following in zip(argv[1:], (*argv[2:], "-"), strict=False):
        if word.startswith("--"):
            name, joined, value = word[2:].partition("=")
            flags[name] = value if joined else ("true" if following.startswith("-") else following)
    return flags


def _true(flags: dict[str, str], name: str) -> bool:
    return flags.get(name, "false") in _TRUE


def _dialect(snapshot: Snapshot, flags: dict[str, str]) -> tuple[Dialect, str]:
    """Its own flags tell best, then how it wrote the file, then the keepalived that its image brings."""
    for dialect, names in ((Dialect.ALEDBF, _ALEDBF_FLAGS), (Dialect.CONTRIB, _CONTRIB_FLAGS)):
        if flag := next((n for n in names if n in flags), None):
            return dialect, f"only its controllers have --{flag}"
    named = [v.service for v in snapshot.conf.virtual_servers if v.service] if snapshot.conf else []
    if named and "/" not in named[0]:
        return Dialect.ALEDBF, f"keepalived.conf names a Service {named[0]}, with a dash"
    if named:
        return _older(snapshot.conf, f"keepalived.conf names a Service {named[0]}, with a slash")
    if snapshot.conf and "script_user" in snapshot.conf.globals:
        return Dialect.ALEDBF, "keepalived.conf has script_user"
    keepalived = snapshot.chosen_keepalived
    version = keepalived.version if keepalived else None
    if version and version.startswith("1.2."):
        return _older(snapshot.conf, f"keepalived is {version}, which images up to 0.11 bring")
    if keepalived and "/keepalived.pid" in keepalived.argv and version is None:
        return _older(snapshot.conf, "the pid file is /keepalived.pid")
    return Dialect.ALEDBF, "nothing tells otherwise"


def _older(conf: Conf | None, why: str) -> tuple[Dialect, str]:
    """0.9 or contrib's newer ones: only the latter write DR, and VIPs without a Service."""
    if conf is not None:
        served = {v.address for v in conf.virtual_servers}
        if any(v.method is ForwardingMethod.DIRECT for v in conf.virtual_servers):
            return Dialect.CONTRIB, f"{why}, and it has DR, which 0.9 does not know"
        if any(v.address not in served for i in conf.instances for v in i.vips):
            return Dialect.CONTRIB, f"{why}, and it has a VIP without a Service, which 0.9 skips"
    return Dialect.V09, f"{why}, and nothing in it is newer than 0.9"


def _instance(conf: Conf | None) -> ConfInstance | None:
    """The controller's one instance."""
    return next((i for i in conf.instances if i.name == "vips"), None) if conf else None


def _addresses(nodes: Iterable[KubeNode], dialect: Dialect) -> tuple[str, ...]:
    """Each node's address as the controller lists it.

    aledbf's head takes the first ExternalIP, else the InternalIP, as for its own node; the older ones list the
    InternalIP first, so that a node with both kinds is not in its own list (and has priority 99).
    """
    if dialect is Dialect.ALEDBF:
        return tuple(n.address or "" for n in nodes)
    both = (n.internal_ips + n.external_ips for n in nodes)
    return tuple(addresses[0] for addresses in both if addresses)


def _interface(snapshot: Snapshot, node: str | None, assumptions: list[str]) -> str | None:
    """The interface that holds the node's address; empty when the controller would find none.

    Another node's interfaces are not known: it is taken to be like this one.
    """
    here = own_node(snapshot)
    table, ours = snapshot.addresses, _instance(snapshot.conf)
    if table is None or here is None or here.address is None:
        found = ours.interface if ours else None
        if found:
            assumptions.append(f"the interface {found} is taken from keepalived.conf")
    else:
        found = _holding(table, here.address)
        if not found:
            assumptions.append(
                f"the node's address {here.address} is not the first one of any interface that the controller looks "
                "at: it writes an empty interface, and keepalived does not start (give it --iface)"
            )
    if node is not None and (here is None or here.name != node) and found is not None:
        assumptions.append(f"node {node} is taken to use the interface {found}, as this one does")
    return found


def _holding(table: AddressTable, address: str) -> str:
    """The controller looks at the first IPv4 address of each interface, and at some interfaces not at all."""
    first: dict[str, str] = {}
    for held in table.addresses:
        if ":" not in held.address and held.scope != "host":
            first.setdefault(held.interface, held.address)
    looked_at = (n for n in first if n not in IGNORED and not n.startswith(IGNORED_PREFIXES))
    return next((name for name in looked_at if first[name] == address), "")
