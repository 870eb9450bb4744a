"""An observation as the documents of the public JSON (``presenters.contract``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, convert

from kvtui.model.ip import canonical_or_same
from kvtui.presenters import contract
from kvtui.rules.chain import ChainIndex, chain_of, first_break, whole
from kvtui.rules.cluster.comparison import comparison
from kvtui.rules.mapping.drift import drift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.model.conf import Conf
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation
    from kvtui.rules.chain import Links, Port
    from kvtui.rules.mapping.controller import ControllerSettings
    from kvtui.rules.mapping.expected import ExpectedConfig

T = TypeVar("T", bound=Struct)

Document = dict[str, object]  # members of a document by name; `cli.output.encode` takes it

VIEWS: dict[str, tuple[str, ...]] = {
    "status": ("keepalived", "vrrp_instances", "vips", "virtual_servers", "mappings", "findings", "host", "comparison"),
    "vrrp": ("vrrp_instances",),
    "vips": ("vips",),
    "ipvs": ("virtual_servers",),
    "mappings": ("mappings",),
    "triage": ("findings",),
}
"""Which members each command prints after the head."""


def timestamp(seconds: float) -> str:
    """Returns RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _part(kind: type[T], value: object, **other: object) -> T:
    """Makes a ``kind`` from the attributes of ``value``, and ``other`` ones that it lacks or has otherwise."""
    same = {name: getattr(value, name) for name in kind.__struct_fields__ if name not in other}
    return kind(**{n: list(v) if isinstance(v, tuple) else v for n, v in same.items()}, **other)


def _all(kind: type[T], values: Iterable[object] | None) -> list[T] | None:
    """None when the layer is unknown: an empty list would say that there is nothing."""
    return None if values is None else convert(list(values), list[kind], from_attributes=True)  # type: ignore[valid-type]


def head(seen: Observation) -> Document:
    snapshot = seen.snapshot
    return {
        "schema": 1,
        "time": timestamp(snapshot.time),
        "node": _part(contract.Node, snapshot.node),
        "sources": [_part(contract.Source, s, age_seconds=_rounded(s.age(snapshot.time))) for s in snapshot.sources],
    }


def status(seen: Observation, view: str = "status") -> Document:
    """Returns the document of one observation, or the part of it that a command is about (a key of ``VIEWS``)."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in members(seen, view)}


def members(seen: Observation, view: str) -> Iterator[tuple[str, object]]:
    """Yields the members of ``status``; a long list is an iterator, so that a writer need not hold all its objects."""
    yield from head(seen).items()
    for name in VIEWS[view]:
        yield name, MEMBERS[name](seen)


def mapping_entry(mapping: Mapping) -> contract.MappingEntry:
    return convert(mapping, contract.MappingEntry, from_attributes=True)


def chain(links: Links) -> list[contract.Link]:
    return [_part(contract.Link, link, age_seconds=_rounded(link.age)) for link in links]


def chain_of_port(port: Port | None, links: Links) -> contract.PortChain:
    broken = first_break(links)
    return contract.PortChain(
        port=port.number if port else None,
        protocol=port.protocol if port else None,
        whole=whole(links),
        first_break=broken.layer if broken else None,
        chain=chain(links),
    )


def render(seen: Observation, settings: ControllerSettings, result: ExpectedConfig, *, diff: bool) -> Document:
    """Returns the document of ``kvtui render``; ``diff`` compares file and running config with the result."""
    snapshot = seen.snapshot
    compared = {"file": snapshot.conf, "running": snapshot.running} if diff else {}
    return {
        **head(seen),
        "dialect": settings.dialect,
        "dialect_reason": settings.why_dialect,
        "text": result.text,
        "vips": result.vips if result.read else None,
        "skipped": _all(contract.Skipped, result.skipped),
        "missing": result.missing,
        "assumed": result.notes,
    } | {name: _differences(result, conf) for name, conf in compared.items()}


def _keepalived(seen: Observation) -> list[contract.Keepalived]:
    return [
        _part(contract.Keepalived, k, children=_part(contract.Children, k.children), started=timestamp(k.started))
        for k in seen.snapshot.keepalived
    ]


def _instances(seen: Observation) -> list[contract.Instance] | None:
    if seen.vrrp_instances is None:
        return None
    return [
        _part(
            contract.Instance,
            view,
            since=None if view.since is None else timestamp(view.since),
            master=_part(contract.Master, view.master, self_=view.master.is_self) if view.master else None,
            peers=[_part(contract.Peer, p, age_seconds=_rounded(p.age_seconds)) for p in view.peers],
            auth_hmac=_part(contract.AuthHmac, view.auth_hmac) if view.auth_hmac else None,
        )
        for view in seen.vrrp_instances
    ]


def _mappings(seen: Observation) -> list[contract.Mapping] | None:
    if seen.mappings is None:
        return None
    index = ChainIndex(seen)
    return [_part(contract.Mapping, m, chain=chain(chain_of(index, canonical_or_same(m.vip)))) for m in seen.mappings]


def _differences(result: ExpectedConfig, conf: Conf | None) -> list[contract.Difference] | None:
    if conf is None or not result.read:
        return None
    return [
        _part(
            contract.Difference,
            found,
            port=found.server.port if found.server else None,
            protocol=found.server.protocol if found.server else None,
            real_server=contract.RealServerKey(*found.real) if found.real else None,
            service="/".join(found.service) if found.service else None,
            pod="/".join(found.pod) if found.pod else None,
        )
        for found in drift(result, conf)
    ]


MEMBERS: dict[str, Callable[[Observation], object]] = {
    "keepalived": _keepalived,
    "vrrp_instances": _instances,
    "vips": lambda seen: _all(contract.Vip, seen.vips),
    "virtual_servers": lambda seen: (
        None
        if seen.virtual_servers is None
        else (convert(v, contract.VirtualServer, from_attributes=True) for v in seen.virtual_servers)
    ),
    "mappings": _mappings,
    "findings": lambda seen: _all(contract.Finding, seen.findings),
    "comparison": lambda seen: convert(comparison(seen), contract.Comparison, from_attributes=True),
    "host": lambda seen: (host := seen.snapshot.host) and convert(host, contract.Host, from_attributes=True),
}
