"""Entries of the ConfigMap that cannot be served, or not as they are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.kube import Resource
from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.mapping.grammar import parse
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Kube, KubeService
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory

CLOUD_PROVIDER = "k8s.co/cloud-provider-config"
SHORT = 60
"""Characters of a value that a sentence repeats."""


def edit(seen: Observation) -> str:
    """The command that changes the ConfigMap."""
    kube = seen.snapshot.kube
    if kube is None or kube.configmap_name is None:
        return "kubectl edit configmap"
    namespace, name = kube.configmap_name
    return f"kubectl -n {quoted(namespace)} edit configmap {quoted(name)}"


def configmap_missing(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The controller has nothing to read."""
    kube = seen.snapshot.kube
    if kube is None or not kube.configmap_missing or kube.configmap_name is None:
        return
    name = "/".join(kube.configmap_name)
    yield Finding(
        "configmap-missing",
        Severity.CRITICAL,
        f"The ConfigMap {name} does not exist",
        (f"{plain(kube.server)} says that there is no ConfigMap {name} (Kubernetes)",),
        f"kubectl -n {quoted(kube.configmap_name[0])} create configmap {quoted(kube.configmap_name[1])} "
        "--from-literal=VIP=NAMESPACE/SERVICE  # or start the controller with another --services-configmap",
        name,
        tuple(v.address for v in seen.vips or ()),
    )


def configmap_owned(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """keepalived-cloud-provider rewrites the data: hand edits are lost."""
    kube = seen.snapshot.kube
    if kube and kube.configmap and CLOUD_PROVIDER in kube.configmap.annotations:
        name = f"{kube.configmap.namespace}/{kube.configmap.name}"
        yield Finding(
            "configmap-owned",
            Severity.INFO,
            f"keepalived-cloud-provider owns and rewrites the ConfigMap {name}: hand edits are lost",
            (f"it has the annotation {CLOUD_PROVIDER} (Kubernetes)",),
            "change the Services (type LoadBalancer, loadBalancerIP) instead of the ConfigMap",
            name,
        )


def bad_entry(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The controller warns in its log and skips it."""
    for mapping in seen.mappings or ():
        if mapping.state is not MappingState.ERROR:
            continue
        vip = plain(mapping.vip, SHORT)
        yield Finding(
            "mapping-error",
            Severity.CRITICAL,
            f"The controller skips {vip}: {plain(mapping.error or 'its value is wrong', 200)}",
            (f"{vip}: {plain(mapping.value, SHORT)!r} (ConfigMap)", *_said(mapping)),
            edit(seen),
            vip,
            (mapping.vip,),
        )


def odd_entry(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The controller takes it, and silently makes something else of it; or its Service has a peculiarity."""
    for mapping in seen.mappings or ():
        # PROXY has a rule of its own: with the controller's mode for it, it is as it should be
        if not mapping.notes or mapping.state is MappingState.ERROR or mapping.method == "PROXY":
            continue
        if mapping.source != "configmap" or _lacks_servers(seen, mapping):  # for the latter there is ``not_served``
            continue
        vip = plain(mapping.vip, SHORT)
        written = set(parse(mapping.vip, mapping.value).notes) & set(mapping.notes)
        yield Finding(
            "mapping-odd",
            Severity.WARNING if written else Severity.INFO,
            f"{vip}: {plain(mapping.notes[0], 200)}",
            (f"{vip}: {plain(mapping.value, SHORT)!r} (ConfigMap)", *_said(mapping)),
            edit(seen),
            vip,
            (mapping.vip,),
        )


def _lacks_servers(seen: Observation, mapping: Mapping) -> bool:
    service = (seen.snapshot.kube.services or {}).get(mapping.target) if seen.snapshot.kube and mapping.target else None
    return mapping.target is not None and (service is None or len(seen.servers_of(mapping.vip)) < len(service.ports))


def _said(mapping: Mapping) -> tuple[str, ...]:
    return tuple(plain(n, 300) for n in mapping.notes)


def proxy_without_mode(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """``lvs_method PROXY`` is nothing that keepalived knows: it takes NAT (measured)."""
    chosen = seen.snapshot.chosen_keepalived
    controller = chosen.controller if chosen else None
    vips = [m.vip for m in seen.mappings or () if m.method == "PROXY" and m.state is MappingState.OK]
    if controller is None or not vips or any(a.startswith("--proxy-protocol-mode") for a in controller.argv):
        return
    yield Finding(
        "proxy-without-mode",
        Severity.WARNING,
        f"PROXY is asked for {listed(vips)}, but the controller does not run in proxy mode: keepalived takes NAT",
        (
            f"PROXY for {listed(vips)} (ConfigMap)",
            f"{controller.name} (PID {controller.pid}) runs without --proxy-protocol-mode (processes)",
        ),
        f"kubectl edit daemonset  # args: --proxy-protocol-mode=true; or: {edit(seen)}",
        "PROXY",
        tuple(vips),
    )


def not_served(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A good entry that is not served: no such Service, no ready endpoint, or nobody wrote it."""
    kube = seen.snapshot.kube
    services = kube.resource(Resource.SERVICES) if kube else None
    if kube is None or kube.services is None or (services and services.state is SourceState.UNAVAILABLE):
        return
    served: dict[str, int] = {}
    for virtual in seen.virtual_servers or ():
        if virtual.address:
            served[virtual.address] = served.get(virtual.address, 0) + 1
    for mapping in seen.mappings or ():
        target = mapping.target
        if mapping.state is not MappingState.OK or target is None or mapping.method == "PROXY":
            continue
        service = kube.services.get(target)
        if service is None:
            yield _no_service(mapping, kube)
        elif seen.virtual_servers is not None and served.get(mapping.vip, 0) < len(service.ports):
            yield from _ports(seen, mapping, kube, service)


def _no_service(mapping: Mapping, kube: Kube) -> Finding:
    namespace, name = mapping.target or ("", "")
    return Finding(
        "service-missing",
        Severity.CRITICAL,
        f"{mapping.vip} is mapped to {namespace}/{name}, which does not exist",
        (f"{plain(kube.server)} has no Service {namespace}/{name} (Kubernetes)", "the controller skips the entry"),
        f"kubectl -n {quoted(namespace)} get services",
        mapping.vip,
        (mapping.vip,),
    )


def _ports(seen: Observation, mapping: Mapping, kube: Kube, service: KubeService) -> Iterator[Finding]:
    """Fewer virtual servers than ports: which, and why."""
    if kube.endpoints is None or mapping.target is None:
        return
    have = {v.port for v in seen.servers_of(mapping.vip)}
    absent = [p for p in port_backends(service, endpoints_of(kube, mapping.target)) if p.port.port not in have]
    lacking = [p for p in absent if not p.backends]
    name = "/".join(mapping.target)
    namespace, short = (quoted(w) for w in mapping.target)
    if lacking:
        whole = len(lacking) == len(service.ports)
        ports = listed(str(p.port.port) for p in lacking)
        yield Finding(
            "no-ready-endpoints",
            Severity.CRITICAL,
            f"{mapping.vip}: {name} has no ready endpoint" + ("" if whole else f" for port {ports}"),
            (
                *(f"port {p.port.port}: {p.why_none} (Kubernetes)" for p in lacking[:6]),
                *(("so the VIP itself leaves virtual_ipaddress, as if it were not mapped",) if whole else ()),
            ),
            f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={short}; "
            f"kubectl -n {namespace} get pods",
            mapping.vip,
            (mapping.vip,),
        )
    unwritten = [p for p in absent if p.backends]
    if unwritten:
        ports = listed(str(p.port.port) for p in unwritten)
        yield Finding(
            "mapping-not-served",
            Severity.CRITICAL,
            f"{mapping.vip} is mapped to {name}, but has no virtual server for port {ports}",
            (
                *(f"port {p.port.port}: {len(p.backends)} ready endpoints (Kubernetes)" for p in unwritten[:6]),
                f"{mapping.vip} has {len(have)} virtual servers (ipvs, conf)",
            ),
            "kubectl logs of the controller's pod on this node; contrib does not watch the ConfigMap: restart the pod",
            f"{mapping.vip} not served",
            (mapping.vip,),
        )


RULES = (
    Rule(configmap_missing, PASSING),
    Rule(bad_entry, PASSING),
    Rule(not_served, ROLLOUT),
    Rule(odd_entry, PASSING),
    Rule(proxy_without_mode, PASSING),
    Rule(configmap_owned),
)
