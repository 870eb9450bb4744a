"""Endpoints of the Services compared with the real servers in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.mapping import MappingState
from kvtui.rules.ipvsadm import edit_weight
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rule import ROLLOUT, Rule
from kvtui.rules.triage.words import real_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.kube import EndpointGroup
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation, VirtualServerView


def endpoints_differ(observation: Observation) -> Iterator[Finding]:
    """Reports three kinds of differences in one pass: there may be tens of thousands of endpoints."""
    kube = observation.snapshot.kube
    if kube is None or kube.endpoints is None or not observation.mappings:
        return
    servers: dict[str, list[VirtualServerView]] = {}
    for virtual in observation.virtual_servers or ():
        if virtual.in_kernel and virtual.address:
            servers.setdefault(virtual.address, []).append(virtual)
    for mapping in observation.mappings:
        groups = kube.endpoints.get(mapping.target) if mapping.target else None
        there = servers.get(mapping.vip)
        # in PROXY mode HAProxy has the real servers
        if groups is not None and there and mapping.state is MappingState.OK and mapping.method != "PROXY":
            yield from _compare(mapping, groups, there, observation.snapshot.ipvs)


def _compare(
    mapping: Mapping, groups: tuple[EndpointGroup, ...], servers: list[VirtualServerView], table: IpvsTable | None
) -> Iterator[Finding]:
    six = ":" in mapping.vip
    ready = {e.address for g in groups for e in g.endpoints if e.ready and (":" in e.address) is six}
    waiting = {e.address for g in groups for e in g.endpoints if not e.ready} - ready
    known = {r.address for s in servers for r in s.real_servers}
    taking = {r.address for s in servers for r in s.real_servers if r.weight}
    if odd := taking & waiting:
        yield _finding(
            table, mapping, servers, odd, "endpoint-not-ready-in-ipvs", "not ready, but IPVS sends it connections"
        )
    if odd := taking - waiting - ready:
        what = "no longer an endpoint, but IPVS sends it connections"
        yield _finding(table, mapping, servers, odd, "endpoint-gone-in-ipvs", what)
    if odd := ready - known:
        yield _finding(table, mapping, servers, odd, "endpoint-not-in-ipvs", "a ready endpoint, but not in IPVS")


def _finding(
    table: IpvsTable | None,
    mapping: Mapping,
    servers: list[VirtualServerView],
    addresses: set[str],
    rule: str,
    what: str,
) -> Finding:
    service = "/".join(mapping.target or ())
    named = sorted(addresses)
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    reals = [(s, r) for s in servers for r in s.real_servers if r.address in addresses]
    namespace, name = (shell_word(word) for word in mapping.target or ("", ""))
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
        f"{edit_weight(table, reals[0][0], reals[0][1].key, 0)}  # stops new connections; then why did the controller "
        f"keep it? {look}"
        if reals
        else f"{look}  # then the controller's log: it syncs on every change of endpoints",
        mapping.vip,
        (mapping.vip,),
    )


RULES = (Rule(endpoints_differ, ROLLOUT),)
