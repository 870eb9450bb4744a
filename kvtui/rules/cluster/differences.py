"""What should be equal on all nodes and is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.cluster import ClusterDifference, ValueOnNodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kvtui.model.cluster import ClusterNode, Report, Router

MAX_CONFIG_LINES = 200
"""At most so many differing lines are listed, in alphabetical order."""


def differences(nodes: tuple[ClusterNode, ...], routers: tuple[Router, ...]) -> Iterator[ClusterDifference]:
    reports = {n.name: n.current for n in nodes if n.current}
    yield from _differ("keepalived", "version", {n: _version(r) for n, r in reports.items()})
    yield from _differ("kvtui", "version", {n: r.comparison.kvtui or "(older)" for n, r in reports.items()})
    yield from _config(reports)
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


def _config(reports: Mapping[str, Report]) -> Iterator[ClusterDifference]:
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
    for line in sorted(odd)[:MAX_CONFIG_LINES]:
        yield from _differ("config", line, {n: "yes" if line in s else "" for n, s in sets.items()})


def _differ(kind: str, what: str, values: Mapping[str, str]) -> Iterator[ClusterDifference]:
    groups: dict[str, list[str]] = {}
    for node, value in values.items():
        groups.setdefault(value, []).append(node)
    if len(groups) > 1:
        ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
        yield ClusterDifference(kind, what, tuple(ValueOnNodes(value, tuple(names)) for value, names in ordered))
