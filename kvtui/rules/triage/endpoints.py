"""Endpoints of the Services compared with the real servers in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.mapping import Mapping, MappingState
from kvtui.rules.ipvsadm import edit_weight
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import real_name

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.kube import EndpointGroup
    from kvtui.model.observation import Observation, VirtualServerView


def endpoints_differ(observation: Observation) -> Findings:
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
) -> Findings:
    six = ":" in mapping.vip
    ready = {e.address for g in groups for e in g.endpoints if e.ready and (":" in e.address) is six}
    waiting = {e.address for g in groups for e in g.endpoints if not e.ready} - ready
    known = {r.address for s in servers for r in s.real_servers}
    taking = {r.address for s in servers for r in s.real_servers if r.weight}
    service = "/".join(mapping.target or ())
    namespace, name = map(shell_word, mapping.target or ("", ""))
    look = f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}"
    for ident, addresses, what in (
        ("endpoint-not-ready-in-ipvs", taking & waiting, "not ready, but IPVS sends it connections"),
        ("endpoint-gone-in-ipvs", taking - waiting - ready, "no longer an endpoint, but IPVS sends it connections"),
        ("endpoint-not-in-ipvs", ready - known, "a ready endpoint, but not in IPVS"),
    ):
        if not addresses:
            continue
        named = sorted(addresses)
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        reals = [(s, r) for s in servers for r in s.real_servers if r.address in addresses]
        yield finding(
            ident,
            Severity.WARNING,
            f"{named[0]}{more} behind {service} is {what} ({mapping.vip})",
            f"endpoints of {service}: {listed(named)} (Kubernetes)",
            *(f"{s.name} -> {real_name(r)} weight {r.weight} (ipvs)" for s, r in reals[:4]),
            *(() if reals else (f"no real server of {listed(s.name for s in servers)} has that address (ipvs)",)),
            remedy=(
                f"{edit_weight(table, reals[0][0], reals[0][1].key, 0)}  # stops new connections; then why did the "
                f"controller keep it? {look}"
                if reals
                else f"{look}  # then the controller's log: it syncs on every change of endpoints"
            ),
            about=mapping.vip,
            vips=(mapping.vip,),
        )


RULES = (Rule(endpoints_differ, ROLLOUT_SECONDS),)
