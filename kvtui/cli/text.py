"""The views as plain text: for a pipe, a file, or a terminal that cannot show the terminal UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.cli.tables import table
from kvtui.model.ipvs import endpoint
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.units import ago, count, per_second
from kvtui.presenters.cells import or_unknown
from kvtui.presenters.host import host_lines

if TYPE_CHECKING:
    from kvtui.cli.tables import Row
    from kvtui.model.observation import (
        InstanceView,
        Observation,
        RealServerView,
        StatsView,
        VipView,
        VirtualServerView,
    )

_NODE = frozenset({SourceName.KEEPALIVED, SourceName.CONF})
_WIRE = _NODE | {SourceName.VRRP, SourceName.ADDRESSES, SourceName.ADVERTS}
VIEW_SOURCES = {"vrrp": _WIRE, "vips": _WIRE | {SourceName.IPVS}, "ipvs": _NODE | {SourceName.IPVS}}
"""The sources of a view; those that are not ok are listed below it. A view that is not here has all sources."""


def render(seen: Observation, view: str, width: int | None = None) -> str:
    """Returns a view.

    Args:
        seen: the observation.
        view: the command's name.
        width: columns of the terminal; None for every column of every table.
    """
    if view == "status":
        parts = [_header(seen), _vips(seen, width), _vrrp(seen, width), _ipvs(seen, width), _sources(seen)]
        return "\n".join(parts).rstrip("\n") + "\n"
    if view == "mappings":
        from kvtui.cli.mappings_text import mappings  # noqa: PLC0415 - imports the rules of the chain

        body = mappings(seen)
    else:
        body = {"vrrp": _vrrp, "vips": _vips, "ipvs": _ipvs}[view](seen, width)
    errors = _sources(seen, VIEW_SOURCES.get(view))
    return body + ("\n" + errors if errors else "")


def _header(seen: Observation) -> str:
    """Returns one line about the node, then one or two about its CPU, memory, disk and NICs."""
    snapshot = seen.snapshot
    chosen = snapshot.chosen_keepalived
    if chosen is None:
        what = "no keepalived found"
    else:
        what = f"keepalived {chosen.version or '(version unknown)'}, PID {chosen.pid}"
        what += f", up {ago(snapshot.time - chosen.started)}"
        if len(snapshot.keepalived) > 1:
            others = ", ".join(str(k.pid) for k in snapshot.keepalived if k.pid != chosen.pid)
            what += f"  (also running: PID {others}; choose with --pid)"
    held = sum(1 for v in seen.vips or () if v.present)
    vips_held = f"{held} of {len(seen.vips)} VIPs here" if seen.vips is not None else "VIPs unknown"
    read_only = "  read-only" if snapshot.node.read_only else ""
    host = "".join(f"{line}\n" for line in host_lines(snapshot.host)) if snapshot.host else ""
    return f"{plain(snapshot.node.name)}  {what}  {vips_held}{read_only}\n{host}"


def _sources(seen: Observation, names: frozenset[SourceName] | None = None) -> str:
    """Returns a table of those sources (None: of all) that are not ok; empty when all are."""
    now = seen.snapshot.time
    rows: list[Row] = []
    for s in seen.snapshot.sources:
        if s.state is not SourceState.OK and (names is None or s.name in names):
            age = s.age(now)
            rows.append((s.name.value, s.state.value, "" if age is None else ago(age), s.detail))
    return table(("SOURCE", "STATE", "AGE", "WHY"), rows) if rows else ""


def _unknown(what: str, seen: Observation, *names: str) -> str:
    """Returns the details of a layer's sources."""
    details = [s.detail for s in seen.snapshot.sources if s.name.value in names and s.detail]
    return f"{what} unknown: {plain('; '.join(details)) or 'nothing was read'}\n"


def _vips(seen: Observation, width: int | None) -> str:
    if seen.vips is None:
        return _unknown("VIPs", seen, "vrrp", "conf")
    if not seen.vips:
        return "No VIPs: the config has no virtual_ipaddress.\n"
    rows = [_vip_row(seen, v) for v in seen.vips]
    head = ("VIP", "OWNER", "HERE", "STATE", "INSTANCE", "INTERFACE", "REAL UP/ALL")
    return table(head, rows, max_width=width, optional=(5, 4))


def _vip_row(seen: Observation, v: VipView) -> Row:
    here = {True: "yes", False: "no", None: "?"}[v.present]
    owner = v.owner or ("this node" if v.owner_is_self else "?")
    if v.owner_is_self and v.owner:
        owner += " (self)"
    if v.rivals:
        owner += f" AND {', '.join(v.rivals)}"
    servers = seen.servers_of(v.address)
    reals = [r for s in servers for r in s.real_servers]
    up = "-" if not servers else f"{sum(s.up for s in servers)}/{len(reals)}"
    if seen.virtual_servers is None:
        up = "?"
    return (f"{v.address}/{v.prefixlen}", owner, here, v.state.value, v.instance, v.interface or "?", up)


def _vrrp(seen: Observation, width: int | None) -> str:
    if seen.vrrp_instances is None:
        return _unknown("VRRP instances", seen, "vrrp", "conf")
    if not seen.vrrp_instances:
        return "No VRRP instances: the config has no vrrp_instance.\n"
    rows = [_instance_row(seen, i) for i in seen.vrrp_instances]
    head = ("INSTANCE", "STATE", "VRID", "VER", "INTERFACE", "PRIO", "PREEMPT", "ADVERT", "MASTER", "SINCE")
    text = table(head, rows, max_width=width, optional=(3, 4, 7))
    peers: list[Row] = [
        (i.name, p.address, "?" if p.priority is None else str(p.priority), _heard(p.age_seconds))
        for i in seen.vrrp_instances
        for p in i.peers
    ]
    return text + ("\n" + table(("INSTANCE", "PEER", "PRIO", "LAST ADVERT"), peers) if peers else "")


def _heard(age: float | None) -> str:
    return "no advert received (a backup sends none)" if age is None else f"{ago(age)} ago"


def _instance_row(seen: Observation, i: InstanceView) -> Row:
    priority = or_unknown(i.priority)
    if i.effective_priority is not None and i.effective_priority != i.priority:
        priority += f" now {i.effective_priority}"
    preempt = "?" if i.nopreempt is None else ("no" if i.nopreempt else "yes")
    master = "?"
    if i.master:
        name = i.master.address or ("this node" if i.master.is_self else "?")
        master = f"{name} ({or_unknown(i.master.priority)}{', self' if i.master.is_self else ''})"
    if i.rivals:
        master += f" AND {', '.join(i.rivals)}"
    since = "?" if i.since is None else f"{ago(seen.snapshot.time - i.since)} ago"
    interval = "?" if i.advert_interval is None else f"{i.advert_interval:g} s"
    return (
        i.name,
        i.state.value,
        or_unknown(i.vrid),
        or_unknown(i.version),
        i.interface or "?",
        priority,
        preempt,
        interval,
        master,
        since,
    )


IPVS_HEAD = (
    "SERVER", "METHOD", "WEIGHT", "ACTIVE", "INACT", "PERSIST",
    "CONN/S", "IN B/S", "OUT B/S", "CONNS", "IN", "OUT", "STATE",
)  # fmt: skip
IPVS_RIGHT = frozenset(range(2, 12))
IPVS_OPTIONAL = (11, 10, 9, 8, 7, 5, 4)
"""Left out first: totals; then bytes per second, persistent and inactive connections."""


def _ipvs(seen: Observation, width: int | None) -> str:
    if seen.virtual_servers is None:
        return _unknown("IPVS table", seen, "ipvs")
    if not seen.virtual_servers:
        return "The IPVS table is empty.\n"
    rows: list[Row] = []
    for virtual in seen.virtual_servers:
        rows.append(_virtual_row(virtual))
        rows.extend(_real_row(r) for r in virtual.real_servers)
    return table(IPVS_HEAD, rows, IPVS_RIGHT, max_width=width, optional=IPVS_OPTIONAL)


def _virtual_row(v: VirtualServerView) -> Row:
    name = f"{v.protocol.value} {v.name}" if v.fwmark is None else f"FWM {v.fwmark}"
    words = [v.scheduler or "?", *v.flags]
    persistence = "" if v.persistence_timeout is None else f"{v.persistence_timeout} s"
    state = f"{v.up}/{len(v.real_servers)} up"
    if v.managed_by is not ManagedBy.KEEPALIVED:
        state += f", {v.managed_by.value}"
    if not v.in_kernel:
        state = "in the config, not in the kernel"
    return (name, " ".join(words), "", "", "", persistence, *_traffic(v.stats), state)


def _real_row(r: RealServerView) -> Row:
    weight = "-" if r.weight is None else str(r.weight)
    if r.configured_weight is not None and r.weight is not None and r.configured_weight != r.weight:
        weight += f" (conf {r.configured_weight})"
    state = r.state.value if r.state is not RealServerState.UP else "up"
    if r.check and r.check != "passes":
        state += f", check {r.check}"
    return (
        f"  {endpoint(r.address, r.port)}",
        r.method.value if r.method else "?",
        weight,
        *(("-" if n is None else str(n)) for n in (r.active, r.inactive, r.persistent)),
        *_traffic(r.stats),
        state,
    )


def _traffic(stats: StatsView | None) -> tuple[str, str, str, str, str, str]:
    if stats is None:
        return ("-",) * 6
    return (
        per_second(stats.cps),
        per_second(stats.in_bps),
        per_second(stats.out_bps),
        count(stats.connections),
        count(stats.in_bytes),
        count(stats.out_bytes),
    )
