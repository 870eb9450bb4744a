"""The Services' endpoints beside the kernel's real servers, by address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.mapping import MappingState
from kvtui.rules.triage.rule import ROLLOUT, Rule
from kvtui.rules.triage.words import edit_weight, listed, quoted, real_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import EndpointGroup
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation, VirtualServerView
    from kvtui.rules.triage.condition_history import ConditionHistory


def endpoints_differ(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Three ways in which the two differ; one pass, since there may be tens of thousands of both."""
    kube = seen.snapshot.kube
    if kube is None or kube.endpoints is None or not seen.mappings:
        return
    servers: dict[str, list[VirtualServerView]] = {}
    for virtual in seen.virtual_servers or ():
        if virtual.in_kernel and virtual.address:
            servers.setdefault(virtual.address, []).append(virtual)
    for mapping in seen.mappings:
        groups = kube.endpoints.get(mapping.target) if mapping.target else None
        there = servers.get(mapping.vip)
        # in PROXY mode the real servers are HAProxy's
        if groups is not None and there and mapping.state is MappingState.OK and mapping.method != "PROXY":
            yield from _compare(mapping, groups, there)


def _compare(
    mapping: Mapping, groups: tuple[EndpointGroup, ...], servers: list[VirtualServerView]
) -> Iterator[Finding]:
    six = ":" in mapping.vip
    ready = {e.address for g in groups for e in g.endpoints if e.ready and (":" in e.address) is six}
    waiting = {e.address for g in groups for e in g.endpoints if not e.ready} - ready
    known = {r.address for s in servers for r in s.real_servers}
    taking = {r.address for s in servers for r in s.real_servers if r.weight}
    if odd := taking & waiting:
        yield _finding(mapping, servers, odd, "endpoint-not-ready-in-ipvs", "not ready, but takes connections in IPVS")
    if odd := taking - waiting - ready:
        yield _finding(mapping, servers, odd, "endpoint-gone-in-ipvs", "no endpoint any more, but takes connections")
    if odd := ready - known:
        yield _finding(mapping, servers, odd, "endpoint-not-in-ipvs", "a ready endpoint, but not in IPVS")


def _finding(mapping: Mapping, servers: list[VirtualServerView], addresses: set[str], rule: str, what: str) -> Finding:
    service = "/".join(mapping.target or ())
    named = sorted(addresses)
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    reals = [(s, r) for s in servers for r in s.real_servers if r.address in addresses]
    namespace, name = (quoted(word) for word in mapping.target or ("", ""))
    look = f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}"
    return Finding(
        rule,
        Severity.WARNING,
        f"{named[0]}{more} behind {service} is {what} ({mapping.vip})",
        (
            f"endpoints of {service}: {listed(named)} (Kubernetes)",
            *(f"{s.name} -> {real_name(r)} weight {r.weight} (ipvs)" for s, r in reals[:4]),
            *(() if reals else (f"no real server of {listed(s.name for s in servers)} has that address (ipvs)",)),
        ),
        f"{edit_weight(*reals[0], 0)}  # stops it now; then why did the controller not write it? {look}"
        if reals
        else f"{look}  # the controller syncs on changes of endpoints; its log says what it makes of them",
        mapping.vip,
        (mapping.vip,),
    )


RULES = (Rule(endpoints_differ, ROLLOUT),)
