"""Where configurations differ: expected ≠ file ≠ running, each difference with the objects that it concerns.

What keepalived does with a config counts, not its text: order, comments and blank space are no difference.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.model.ipvs import LVS_METHOD_NAMES, Protocol, endpoint
from kvtui.rules.mapping import template
from kvtui.rules.mapping.grammar import canonical_vip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import Conf, ConfInstance, ConfVirtualServer
    from kvtui.model.kube import NamespacedName
    from kvtui.rules.mapping.backends import Backend
    from kvtui.rules.mapping.expected import Expected, ExpectedServer

INSTANCE = "vips"
"""The one that the controller writes."""


class DifferenceKind(StrEnum):
    """What differs. ``MISSING`` is in the first config and not in the second, ``EXTRA`` the reverse."""

    VIP_MISSING = "vip-missing"
    VIP_EXTRA = "vip-extra"
    SERVER_MISSING = "server-missing"
    SERVER_EXTRA = "server-extra"
    SERVER_VALUE = "server-value"
    """Scheduler, method or persistence of a virtual server."""
    REAL_MISSING = "real-missing"
    REAL_EXTRA = "real-extra"
    WEIGHT = "weight"
    INSTANCE_VALUE = "instance-value"
    """A value of the VRRP instance, such as its priority."""


class ServerKey(NamedTuple):
    """What names a virtual server: canonical address, port, protocol."""

    address: str
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        """``10.4.0.50:80``, ``UDP 10.4.0.50:53``."""
        name = endpoint(self.address, self.port)
        return name if self.protocol is Protocol.TCP else f"{self.protocol.value} {name}"


RealKey = tuple[str, int]


class Difference(Struct, frozen=True):
    """One difference.

    Attributes:
        kind: what differs.
        text: in a sentence.
        vip: canonical text; None for a value of the instance.
        server: the virtual server; None for VIPs and the instance.
        real: address and port of the real server; None for the rest.
        value: which value differs: ``priority``, ``scheduler``, ``weight`` …; None where a whole thing is missing.
        wanted: the value of the first config; None when it has none.
        found: that of the second.
        service: the Service behind it, where the expected config tells.
        pod: behind the real server, where the endpoints tell.
    """

    kind: DifferenceKind
    text: str
    vip: str | None = None
    server: ServerKey | None = None
    real: RealKey | None = None
    value: str | None = None
    wanted: str | None = None
    found: str | None = None
    service: NamespacedName | None = None
    pod: NamespacedName | None = None


class Server(Struct, frozen=True):
    """A virtual server, whichever config it is from; real servers with their weights."""

    values: dict[str, str]
    reals: dict[RealKey, int]


class Shape(Struct, frozen=True):
    """A config as far as it is compared. ``instance`` holds what the config says of the controller's instance."""

    vips: dict[str, None] = field(default_factory=dict)
    servers: dict[ServerKey, Server] = field(default_factory=dict)
    instance: dict[str, str] = field(default_factory=dict)


def drift(expected: Expected, conf: Conf) -> tuple[Difference, ...]:
    """Where a config (file or running) is not what the controller should have written.

    Args:
        expected: of ``mapping.expected``; when the ConfigMap, Services or endpoints were not read nothing can be said.
        conf: the file, or the running config.
    """
    if not expected.read:
        return ()
    told = _Told(
        servers={_key(s.vip, s.port, s.protocol): s for s in expected.servers},
        vips={canonical_vip(s.vip): s for s in reversed(expected.servers)},
        skipped={(canonical_vip(s.vip), s.port): s.why for s in expected.skipped},
        reasons={canonical_vip(s.vip): s.why for s in reversed(expected.skipped)},
        services={canonical_vip(m.vip): m.target for m in expected.mappings if m.target},
    )
    return tuple(told.explained(d) for d in compare(_shape_of_expected(expected), shape(conf)))


def edited(file: Conf, running: Conf) -> tuple[Difference, ...]:
    """Where keepalived runs something else than the file says: what a reload would change."""
    return tuple(replace(d, text=_words_of_edit(d)) for d in compare(shape(file), shape(running)))


def compare(wanted: Shape, found: Shape) -> Iterator[Difference]:
    """All differences, without words: VIPs, virtual servers and their real servers, the instance's values."""
    yield from (Difference(DifferenceKind.VIP_MISSING, "", v) for v in wanted.vips if v not in found.vips)
    yield from (Difference(DifferenceKind.VIP_EXTRA, "", v) for v in found.vips if v not in wanted.vips)
    for key, server in wanted.servers.items():
        if key in found.servers:
            yield from _servers(key, server, found.servers[key])
        else:
            yield Difference(DifferenceKind.SERVER_MISSING, "", key.address, key)
    for key in found.servers:
        if key not in wanted.servers:
            yield Difference(DifferenceKind.SERVER_EXTRA, "", key.address, key)
    if wanted.instance and found.instance:
        for value, ours, theirs in _values(wanted.instance, found.instance):
            yield Difference(DifferenceKind.INSTANCE_VALUE, "", value=value, wanted=ours, found=theirs)


def shape(conf: Conf) -> Shape:
    """What is compared of a config that was read."""
    instance = next((i for i in conf.instances if i.name == INSTANCE), None)
    named = {_conf_key(v): _server(v) for v in conf.virtual_servers if v.address is not None}
    return Shape(
        vips={v.address: None for i in conf.instances for v in (*i.vips, *i.excluded_vips)},
        servers={k: v for k, v in named.items() if k is not None},
        instance=_instance(instance) if instance else {},
    )


def _shape_of_expected(expected: Expected) -> Shape:
    peers = ", ".join(expected.unicast_peers)
    own = {
        "interface": expected.interface,
        "virtual_router_id": None if expected.vrid is None else str(expected.vrid),
        "priority": None if expected.priority is None else str(expected.priority),
        "unicast_src_ip": expected.unicast_source or "",
        "unicast_peer": peers,
        "nopreempt": "yes",
        "state": "BACKUP",
    }
    servers = {_key(s.vip, s.port, s.protocol): s for s in expected.servers}
    return Shape(
        vips={canonical_vip(v): None for v in expected.vips if canonical_vip(v)},
        servers={k: _expected_server(s) for k, s in servers.items() if k.address},
        instance={k: v for k, v in own.items() if v is not None} if expected.vips else {},
    )


def _expected_server(server: ExpectedServer) -> Server:
    return Server(
        {
            "lvs_method": server.method,
            "lvs_sched": template.SCHEDULER,
            "persistence_timeout": str(template.PERSISTENCE),
        },
        {b.key: template.WEIGHT for b in server.backends},
    )


def _key(vip: str, port: int, protocol: str) -> ServerKey:
    known = {p.value: p for p in Protocol}
    return ServerKey(canonical_vip(vip), port, known.get(protocol, Protocol.TCP))


def _conf_key(virtual: ConfVirtualServer) -> ServerKey | None:
    return ServerKey(virtual.address, virtual.port or 0, virtual.protocol) if virtual.address else None


def _server(virtual: ConfVirtualServer) -> Server:
    values = {
        "lvs_method": LVS_METHOD_NAMES.get(virtual.method, "") if virtual.method else "",
        "lvs_sched": virtual.scheduler or "",
        "persistence_timeout": "" if virtual.persistence_timeout is None else str(virtual.persistence_timeout),
    }
    reals = [r for r in virtual.real_servers if not r.sorry]
    return Server(
        values, {(r.address, r.port or virtual.port or 0): 1 if r.weight is None else r.weight for r in reals}
    )


def _instance(instance: ConfInstance) -> dict[str, str]:
    return {
        "interface": instance.interface or "",
        "virtual_router_id": "" if instance.vrid is None else str(instance.vrid),
        "priority": "" if instance.priority is None else str(instance.priority),
        "unicast_src_ip": instance.unicast_source or "",
        "unicast_peer": ", ".join(sorted(instance.unicast_peers)),
        "nopreempt": "yes" if instance.nopreempt else "",
        "state": instance.state or "BACKUP",
    }


def _values(wanted: dict[str, str], found: dict[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    for name, ours in wanted.items():
        theirs = found.get(name, "")
        if ours != theirs:
            yield name, ours or None, theirs or None


def _servers(key: ServerKey, wanted: Server, found: Server) -> Iterator[Difference]:
    for value, ours, theirs in _values(wanted.values, found.values):
        yield Difference(DifferenceKind.SERVER_VALUE, "", key.address, key, value=value, wanted=ours, found=theirs)
    for real, weight in wanted.reals.items():
        other = found.reals.get(real)
        if other is None:
            yield Difference(DifferenceKind.REAL_MISSING, "", key.address, key, real)
        elif other != weight:
            yield Difference(DifferenceKind.WEIGHT, "", key.address, key, real, "weight", str(weight), str(other))
    for real in found.reals:
        if real not in wanted.reals:
            yield Difference(DifferenceKind.REAL_EXTRA, "", key.address, key, real)


def _instance_words(d: Difference) -> str:
    text = f"instance {INSTANCE}: {d.value} is {d.found or 'not said'}, the controller writes {d.wanted or 'none'}"
    if d.value in {"priority", "unicast_peer"}:
        return f"{text} (worked out once, at its start, from the nodes that there were)"
    return text


class _Told(Struct, frozen=True):
    """What the expected config knows about the things that differ."""

    servers: dict[ServerKey, ExpectedServer]
    vips: dict[str, ExpectedServer]
    skipped: dict[tuple[str, int | None], str]
    reasons: dict[str, str]
    """VIP → why its first skipped port, or the whole entry, is skipped."""
    services: dict[str, NamespacedName]
    backends: dict[ServerKey, dict[RealKey, Backend]] = field(default_factory=dict)
    """Filled for the virtual servers that differ."""

    def explained(self, d: Difference) -> Difference:
        """With its sentence, its Service, and the pod that is behind it."""
        service = self.services.get(d.vip or "")
        if d.real is not None and d.server is not None:
            return self._real(replace(d, service=service), self.servers[d.server], d.server, d.real)
        return replace(d, text=self._words(d), service=service)

    def _words(self, d: Difference) -> str:
        at = self.vips.get(d.vip or "")
        name = f"{at.namespace}/{at.service}" if at else ""
        match d.kind:
            case DifferenceKind.VIP_MISSING:
                return f"VIP {d.vip} is missing: {f'{name} has ready endpoints' if at else 'the ConfigMap binds it'}"
            case DifferenceKind.VIP_EXTRA:
                return f"VIP {d.vip} should not be there: {self._why(d)}"
            case DifferenceKind.SERVER_MISSING:
                return f"virtual server {d.server} ({name}) is missing"
            case DifferenceKind.SERVER_EXTRA:
                return f"virtual server {d.server} should not be there: {self._why(d)}"
            case DifferenceKind.SERVER_VALUE:
                return (
                    f"virtual server {d.server}: {d.value} is {d.found or 'not said'}, the controller writes {d.wanted}"
                )
            case _:
                return _instance_words(d)

    def _why(self, d: Difference) -> str:
        """Why the controller would not write it."""
        vip, port = d.vip or "", d.server.port if d.server else None
        for key in ((vip, port), (vip, None)):
            if key in self.skipped:
                return self.skipped[key]
        if d.server is None:
            return self.reasons.get(vip, "the ConfigMap does not name it")
        if vip in self.vips:
            return f"{self.vips[vip].namespace}/{self.vips[vip].service} has no such port"
        return "the ConfigMap maps no Service to its VIP"

    def _real(self, d: Difference, server: ExpectedServer, key: ServerKey, real: RealKey) -> Difference:
        if key not in self.backends:
            self.backends[key] = {b.key: b for b in (*server.others, *server.backends)}
        name, known = f"real server {endpoint(*real)}", self.backends[key].get(real)
        pod = known.pod if known else None
        of = f" (pod {'/'.join(pod)})" if pod else ""
        match d.kind:
            case DifferenceKind.REAL_MISSING:
                text = f"virtual server {key} lacks {name}, which is a ready endpoint{of}"
            case DifferenceKind.REAL_EXTRA if known:
                text = f"virtual server {key} has {name}, whose endpoint is not ready{of}"
            case DifferenceKind.REAL_EXTRA:
                text = f"virtual server {key} has {name}, which is no endpoint of {server.namespace}/{server.service}"
            case _:
                text = f"virtual server {key}: {name} has weight {d.found}, the controller writes {d.wanted}"
        return replace(d, text=text, pod=pod)


def _words_of_edit(d: Difference) -> str:
    if d.real is not None:
        what = f"virtual server {d.server}: real server {endpoint(*d.real)}"
    elif d.server is not None:
        what = f"virtual server {d.server}"
    else:
        what = f"VIP {d.vip}" if d.vip else f"instance {INSTANCE}"
    if d.value is not None:
        return f"{what}: {d.value} is {d.wanted or 'not said'} in the file, {d.found or 'not said'} in what runs"
    if d.kind.value.endswith("missing"):
        return f"{what} is in the file, and keepalived runs without it"
    return f"{what} is not in the file, and keepalived runs it"
