"""ConfigMap and Services → the keepalived.conf that the controller should have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.mapping import MappingState
from kvtui.rules.mapping import template
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.mapping.grammar import comment_name, keepalived_method, parse_all
from kvtui.rules.mapping.template import Block, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Kube
    from kvtui.model.mapping import Mapping
    from kvtui.rules.mapping.backends import Backend, PortBackends
    from kvtui.rules.mapping.controller import ControllerSettings

UNSTABLE = 12
"""Go's ``sort.Sort`` keeps the order of equals up to these many, and makes no promise beyond."""


class ExpectedServer(Struct, frozen=True):
    """A virtual server that the controller should have written.

    Attributes:
        vip: the key, as it is written.
        port: the Service's port.
        protocol: of the Service's port.
        method: what keepalived makes of the method written (``NAT`` or ``DR``).
        namespace: of the Service.
        service: its name.
        backends: the ready ones, sorted, without doubles.
        others: endpoints of the same port that are not ready.
    """

    vip: str
    port: int
    protocol: str
    method: str
    namespace: str
    service: str
    backends: tuple[Backend, ...]
    others: tuple[Backend, ...] = ()


class Skipped(Struct, frozen=True):
    """An entry, or one port of it, that makes no virtual server, and why, in a sentence."""

    vip: str
    why: str
    port: int | None = None


class Expected(Struct, frozen=True):
    """What the controller should have written.

    Attributes:
        text: of the file, byte for byte; None when something that it depends on is not known (see ``missing``).
        vips: of ``virtual_ipaddress``, in order.
        servers: virtual servers, in order; none in proxy mode, where HAProxy does their work.
        interface: of the instance; None when it is not known.
        vrid: of the instance.
        priority: of the instance; None when it is not known.
        unicast_source: None without ``--use-unicast``.
        unicast_peers: sorted as text.
        mappings: the entries, in the controller's order.
        skipped: what makes no virtual server.
        missing: what had to be known and is not, a sentence each.
        notes: what was assumed, a sentence each.
        proxy_mode: HAProxy forwards, IPVS does not.
        read: the ConfigMap, Services and endpoints were: VIPs and servers are known, whatever else is missing.
    """

    text: str | None
    vips: tuple[str, ...] = ()
    servers: tuple[ExpectedServer, ...] = ()
    interface: str | None = None
    vrid: int | None = None
    priority: int | None = None
    unicast_source: str | None = None
    unicast_peers: tuple[str, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    proxy_mode: bool = False
    read: bool = True


def expected(kube: Kube, settings: ControllerSettings) -> Expected:
    """What the controller should have written for what the API says now.

    Args:
        kube: with the ConfigMap, the Services that it names and their endpoints.
        settings: of the controller.
    """
    unread = _unread(kube)
    if kube.configmap is None or unread:
        return Expected(None, missing=unread, notes=settings.assumptions, read=False)
    mappings = parse_all(kube.configmap, settings.dialect)
    skipped: list[Skipped] = []
    found = [pair for m in mappings for pair in _blocks(m, kube, settings, skipped)]
    found.sort(key=lambda pair: (pair[0].name, pair[0].vip, pair[0].port))
    blocks = tuple(block for block, _ in found)
    priority, peers = settings.computed_priority(), settings.computed_peers()
    missing = _missing(settings, priority, peers)
    interface = settings.interface
    source = settings.address if settings.unicast else None
    page = Page(
        interface=interface or "",
        vrid=settings.vrid,
        priority=priority or 0,
        blocks=blocks,
        unicast_source=source,
        unicast_peers=(peers or ()) if settings.unicast else (),
        notify=settings.notify,
        proxy_mode=settings.proxy_mode,
        vrrp_version=settings.vrrp_version,
    )
    return Expected(
        text=None if missing else template.render(page, settings.dialect),
        vips=page.vips,
        servers=() if settings.proxy_mode else tuple(s for _, s in found if s is not None),
        interface=interface,
        vrid=settings.vrid,
        priority=priority,
        unicast_source=source,
        unicast_peers=page.unicast_peers,
        mappings=mappings,
        skipped=tuple(skipped),
        missing=missing,
        notes=(*settings.assumptions, *_notes(blocks)),
        proxy_mode=settings.proxy_mode,
    )


def _unread(kube: Kube) -> tuple[str, ...]:
    """What of the API must be there and is not."""
    name = "/".join(kube.configmap_name) if kube.configmap_name else None
    missing = []
    if kube.configmap is None:
        if kube.configmap_missing:
            missing.append(f"the ConfigMap {name} does not exist")
        elif name is None:
            missing.append("it is not known which ConfigMap the controller reads: give --configmap NAMESPACE/NAME")
        else:
            missing.append(f"the ConfigMap {name} was not read")
    if kube.services is None:
        missing.append("the Services were not read")
    if kube.endpoints is None:
        missing.append("the endpoints were not read")
    return tuple(missing)


def _missing(settings: ControllerSettings, priority: int | None, peers: tuple[str, ...] | None) -> tuple[str, ...]:
    missing = []
    if settings.interface is None:
        missing.append("the interface is not known: neither --iface nor the node's address tells")
    if priority is None:
        missing.append("the priority is not known: it follows from the addresses of all nodes, and which one this is")
    if settings.unicast and (peers is None or settings.address is None):
        missing.append("the unicast peers are not known: they are the addresses of the other nodes")
    return tuple(missing)


def _blocks(
    mapping: Mapping, kube: Kube, settings: ControllerSettings, skipped: list[Skipped]
) -> Iterator[tuple[Block, ExpectedServer | None]]:
    if mapping.state is MappingState.VIP_ONLY:
        yield Block("", mapping.vip, 0, "TCP", template.VIP_ONLY, ()), None
        return
    target = mapping.target
    if target is None or mapping.method is None:
        skipped.append(Skipped(mapping.vip, mapping.error or "the entry has no Service"))
        return
    service = (kube.services or {}).get(target)
    if service is None or (settings.namespace and settings.namespace != target[0]):
        watched = f" in {settings.namespace}, the only namespace that is watched" if settings.namespace else ""
        skipped.append(Skipped(mapping.vip, f"Service {'/'.join(target)} does not exist{watched}"))
        return
    name = comment_name(*target, settings.dialect)
    for port in port_backends(service, endpoints_of(kube, target)):
        if not port.backends:
            skipped.append(Skipped(mapping.vip, port.why_none, port.port.port))
            continue
        written = tuple(b.key for b in port.backends)
        block = Block(name, mapping.vip, port.port.port, port.port.protocol, mapping.method, written)
        yield block, _server(mapping.vip, target, mapping.method, port)


def _server(vip: str, target: tuple[str, str], method: str, port: PortBackends) -> ExpectedServer:
    once = {b.key: b for b in port.backends}
    return ExpectedServer(
        vip=vip,
        port=port.port.port,
        protocol=port.port.protocol,
        method=keepalived_method(method),
        namespace=target[0],
        service=target[1],
        backends=tuple(once.values()),
        others=tuple(b for b in port.others if b.key not in once),
    )


def _notes(blocks: tuple[Block, ...]) -> tuple[str, ...]:
    names = [(b.name, b.vip, b.port) for b in blocks]
    if len(names) > UNSTABLE and len(set(names)) < len(names):
        note = (
            "two virtual servers have the same Service, VIP and port (TCP and UDP): beyond "
            f"{UNSTABLE} virtual servers the controller may write these in either order"
        )
        return (note,)
    return ()
