"""An observation as the documents of the public JSON (``presenters.contract``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from kvtui.model.ip import canonical_or_same
from kvtui.presenters import contract
from kvtui.rules.chain import ChainIndex, chain_of, first_break, whole
from kvtui.rules.mapping.drift import drift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.model.conf import Conf
    from kvtui.model.finding import Finding
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import (
        InstanceView,
        Observation,
        RealServerView,
        StatsView,
        VipView,
        VirtualServerView,
    )
    from kvtui.rules.chain import Link, Links, Port
    from kvtui.rules.mapping.controller import ControllerSettings
    from kvtui.rules.mapping.drift import Difference
    from kvtui.rules.mapping.expected import Expected

V = TypeVar("V")
T = TypeVar("T")

Document = dict[str, object]
"""Members of a document by name; ``cli.output.encode`` takes it."""

VIEWS: dict[str, tuple[str, ...]] = {
    "status": ("keepalived", "vrrp_instances", "vips", "virtual_servers", "mappings", "findings", "host"),
    "vrrp": ("vrrp_instances",),
    "vips": ("vips",),
    "ipvs": ("virtual_servers",),
    "mappings": ("mappings",),
    "triage": ("findings",),
}
"""Which members each command prints after the head."""


def timestamp(seconds: float | None) -> str | None:
    """Seconds since the epoch → RFC 3339 in UTC with milliseconds; None stays None."""
    return None if seconds is None else _time(seconds)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def head(seen: Observation) -> Document:
    """What every document begins with: when, where, and how far each source can be believed."""
    snapshot = seen.snapshot
    return {
        "schema": contract.SCHEMA_VERSION,
        "time": _time(snapshot.time),
        "node": contract.Node(snapshot.node.name, snapshot.node.read_only),
        "sources": [
            contract.Source(s.name, s.state, s.detail, _rounded(s.age(snapshot.time))) for s in snapshot.sources
        ],
    }


def status(seen: Observation, view: str = "status") -> Document:
    """The document of one observation, or the part of it that a command is about.

    Args:
        seen: the observation.
        view: a key of ``VIEWS``.
    """
    return head(seen) | {name: MEMBERS[name](seen) for name in VIEWS[view]}


def mapping_entry(mapping: Mapping) -> contract.MappingEntry:
    """An entry of the ConfigMap, without its chain."""
    return contract.MappingEntry(
        vip=mapping.vip,
        value=mapping.value,
        namespace=mapping.namespace,
        service=mapping.service,
        method=mapping.method,
        state=mapping.state,
        error=mapping.error,
        notes=list(mapping.notes),
        source=mapping.source,
    )


def chain(links: Links) -> list[contract.Link]:
    """The layers of a chain."""
    return [_link(link) for link in links]


def chain_of_port(port: Port | None, links: Links) -> contract.PortChain:
    """The chain of one port of a VIP."""
    broken = first_break(links)
    return contract.PortChain(
        port=port.number if port else None,
        protocol=port.protocol if port else None,
        whole=whole(links),
        first_break=broken.layer if broken else None,
        chain=chain(links),
    )


def render(seen: Observation, settings: ControllerSettings, result: Expected, *, diff: bool) -> Document:
    """The document of ``kvtui render``.

    Args:
        seen: the observation.
        settings: of the controller.
        result: what it should have written.
        diff: whether ``file`` and ``running`` are compared with that.
    """
    snapshot = seen.snapshot
    compared = {"file": snapshot.conf, "running": snapshot.running} if diff else {}
    return {
        **head(seen),
        "dialect": settings.dialect,
        "dialect_reason": settings.why_dialect,
        "text": result.text,
        "vips": result.vips if result.read else None,
        "skipped": [contract.Skipped(s.vip, s.port, s.why) for s in result.skipped],
        "missing": result.missing,
        "assumed": result.notes,
    } | {name: _differences(result, conf) for name, conf in compared.items()}


def _each(made: Callable[[V], T], views: Iterable[V] | None) -> list[T] | None:
    """None when the layer is unknown: an empty list would say that there is nothing."""
    return None if views is None else [made(view) for view in views]


def _keepalived(seen: Observation) -> list[contract.Keepalived]:
    return [
        contract.Keepalived(
            pid=k.pid,
            version=k.version,
            conf=k.conf,
            netns=k.netns,
            children=contract.Children(k.children.vrrp, k.children.checker),
            started=_time(k.started),
        )
        for k in seen.snapshot.keepalived
    ]


def _host(seen: Observation) -> contract.Host | None:
    host = seen.snapshot.host
    if host is None:
        return None
    return contract.Host(
        cpu=host.cpu,
        steal=host.steal,
        load=list(host.load),
        cores=host.cores,
        memory_total=host.memory_total,
        memory_available=host.memory_available,
        state_folder=host.state_folder,
        disk_total=host.disk_total,
        disk_free=host.disk_free,
        nics=[
            contract.Nic(
                name=nic.name,
                up=nic.up,
                speed=nic.speed,
                mtu=nic.mtu,
                errors_in=nic.errors_in,
                errors_out=nic.errors_out,
                drops_in=nic.drops_in,
                drops_out=nic.drops_out,
            )
            for nic in host.nics
        ],
    )


def _instance(view: InstanceView) -> contract.Instance:
    master = view.master
    return contract.Instance(
        name=view.name,
        state=view.state,
        interface=view.interface,
        vrid=view.vrid,
        version=view.version,
        priority=view.priority,
        effective_priority=view.effective_priority,
        nopreempt=view.nopreempt,
        advert_interval=view.advert_interval,
        vips=list(view.vips),
        since=timestamp(view.since),
        master=contract.Master(master.address, master.priority, master.is_self) if master else None,
        peers=[contract.Peer(p.address, p.priority, p.seen, _rounded(p.age_seconds)) for p in view.peers],
        counters=view.counters,
    )


def _vip(view: VipView) -> contract.Vip:
    return contract.Vip(view.address, view.prefixlen, view.interface, view.instance, view.present, view.owner)


def _virtual_server(view: VirtualServerView) -> contract.VirtualServer:
    return contract.VirtualServer(
        address=view.address,
        port=view.port,
        protocol=view.protocol,
        fwmark=view.fwmark,
        scheduler=view.scheduler,
        persistence_timeout=view.persistence_timeout,
        flags=list(view.flags),
        managed_by=view.managed_by,
        in_kernel=view.in_kernel,
        stats=_stats(view.stats),
        real_servers=[_real_server(r) for r in view.real_servers],
    )


def _real_server(view: RealServerView) -> contract.RealServer:
    pod = view.pod
    return contract.RealServer(
        address=view.address,
        port=view.port,
        method=view.method,
        weight=view.weight,
        active=view.active,
        inactive=view.inactive,
        persistent=view.persistent,
        upper_threshold=view.upper_threshold,
        lower_threshold=view.lower_threshold,
        stats=_stats(view.stats),
        state=view.state,
        configured_weight=view.configured_weight,
        pod=contract.Pod(pod.namespace, pod.name, pod.ready) if pod else None,
    )


def _stats(view: StatsView | None) -> contract.Stats | None:
    if view is None:
        return None
    return contract.Stats(
        view.connections,
        view.in_packets,
        view.out_packets,
        view.in_bytes,
        view.out_bytes,
        round(view.cps, 1),
        round(view.in_pps, 1),
        round(view.out_pps, 1),
        round(view.in_bps, 1),
        round(view.out_bps, 1),
    )


def _finding(found: Finding) -> contract.Finding:
    return contract.Finding(found.id, found.severity, found.title, list(found.evidence), found.remedy, found.object)


def _mappings(seen: Observation) -> list[contract.Mapping] | None:
    if seen.mappings is None:
        return None
    index = ChainIndex(seen)
    return [
        contract.Mapping(**structs.asdict(mapping_entry(m)), chain=chain(chain_of(index, canonical_or_same(m.vip))))
        for m in seen.mappings
    ]


def _link(link: Link) -> contract.Link:
    return contract.Link(link.layer, link.ok, link.mark, link.detail, _rounded(link.age), link.remedy)


def _differences(result: Expected, conf: Conf | None) -> list[contract.Difference] | None:
    if conf is None or not result.read:
        return None
    return [_difference(d) for d in drift(result, conf)]


def _difference(found: Difference) -> contract.Difference:
    return contract.Difference(
        kind=found.kind,
        text=found.text,
        vip=found.vip,
        port=found.server.port if found.server else None,
        protocol=found.server.protocol if found.server else None,
        real_server=contract.RealServerKey(*found.real) if found.real else None,
        value=found.value,
        wanted=found.wanted,
        found=found.found,
        service="/".join(found.service) if found.service else None,
        pod="/".join(found.pod) if found.pod else None,
    )


MEMBERS: dict[str, Callable[[Observation], object]] = {
    "keepalived": _keepalived,
    "vrrp_instances": lambda seen: _each(_instance, seen.vrrp_instances),
    "vips": lambda seen: _each(_vip, seen.vips),
    "virtual_servers": lambda seen: _each(_virtual_server, seen.virtual_servers),
    "mappings": _mappings,
    "findings": lambda seen: _each(_finding, seen.findings),
    "host": _host,
}
"""How each member of a status is made."""
