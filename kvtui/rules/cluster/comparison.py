"""What a node publishes for a comparison with others, and what should be equal on all nodes and is not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from kvtui import __version__
from kvtui.model.cluster import ClusterDifference, Comparison, ValueOnNodes
from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState
from kvtui.rules.identity_cache import IdentityCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kvtui.model.cluster import ClusterNode, ClusterRouter, Report
    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.observation import Observation, VirtualServerView

OWN = frozenset({
    "at", "name", "state", "priority", "priority_at", "priority_literal", "auth_digest", "unicast_source",
    "unicast_peers", "real_servers", "service",
})  # fmt: skip
"""Members of the config's structs that must differ between nodes, are listed by other lines, or only say where."""
OWN_GLOBALS = frozenset({"router_id", "notification_email_from", "vrrp_mcast_group4_src", "lvs_id", "lvs_sync_daemon"})
HASH_CHARACTERS = 12
MAX_CONFIG_LINES = 2000
"""A longer config is compared by its hash alone: every report would have all its lines."""
MAX_DIFFERING_LINES = 200
"""At most so many are listed, in alphabetical order."""

_config: IdentityCache[tuple[str, ...]] = IdentityCache(4)
_digests: IdentityCache[str] = IdentityCache(4)


def comparison(seen: Observation) -> Comparison:
    snapshot = seen.snapshot
    conf = snapshot.effective_conf
    lines = None if conf is None else _config.get((conf,), None, lambda: tuple(config_lines(conf)))
    table = snapshot.ipvs
    servers = seen.virtual_servers
    return Comparison(
        kvtui=__version__,
        config_hash=None if lines is None else _hash(lines),
        config=lines if lines and len(lines) <= MAX_CONFIG_LINES else None,
        ipvs_digest=None if table is None else _digests.get((table,), None, lambda: _hash(_table_lines(table))),
        drained=None if servers is None else tuple(sorted(_drained(servers))),
        cps=None if servers is None else round(sum(v.stats.cps for v in servers if v.stats), 1),
        sysctls=None if snapshot.sysctls is None else dict(snapshot.sysctls),
    )


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:HASH_CHARACTERS]


def _drained(servers: tuple[VirtualServerView, ...]) -> Iterator[str]:
    for virtual in servers:
        for real in virtual.real_servers:
            if real.state is RealServerState.DRAINED and real.configured_weight:
                yield f"{virtual.name} -> {_host_port(real.address, real.port)}"


def _host_port(address: str, port: int | None) -> str:
    return endpoint(address, port) if port else address


def _table_lines(table: IpvsTable) -> list[str]:
    return sorted(
        f"{v.key} {v.scheduler} {sorted((*r.key, str(r.method), r.weight) for r in v.real_servers)}"
        for v in table.virtual_servers
    )


# --- the config


def config_lines(conf: Conf) -> Iterator[str]:
    """Yields what the config says, a value a line with its block, in an order that does not depend on the file's."""
    yield from (f"global_defs: {k} {v}".rstrip() for k, v in sorted(conf.globals.items()) if k not in OWN_GLOBALS)
    for instance in sorted(conf.instances, key=lambda i: i.name):
        yield from _members(f"vrrp_instance {instance.name}", instance)
    for group in sorted(conf.sync_groups, key=lambda g: g.name):
        yield f"vrrp_sync_group {group.name}: {' '.join(group.members)}"
    for script in sorted(conf.scripts, key=lambda s: s.name):
        yield from _members(f"vrrp_script {script.name}", script)
    for file in sorted(conf.track_files, key=lambda f: f.name):
        yield from _members(f"track_file {file.name}", file)
    for virtual in sorted(conf.virtual_servers, key=lambda v: str(v.key or v.group)):
        yield from _virtual_lines(virtual)


def _virtual_lines(virtual: ConfVirtualServer) -> Iterator[str]:
    where = (
        f"fwmark {virtual.fwmark}" if virtual.fwmark is not None else _host_port(virtual.address or "?", virtual.port)
    )
    name = f"virtual_server {virtual.group or where} {virtual.protocol.value}"
    yield from _members(name, virtual)
    for real in sorted(virtual.real_servers, key=lambda r: (r.sorry, virtual.key_of(r))):
        kind = "sorry_server" if real.sorry else "real_server"
        values = " ".join(text for _name, text in _values(real) if not text.startswith(("address ", "port ", "sorry ")))
        yield f"{name}: {kind} {_host_port(*virtual.key_of(real))} {values}".rstrip()


def _members(block: str, struct: Struct) -> Iterator[str]:
    yield block
    yield from (f"{block}: {text}" for _name, text in _values(struct))


def _values(struct: Struct) -> Iterator[tuple[str, str]]:
    """Yields each member that is set, as (name, text); of a list one for each element."""
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if name in OWN or value is None or value is False or value in ("", ()):
            continue
        for part in value if isinstance(value, tuple) else (value,):
            yield name, f"{name} {_text(to_builtins(part))}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(
            f"{k}={_text(v)}" for k, v in value.items() if k not in OWN - {"name"} and v not in (None, False)
        )
    if isinstance(value, list):
        return ",".join(_text(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- what differs


def differences(nodes: tuple[ClusterNode, ...], routers: tuple[ClusterRouter, ...]) -> Iterator[ClusterDifference]:
    reports = {n.name: n.current for n in nodes if n.current}
    yield from _differ("keepalived", "version", {n: _version(r) for n, r in reports.items()})
    yield from _differ("kvtui", "version", {n: r.comparison.kvtui or "(older)" for n, r in reports.items()})
    yield from _config_differences(reports)
    for router in routers:
        members = {m.node: m.instance for m in router.members if m.is_current}
        yield from _differ("vips", router.name, {n: " ".join(sorted(i.vips)) for n, i in members.items()})
        hmacs = {
            n: f"{i.auth_hmac.mode} key {i.auth_hmac.active_key}" if i.auth_hmac else "" for n, i in members.items()
        }
        yield from _differ("auth_hmac", router.name, hmacs)
    sysctls = {n: r.comparison.sysctls or {} for n, r in reports.items()}
    for name in sorted({name for values in sysctls.values() for name in values}):
        yield from _differ("sysctl", name, {n: str(v[name]) for n, v in sysctls.items() if name in v})  # else not read
    drained = {n: r.comparison.drained for n, r in reports.items() if r.comparison.drained is not None}
    for server in sorted({s for servers in drained.values() for s in servers}):
        yield from _differ("drained", server, {n: "drained" if server in d else "" for n, d in drained.items()})
    digests = {n: r.comparison.ipvs_digest for n, r in reports.items()}
    yield from _differ("ipvs", "virtual servers, real servers, weights", {n: d for n, d in digests.items() if d})


def _version(report: Report) -> str:
    return ", ".join(dict.fromkeys(k.version or "?" for k in report.keepalived)) or "no keepalived"


def _config_differences(reports: Mapping[str, Report]) -> Iterator[ClusterDifference]:
    hashes = {n: r.comparison.config_hash for n, r in reports.items() if r.comparison.config_hash}
    lines = {n: config for n, r in reports.items() if n in hashes and (config := r.comparison.config) is not None}
    if len(set(hashes.values())) < 2:
        return
    if len(lines) < len(hashes):
        yield from _differ("config", "hash (too long to compare line by line)", hashes)
        return
    sets = {n: frozenset(config) for n, config in lines.items()}
    common = frozenset.intersection(*sets.values())
    odd = dict.fromkeys(line for config in lines.values() for line in config if line not in common)
    for line in sorted(odd)[:MAX_DIFFERING_LINES]:
        yield from _differ("config", line, {n: "yes" if line in s else "" for n, s in sets.items()})


def _differ(kind: str, what: str, values: Mapping[str, str]) -> Iterator[ClusterDifference]:
    groups: dict[str, list[str]] = {}
    for node, value in values.items():
        groups.setdefault(value, []).append(node)
    if len(groups) > 1:
        ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
        yield ClusterDifference(kind, what, tuple(ValueOnNodes(value, tuple(names)) for value, names in ordered))
