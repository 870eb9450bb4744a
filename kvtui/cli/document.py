"""An observation as the JSON document of the public contract (schema 1): field names are an API.

A value that is not known is null, never invented; times are RFC 3339 in UTC; addresses are text; counters are
integers. ``cli.schema`` describes the same shape; a test holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kvtui.rules.chain import Ground, canonical, chain_of

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import (
        InstanceView,
        Master,
        Observation,
        PodView,
        RealServerView,
        StatsView,
        VipView,
        VirtualServerView,
    )
    from kvtui.model.source import Source
    from kvtui.rules.chain import Link

Document = dict[str, Any]

SCHEMA_VERSION = 1

VIEWS: dict[str, tuple[str, ...]] = {
    "status": (),
    "vrrp": ("vrrp_instances",),
    "vips": ("vips",),
    "ipvs": ("virtual_servers",),
    "mappings": ("mappings",),
    "triage": ("findings",),
}
"""Which parts of the document each command prints beside the head; none named means all of them."""

HEAD = ("schema", "time", "node", "sources")


def timestamp(seconds: float | None) -> str | None:
    """Seconds since the epoch → RFC 3339 in UTC with milliseconds; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def head(seen: Observation) -> Document:
    """What every document begins with: when, where, and how far each source can be believed."""
    snapshot = seen.snapshot
    return {
        "schema": SCHEMA_VERSION,
        "time": timestamp(snapshot.time),
        "node": {"name": snapshot.node.name, "read_only": snapshot.node.read_only},
        "sources": [_source(s, snapshot.time) for s in snapshot.sources],
    }


def document(seen: Observation, view: str = "status") -> Document:
    """The document of one observation, or the part of it that a command is about.

    Args:
        seen: the observation.
        view: a key of ``VIEWS``.
    """
    snapshot = seen.snapshot
    whole: Document = {
        **head(seen),
        "keepalived": [_keepalived(k) for k in snapshot.keepalived],
        "vrrp_instances": _each(_instance, seen.vrrp_instances),
        "vips": _each(_vip, seen.vips),
        "virtual_servers": _each(_virtual, seen.virtual_servers),
        "mappings": _mappings(seen),
        "findings": _each(_finding, seen.findings),
    }
    parts = VIEWS[view]
    return {k: v for k, v in whole.items() if k in HEAD or k in parts} if parts else whole


def _each(render: Any, values: tuple[Any, ...] | None) -> list[Document] | None:
    """None when the layer is unknown: an empty list would say that there is nothing."""
    return None if values is None else [render(v) for v in values]


def _finding(found: Finding) -> Document:
    return {
        "id": found.id,
        "severity": found.severity.value,
        "title": found.title,
        "evidence": list(found.evidence),
        "remedy": found.remedy,
        "object": found.object,
    }


def _source(source: Source, now: float) -> Document:
    age = source.age(now)
    return {
        "name": source.name.value,
        "state": source.state.value,
        "detail": source.detail,
        "age_seconds": None if age is None else round(age, 3),
    }


def _keepalived(found: Keepalived) -> Document:
    return {
        "pid": found.pid,
        "version": found.version,
        "conf": found.conf,
        "netns": found.netns,
        "children": {"vrrp": found.children.vrrp, "checker": found.children.checker},
        "started": timestamp(found.started),
    }


def _master(master: Master | None) -> Document | None:
    if master is None:
        return None
    return {"address": master.address, "priority": master.priority, "self": master.is_self}


def _instance(view: InstanceView) -> Document:
    return {
        "name": view.name,
        "state": view.state.value,
        "interface": view.interface,
        "vrid": view.vrid,
        "version": view.version,
        "priority": view.priority,
        "effective_priority": view.effective_priority,
        "nopreempt": view.nopreempt,
        "advert_interval": view.advert_interval,
        "vips": list(view.vips),
        "since": timestamp(view.since),
        "master": _master(view.master),
        "peers": [
            {
                "address": p.address,
                "priority": p.priority,
                "seen": p.seen,
                "age_seconds": None if p.age_seconds is None else round(p.age_seconds, 3),
            }
            for p in view.peers
        ],
        "counters": view.counters,
    }


def _vip(view: VipView) -> Document:
    return {
        "address": view.address,
        "prefixlen": view.prefixlen,
        "interface": view.interface,
        "instance": view.instance,
        "present": view.present,
        "owner": view.owner,
    }


def _stats(stats: StatsView | None) -> Document | None:
    if stats is None:
        return None
    return {
        "connections": stats.connections,
        "in_packets": stats.in_packets,
        "out_packets": stats.out_packets,
        "in_bytes": stats.in_bytes,
        "out_bytes": stats.out_bytes,
        "cps": round(stats.cps, 1),
        "in_pps": round(stats.in_pps, 1),
        "out_pps": round(stats.out_pps, 1),
        "in_bps": round(stats.in_bps, 1),
        "out_bps": round(stats.out_bps, 1),
    }


def _virtual(view: VirtualServerView) -> Document:
    return {
        "address": view.address,
        "port": view.port,
        "protocol": view.protocol.value,
        "fwmark": view.fwmark,
        "scheduler": view.scheduler,
        "persistence_timeout": view.persistence_timeout,
        "flags": list(view.flags),
        "managed_by": view.managed_by.value,
        "in_kernel": view.in_kernel,
        "stats": _stats(view.stats),
        "real_servers": [_real(r) for r in view.real_servers],
    }


def _real(view: RealServerView) -> Document:
    return {
        "address": view.address,
        "port": view.port,
        "method": None if view.method is None else view.method.value,
        "weight": view.weight,
        "active": view.active,
        "inactive": view.inactive,
        "persistent": view.persistent,
        "upper_threshold": view.upper_threshold,
        "lower_threshold": view.lower_threshold,
        "stats": _stats(view.stats),
        "state": view.state.value,
        "configured_weight": view.configured_weight,
        "pod": _pod(view.pod),
    }


def _pod(pod: PodView | None) -> Document | None:
    return None if pod is None else {"namespace": pod.namespace, "name": pod.name, "ready": pod.ready}


def _mappings(seen: Observation) -> list[Document] | None:
    if seen.mappings is None:
        return None
    ground = Ground(seen)
    return [
        {**mapping_head(m), "chain": [link_document(link) for link in chain_of(ground, canonical(m.vip))]}
        for m in seen.mappings
    ]


def mapping_head(mapping: Mapping) -> Document:
    """An entry of the ConfigMap, without its chain."""
    return {
        "vip": mapping.vip,
        "value": mapping.value,
        "namespace": mapping.namespace,
        "service": mapping.service,
        "method": mapping.method,
        "state": mapping.state.value,
        "error": mapping.error,
        "notes": list(mapping.notes),
        "source": mapping.source,
    }


def link_document(link: Link) -> Document:
    """One layer of a chain."""
    return {
        "layer": link.layer.value,
        "ok": link.ok,
        "mark": link.mark.value,
        "detail": link.detail,
        "age_seconds": None if link.age is None else round(link.age, 3),
        "remedy": link.remedy,
    }
