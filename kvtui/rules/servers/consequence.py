"""Effects of a reload on virtual servers, real servers and connections (measured, keepalived.md section 11).

Keepalived compares its old and its new config, never the kernel: weights, scheduler, method and persistence change in
place and at once; connections that exist keep their method. Removed servers lose their connections at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import LVS_METHOD_NAMES, ForwardingMethod, endpoint, service_name
from kvtui.rules.phrases import listed, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.model.conf import Conf, ConfRealServer, ConfVirtualServer
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey

    Configured = tuple[ConfVirtualServer, ConfRealServer]
    Kernel = dict[tuple[ServiceKey, tuple[str, int]], RealServer]


def server_consequences(before: Conf | None, after: Conf | None, table: IpvsTable | None) -> Iterator[str]:
    """Yields a sentence for each virtual server that a reload changes: what is lost first."""
    if before is None or after is None:
        return
    old, new = before.virtual_servers_by_key(), after.virtual_servers_by_key()
    kernel = {(v.key, r.key): r for v in (table.virtual_servers if table else ()) for r in v.real_servers}
    for key, virtual in old.items():
        if key not in new:
            ends = _ending(kernel, key, virtual.regular_servers())
            yield f"virtual server {service_name(key)} is removed at once{ends}"
    for key, virtual in new.items():
        if key in old and (parts := list(_changes(key, old[key], virtual, kernel))):
            yield f"virtual server {service_name(key)}: {'; '.join(parts)}"
    for key, virtual in new.items():
        if key not in old:
            reals = plural(len(virtual.regular_servers()), "real server")
            yield f"virtual server {service_name(key)} is added with {reals}"
        if (warning := _quorum(key, virtual)) and (key not in old or _quorum(key, old[key]) != warning):
            yield warning


def _changes(key: ServiceKey, old: ConfVirtualServer, new: ConfVirtualServer, kernel: Kernel) -> Iterator[str]:
    before, after = old.regular_servers(), new.regular_servers()
    if gone := [k for k in before if k not in after]:
        verb = "is" if len(gone) == 1 else "are"
        yield f"{listed(endpoint(*k) for k in gone)} {verb} removed at once{_ending(kernel, key, gone)}"
    if added := [k for k in after if k not in before]:
        yield f"{listed(endpoint(*k) for k in added)} {'is' if len(added) == 1 else 'are'} added"
    if (old.scheduler or "wlc") != (new.scheduler or "wlc"):
        yield f"scheduler {old.scheduler or 'wlc'} → {new.scheduler or 'wlc'} at once"
    if old.persistence_timeout != new.persistence_timeout:
        yield f"persistence {_seconds(old.persistence_timeout)} → {_seconds(new.persistence_timeout)} at once"
    for real_key in (k for k in after if k in before):
        in_kernel = kernel.get((key, real_key))
        yield from _real_changes(endpoint(*real_key), (old, before[real_key]), (new, after[real_key]), in_kernel)
    if old.sorry_keys() != new.sorry_keys():
        yield f"sorry server {_names(old.sorry_keys())} → {_names(new.sorry_keys())}"


def _real_changes(name: str, old: Configured, new: Configured, in_kernel: RealServer | None) -> Iterator[str]:
    before, after = old[1], new[1]
    if before.initial_weight != after.initial_weight:
        now = "" if in_kernel is None or in_kernel.weight == before.initial_weight else f" ({in_kernel.weight} now)"
        yield f"{name} weight {before.initial_weight} → {after.initial_weight}{now}"
    methods = [r.method or v.method or ForwardingMethod.MASQ for v, r in (old, new)]
    if methods[0] is not methods[1]:
        names = [LVS_METHOD_NAMES.get(m, m.value) for m in methods]
        yield f"{name} method {names[0]} → {names[1]} for new connections, those that exist keep {names[0]}"
    if before.checks != after.checks:
        yield f"{name} is checked by {listed(after.checks) or 'nothing'}, not by {listed(before.checks) or 'nothing'}"
    if (before.upper_threshold, before.lower_threshold) != (after.upper_threshold, after.lower_threshold):
        yield f"{name} has other connection thresholds"


def _ending(kernel: Kernel, key: ServiceKey, reals: Iterable[tuple[str, int]]) -> str:
    found = [kernel[key, real] for real in reals if (key, real) in kernel]
    active = sum(r.active for r in found)
    return f"; {plural(active, 'active connection')} {'ends' if active == 1 else 'end'}" if found else ""


def _seconds(timeout: int | None) -> str:
    return "off" if timeout is None else f"{timeout} s"


def _names(keys: set[tuple[str, int]]) -> str:
    return listed(endpoint(*k) for k in sorted(keys)) or "none"


def _quorum(key: ServiceKey, virtual: ConfVirtualServer) -> str:
    total = sum(r.initial_weight for r in virtual.regular_servers().values())
    quorum = virtual.quorum or 1
    if quorum <= total or not virtual.regular_servers():
        return ""
    return (
        f"virtual server {service_name(key)}: quorum {quorum} is more than all weights ({total}): keepalived reduces it"
    )
