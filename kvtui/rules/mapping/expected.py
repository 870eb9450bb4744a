"""Computes the keepalived.conf that the controller should have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.mapping import MappingState
from kvtui.rules.mapping import template
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.mapping.grammar import comment_name, keepalived_method, parse_all
from kvtui.rules.mapping.template import MappingBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Kube
    from kvtui.model.mapping import Mapping
    from kvtui.rules.mapping.backends import Backend
    from kvtui.rules.mapping.controller import ControllerSettings

MAX_STABLE_SORT = 12
"""Go's ``sort.Sort`` keeps the order of equal elements only up to this length."""


class ExpectedServer(Struct, frozen=True):
    vip: str  # the key, unchanged
    port: int
    protocol: str
    method: str  # what keepalived uses (`NAT` or `DR`)
    namespace: str
    service: str
    backends: tuple[Backend, ...]  # ready ones, sorted, without duplicates
    others: tuple[Backend, ...] = ()  # endpoints of the same port that are not ready


class Skipped(Struct, frozen=True):
    """An entry, or one port of it, without a virtual server, and the reason in a sentence."""

    vip: str
    why: str
    port: int | None = None


class ExpectedConfig(Struct, frozen=True):
    """The config that the controller should have written."""

    text: str | None  # of the file, byte for byte; None if an input is unknown
    vips: tuple[str, ...] = ()
    servers: tuple[ExpectedServer, ...] = ()
    interface: str | None = None
    vrid: int | None = None
    priority: int | None = None
    unicast_source: str | None = None  # None without `--use-unicast`
    unicast_peers: tuple[str, ...] = ()  # sorted as text
    mappings: tuple[Mapping, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[str, ...] = ()  # unknown inputs, one sentence each; `notes`: assumptions
    notes: tuple[str, ...] = ()
    proxy_mode: bool = False  # HAProxy forwards instead of IPVS
    read: bool = True  # ConfigMap, Services and endpoints were read, so VIPs and servers are known


def expected(kube: Kube, settings: ControllerSettings) -> ExpectedConfig:
    unread = tuple(_unread(kube))
    if kube.configmap is None or unread:
        return ExpectedConfig(None, missing=unread, notes=settings.assumptions, read=False)
    mappings = parse_all(kube.configmap, settings.dialect)
    skipped: list[Skipped] = []
    pairs = [pair for m in mappings for pair in _blocks(m, kube, settings, skipped)]
    pairs.sort(key=lambda pair: (pair[0].name, pair[0].vip, pair[0].port))
    blocks = tuple(block for block, _ in pairs)
    priority, peers = settings.computed_priority(), settings.computed_peers()
    missing = tuple(_missing(settings, priority, peers))
    return ExpectedConfig(
        text=None if missing else template.render(settings, blocks),
        vips=template.vips_of(blocks),
        servers=() if settings.proxy_mode else tuple(s for _, s in pairs if s is not None),
        interface=settings.interface,
        vrid=settings.vrid,
        priority=priority,
        unicast_source=settings.address if settings.unicast else None,
        unicast_peers=(peers or ()) if settings.unicast else (),
        mappings=mappings,
        skipped=tuple(skipped),
        missing=missing,
        notes=(*settings.assumptions, *_notes(blocks)),
        proxy_mode=settings.proxy_mode,
    )


def _unread(kube: Kube) -> Iterator[str]:
    name = "/".join(kube.configmap_name) if kube.configmap_name else None
    if kube.configmap_missing and kube.configmap is None:
        yield f"the ConfigMap {name} does not exist"
    elif kube.configmap is None:
        unknown = "the controller's ConfigMap is unknown: set --configmap NAMESPACE/NAME"
        yield f"the ConfigMap {name} was not read" if name else unknown
    if kube.services is None:
        yield "the Services were not read"
    if kube.endpoints is None:
        yield "the endpoints were not read"


def _missing(settings: ControllerSettings, priority: int | None, peers: tuple[str, ...] | None) -> Iterator[str]:
    if settings.interface is None:
        yield "the interface is unknown: no --iface, and the node's address is unknown"
    if priority is None:
        yield "the priority is unknown: it depends on the addresses of all nodes and of this node"
    if settings.unicast and (peers is None or settings.address is None):
        yield "the unicast peers are unknown: they are the addresses of the other nodes"


def _blocks(
    mapping: Mapping, kube: Kube, settings: ControllerSettings, skipped: list[Skipped]
) -> Iterator[tuple[MappingBlock, ExpectedServer | None]]:
    if mapping.state is MappingState.VIP_ONLY:
        yield MappingBlock("", mapping.vip, 0, "TCP", template.VIP_ONLY, ()), None
        return
    target = mapping.target
    if target is None or mapping.method is None:
        skipped.append(Skipped(mapping.vip, mapping.error or "the entry has no Service"))
        return
    service = (kube.services or {}).get(target)
    if service is None or (settings.namespace and settings.namespace != target[0]):
        watched = f" in {settings.namespace}, the only watched namespace" if settings.namespace else ""
        skipped.append(Skipped(mapping.vip, f"Service {'/'.join(target)} does not exist{watched}"))
        return
    name = comment_name(*target, settings.dialect)
    for port in port_backends(service, endpoints_of(kube, target)):
        if not port.backends:
            skipped.append(Skipped(mapping.vip, port.why_none, port.port.port))
            continue
        number, protocol = port.port.port, port.port.protocol
        written = tuple(b.key for b in port.backends)
        once = {b.key: b for b in port.backends}
        others = tuple(b for b in port.others if b.key not in once)
        yield (
            MappingBlock(name, mapping.vip, number, protocol, mapping.method, written),
            ExpectedServer(
                mapping.vip, number, protocol, keepalived_method(mapping.method), *target, tuple(once.values()), others
            ),
        )


def _notes(blocks: tuple[MappingBlock, ...]) -> Iterator[str]:
    names = [(b.name, b.vip, b.port) for b in blocks]
    if len(names) > MAX_STABLE_SORT and len(set(names)) < len(names):
        yield (
            "two virtual servers have the same Service, VIP and port (TCP and UDP): with more than "
            f"{MAX_STABLE_SORT} virtual servers the controller may write them in either order"
        )
