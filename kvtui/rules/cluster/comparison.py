"""What a node publishes for a comparison with others: the config's meaning in lines, digests, drained servers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from kvtui import __version__
from kvtui.model.cluster import Comparison
from kvtui.model.observation import RealServerState
from kvtui.rules.identity_cache import IdentityCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


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
