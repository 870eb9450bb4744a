"""Differences between the expected config, the file and the running config.

Only the effect of a config counts: order, comments and whitespace are ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.model.ipvs import LVS_METHOD_NAMES, Protocol, endpoint, service_name
from kvtui.rules.mapping import template
from kvtui.rules.mapping.controller import INSTANCE
from kvtui.rules.mapping.grammar import canonical_vip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import Conf, ConfInstance, ConfVirtualServer
    from kvtui.model.kube import NamespacedName
    from kvtui.rules.mapping.backends import Backend
    from kvtui.rules.mapping.expected import ExpectedConfig, ExpectedServer


class DifferenceKind(StrEnum):
    """Kinds of differences. ``MISSING`` means only in the first config, ``EXTRA`` only in the second."""

    VIP_MISSING = "vip-missing"
    VIP_EXTRA = "vip-extra"
    SERVER_MISSING = "server-missing"
    SERVER_EXTRA = "server-extra"
    SERVER_VALUE = "server-value"  # scheduler, method or persistence of a virtual server
    REAL_MISSING = "real-missing"
    REAL_EXTRA = "real-extra"
    WEIGHT = "weight"
    INSTANCE_VALUE = "instance-value"  # a value of the VRRP instance, such as its priority


class ServerKey(NamedTuple):
    """Identifies a virtual server: canonical address, port, protocol."""

    address: str
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        """``10.4.0.50:80``, ``UDP 10.4.0.50:53``."""
        return service_name((self.protocol, self.address, self.port, 0))


PROTOCOLS = {p.value: p for p in Protocol}
RealKey = tuple[str, int]


class Difference(Struct, frozen=True):
    kind: DifferenceKind
    text: str
    vip: str | None = None  # None for a value of the instance
    server: ServerKey | None = None
    real: RealKey | None = None
    value: str | None = None
    """The keyword that differs: ``priority``, ``lvs_sched``, ``weight`` …; None if an object is missing."""
    wanted: str | None = None  # in the first config; None if not set
    found: str | None = None  # in the second config; None if not set
    service: NamespacedName | None = None
    pod: NamespacedName | None = None


class ComparedServer(Struct, frozen=True):
    """A virtual server of any config; real servers with their weights."""

    values: dict[str, str]
    reals: dict[RealKey, int]


class Shape(Struct, frozen=True):
    """The compared part of a config; ``instance`` has the values of the controller's instance."""

    vips: dict[str, None] = field(default_factory=dict)
    servers: dict[ServerKey, ComparedServer] = field(default_factory=dict)
    instance: dict[str, str] = field(default_factory=dict)


def drift(expected: ExpectedConfig, conf: Conf) -> tuple[Difference, ...]:
    """Returns no differences if ConfigMap, Services or endpoints were not read."""
    if not expected.read:
        return ()
    context = _Context(
        servers={_key(s.vip, s.port, s.protocol): s for s in expected.servers},
        vips={canonical_vip(s.vip): s for s in reversed(expected.servers)},
        skipped={(canonical_vip(s.vip), s.port): s.why for s in expected.skipped},
        reasons={canonical_vip(s.vip): s.why for s in reversed(expected.skipped)},
        services={canonical_vip(m.vip): m.target for m in expected.mappings if m.target},
    )
    return tuple(context.explain(d) for d in compare(_shape_of_expected(expected), shape(conf)))


def edited(file: Conf, running: Conf) -> tuple[Difference, ...]:
    """Returns the differences between file and running config: what a reload would change."""
    return tuple(replace(d, text=_edit_text(d)) for d in compare(shape(file), shape(running)))


def compare(wanted: Shape, found: Shape) -> Iterator[Difference]:
    """Returns all differences without text: VIPs, virtual servers, real servers, values of the instance."""
    yield from (Difference(DifferenceKind.VIP_MISSING, "", v) for v in wanted.vips if v not in found.vips)
    yield from (Difference(DifferenceKind.VIP_EXTRA, "", v) for v in found.vips if v not in wanted.vips)
    for key, server in wanted.servers.items():
        if key in found.servers:
            yield from _servers(key, server, found.servers[key])
        else:
            yield Difference(DifferenceKind.SERVER_MISSING, "", key.address, key)
    extra = (key for key in found.servers if key not in wanted.servers)
    yield from (Difference(DifferenceKind.SERVER_EXTRA, "", key.address, key) for key in extra)
    if wanted.instance and found.instance:
        for value, first, second in _values(wanted.instance, found.instance):
            yield Difference(DifferenceKind.INSTANCE_VALUE, "", value=value, wanted=first, found=second)


def shape(conf: Conf) -> Shape:
    instance = conf.instance(INSTANCE)
    return Shape(
        vips=dict.fromkeys(conf.vips()),
        servers={ServerKey(v.address, v.port or 0, v.protocol): _server(v) for v in conf.written_servers if v.address},
        instance=_instance(instance) if instance else {},
    )


def _shape_of_expected(expected: ExpectedConfig) -> Shape:
    inputs = {"interface": expected.interface, "virtual_router_id": expected.vrid, "priority": expected.priority}
    own = {name: str(value) for name, value in inputs.items() if value is not None} | {
        "unicast_src_ip": expected.unicast_source or "",
        "unicast_peer": ", ".join(expected.unicast_peers),
        "nopreempt": "yes",
        "state": "BACKUP",
    }
    servers = {_key(s.vip, s.port, s.protocol): s for s in expected.servers}
    return Shape(
        vips={canonical_vip(v): None for v in expected.vips if canonical_vip(v)},
        servers={k: _expected_server(s) for k, s in servers.items() if k.address},
        instance=own if expected.vips else {},
    )


def _expected_server(server: ExpectedServer) -> ComparedServer:
    values = {
        "lvs_method": server.method,
        "lvs_sched": template.SCHEDULER,
        "persistence_timeout": str(template.PERSISTENCE),
    }
    return ComparedServer(values, {b.key: template.WEIGHT for b in server.backends})


def _key(vip: str, port: int, protocol: str) -> ServerKey:
    return ServerKey(canonical_vip(vip), port, PROTOCOLS.get(protocol, Protocol.TCP))


def _as_text(value: object) -> str:
    return "" if value is None else str(value)


def _server(virtual: ConfVirtualServer) -> ComparedServer:
    values = {
        "lvs_method": LVS_METHOD_NAMES.get(virtual.method, "") if virtual.method else "",
        "lvs_sched": _as_text(virtual.scheduler),
        "persistence_timeout": _as_text(virtual.persistence_timeout),
    }
    return ComparedServer(values, {key: real.initial_weight for key, real in virtual.regular_servers().items()})


def _instance(instance: ConfInstance) -> dict[str, str]:
    return {
        "interface": _as_text(instance.interface),
        "virtual_router_id": _as_text(instance.vrid),
        "priority": _as_text(instance.priority),
        "unicast_src_ip": _as_text(instance.unicast_source),
        "unicast_peer": ", ".join(sorted(instance.unicast_peers)),
        "nopreempt": "yes" if instance.nopreempt else "",
        "state": instance.state or "BACKUP",
    }


def _values(wanted: dict[str, str], found: dict[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    for name, first in wanted.items():
        second = found.get(name, "")
        if first != second:
            yield name, first or None, second or None


def _servers(key: ServerKey, wanted: ComparedServer, found: ComparedServer) -> Iterator[Difference]:
    for value, first, second in _values(wanted.values, found.values):
        yield Difference(DifferenceKind.SERVER_VALUE, "", key.address, key, value=value, wanted=first, found=second)
    for real, weight in wanted.reals.items():
        other = found.reals.get(real)
        if other is None:
            yield Difference(DifferenceKind.REAL_MISSING, "", key.address, key, real)
        elif other != weight:
            yield Difference(DifferenceKind.WEIGHT, "", key.address, key, real, "weight", str(weight), str(other))
    for real in found.reals:
        if real not in wanted.reals:
            yield Difference(DifferenceKind.REAL_EXTRA, "", key.address, key, real)


def _value_text(d: Difference) -> str:
    return f"{d.value} is {d.found or 'missing'}; the controller would write {d.wanted or 'none'}"


def _instance_text(d: Difference) -> str:
    text = f"instance {INSTANCE}: {_value_text(d)}"
    if d.value in {"priority", "unicast_peer"}:
        return f"{text} (it computed this once, at its start, from the nodes at that time)"
    return text


class _Context(Struct, frozen=True):
    """What the expected config knows about the objects that differ."""

    servers: dict[ServerKey, ExpectedServer]
    vips: dict[str, ExpectedServer]
    skipped: dict[tuple[str, int | None], str]
    reasons: dict[str, str]  # VIP → why the controller skips the entry or its first skipped port
    services: dict[str, NamespacedName]
    backends: dict[ServerKey, dict[RealKey, Backend]] = field(default_factory=dict)
    """Filled on demand for the virtual servers that differ."""

    def explain(self, d: Difference) -> Difference:
        service = self.services.get(d.vip or "")
        if d.real is not None and d.server is not None:
            return self._real(replace(d, service=service), self.servers[d.server], d.server, d.real)
        return replace(d, text=self._text(d), service=service)

    def _text(self, d: Difference) -> str:
        server = self.vips.get(d.vip or "")
        name = f"{server.namespace}/{server.service}" if server else ""
        match d.kind:
            case DifferenceKind.VIP_MISSING:
                return f"VIP {d.vip} is missing: {f'{name} has ready endpoints' if server else 'the ConfigMap has it'}"
            case DifferenceKind.VIP_EXTRA:
                return f"VIP {d.vip} is not expected: {self._why_unexpected(d)}"
            case DifferenceKind.SERVER_MISSING:
                return f"virtual server {d.server} ({name}) is missing"
            case DifferenceKind.SERVER_EXTRA:
                return f"virtual server {d.server} is not expected: {self._why_unexpected(d)}"
            case DifferenceKind.SERVER_VALUE:
                return f"virtual server {d.server}: {_value_text(d)}"
            case _:
                return _instance_text(d)

    def _why_unexpected(self, d: Difference) -> str:
        vip, port = d.vip or "", d.server.port if d.server else None
        for key in ((vip, port), (vip, None)):
            if key in self.skipped:
                return self.skipped[key]
        if d.server is None:
            return self.reasons.get(vip, "the ConfigMap does not have it")
        if vip in self.vips:
            return f"{self.vips[vip].namespace}/{self.vips[vip].service} has no such port"
        return "the ConfigMap maps its VIP to no Service"

    def _real(self, d: Difference, server: ExpectedServer, key: ServerKey, real: RealKey) -> Difference:
        if key not in self.backends:
            self.backends[key] = {b.key: b for b in (*server.others, *server.backends)}
        name, backend = f"real server {endpoint(*real)}", self.backends[key].get(real)
        pod = backend.pod if backend else None
        of_pod = f" (pod {'/'.join(pod)})" if pod else ""
        match d.kind:
            case DifferenceKind.REAL_MISSING:
                text = f"virtual server {key} lacks {name}, a ready endpoint{of_pod}"
            case DifferenceKind.REAL_EXTRA if backend:
                text = f"virtual server {key} has {name}, whose endpoint is not ready{of_pod}"
            case DifferenceKind.REAL_EXTRA:
                service = f"{server.namespace}/{server.service}"
                text = f"virtual server {key} has {name}, which is not an endpoint of {service}"
            case _:
                text = f"virtual server {key}: weight of {name} is {d.found}; the controller would write {d.wanted}"
        return replace(d, text=text, pod=pod)


def _edit_text(d: Difference) -> str:
    if d.real is not None:
        what = f"virtual server {d.server}: real server {endpoint(*d.real)}"
    elif d.server is not None:
        what = f"virtual server {d.server}"
    else:
        what = f"VIP {d.vip}" if d.vip else f"instance {INSTANCE}"
    if d.value is not None:
        return f"{what}: {d.value} is {d.wanted or 'missing'} in the file, {d.found or 'missing'} in the running config"
    if d.kind.value.endswith("missing"):
        return f"{what} is only in the file, not in the running config"
    return f"{what} is only in the running config, not in the file"
