"""Entries of the ConfigMap that are not served, or not as intended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.keepalived import is_true, parse_flags
from kvtui.model.kube import Resource
from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.mapping.grammar import parse
from kvtui.rules.phrases import MAX_QUOTED, listed, plural, shell_word
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Kube, KubeService
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation

CLOUD_PROVIDER = "k8s.co/cloud-provider-config"


def edit(observation: Observation) -> str:
    kube = observation.snapshot.kube
    if kube is None or kube.configmap_name is None:
        return "edit the ConfigMap"
    namespace, name = kube.configmap_name
    return f"kubectl -n {shell_word(namespace)} edit configmap {shell_word(name)}"


def configmap_missing(observation: Observation) -> Iterator[Finding]:
    """Without the ConfigMap the controller has no mappings."""
    kube = observation.snapshot.kube
    if kube is None or not kube.configmap_missing or kube.configmap_name is None:
        return
    name = "/".join(kube.configmap_name)
    yield Finding(
        "configmap-missing",
        Severity.CRITICAL,
        f"The ConfigMap {name} does not exist",
        (f"{plain(kube.server)} has no ConfigMap {name} (Kubernetes)",),
        f"kubectl -n {shell_word(kube.configmap_name[0])} create configmap {shell_word(kube.configmap_name[1])}  # "
        "then add its entries (VIP: NAMESPACE/SERVICE); or start the controller with another --services-configmap",
        name,
        tuple(v.address for v in observation.vips or ()),
    )


def configmap_owned(observation: Observation) -> Iterator[Finding]:
    """keepalived-cloud-provider rewrites the data: manual edits are lost."""
    kube = observation.snapshot.kube
    if kube and kube.configmap and CLOUD_PROVIDER in kube.configmap.annotations:
        name = f"{kube.configmap.namespace}/{kube.configmap.name}"
        yield Finding(
            "configmap-owned",
            Severity.INFO,
            f"keepalived-cloud-provider rewrites the ConfigMap {name}: manual edits are lost",
            (f"it has the annotation {CLOUD_PROVIDER} (Kubernetes)",),
            "edit the Services (type LoadBalancer, loadBalancerIP) instead of the ConfigMap",
            name,
        )


def bad_entry(observation: Observation) -> Iterator[Finding]:
    """The controller logs a warning and skips it."""
    for mapping in observation.mappings or ():
        if mapping.state is not MappingState.ERROR:
            continue
        vip = plain(mapping.vip, MAX_QUOTED)
        yield Finding(
            "mapping-error",
            Severity.CRITICAL,
            f"The controller skips {vip}: {plain(mapping.error or 'its value is invalid', 200)}",
            _evidence(mapping),
            edit(observation),
            vip,
            (mapping.vip,),
        )


def odd_entry(observation: Observation) -> Iterator[Finding]:
    """The controller accepts the entry, but its effect is unexpected."""
    for mapping in observation.mappings or ():
        # PROXY has its own rule; in proxy mode it is correct
        if not mapping.notes or mapping.state is MappingState.ERROR or mapping.method == "PROXY":
            continue
        if mapping.source != "configmap" or _lacks_servers(observation, mapping):  # see not_served
            continue
        vip = plain(mapping.vip, MAX_QUOTED)
        written = set(parse(mapping.vip, mapping.value).notes) & set(mapping.notes)
        title = f"{vip}: {plain(mapping.notes[0], 200)}"
        yield Finding(
            "mapping-odd",
            Severity.WARNING if written else Severity.INFO,
            title,
            _evidence(mapping, title),
            edit(observation),
            vip,
            (mapping.vip,),
        )


def _lacks_servers(observation: Observation, mapping: Mapping) -> bool:
    if mapping.target is None:
        return False
    kube = observation.snapshot.kube
    service = (kube.services or {}).get(mapping.target) if kube else None
    return service is None or len(observation.servers_of(mapping.vip)) < len(service.ports)


def _evidence(mapping: Mapping, title: str = "") -> tuple[str, ...]:
    """Returns the entry, and its notes that are not in the title of the finding."""
    vip, value = plain(mapping.vip, MAX_QUOTED), plain(mapping.value, MAX_QUOTED)
    return (f"{vip}: {value!r} (ConfigMap)", *(plain(n, 300) for n in mapping.notes if plain(n, 300) not in title))


def proxy_without_mode(observation: Observation) -> Iterator[Finding]:
    """Keepalived does not know ``lvs_method PROXY`` and uses NAT (measured)."""
    controller = observation.snapshot.controller
    vips = [m.vip for m in observation.mappings or () if m.method == "PROXY" and m.state is MappingState.OK]
    if controller is None or not vips or is_true(parse_flags(controller.argv), "proxy-protocol-mode"):
        return
    yield Finding(
        "proxy-without-mode",
        Severity.WARNING,
        f"{listed(vips)} is mapped with PROXY, but the controller does not run in proxy mode: keepalived uses NAT",
        (
            f"PROXY for {listed(vips)} (ConfigMap)",
            f"{controller.name} (PID {controller.pid}) runs without --proxy-protocol-mode (processes)",
        ),
        f"add --proxy-protocol-mode=true to the args of the controller's DaemonSet, or: {edit(observation)}",
        "PROXY",
        tuple(vips),
    )


def not_served(observation: Observation) -> Iterator[Finding]:
    """A valid entry is not served: its Service does not exist, has no ready endpoint, or the config lacks it."""
    kube = observation.snapshot.kube
    services = kube.resource(Resource.SERVICES) if kube else None
    if kube is None or kube.services is None or (services and services.state is SourceState.UNAVAILABLE):
        return
    served: dict[str, int] = {}
    for virtual in observation.virtual_servers or ():
        if virtual.address:
            served[virtual.address] = served.get(virtual.address, 0) + 1
    for mapping in observation.mappings or ():
        target = mapping.target
        if mapping.state is not MappingState.OK or target is None or mapping.method == "PROXY":
            continue
        service = kube.services.get(target)
        if service is None:
            yield _no_service(mapping, kube)
        elif observation.virtual_servers is not None and served.get(mapping.vip, 0) < len(service.ports):
            yield from _ports(observation, mapping, kube, service)


def _no_service(mapping: Mapping, kube: Kube) -> Finding:
    namespace, name = mapping.target or ("", "")
    return Finding(
        "service-missing",
        Severity.CRITICAL,
        f"{mapping.vip} is mapped to {namespace}/{name}, which does not exist",
        (f"{plain(kube.server)} has no Service {namespace}/{name} (Kubernetes)", "the controller skips the entry"),
        f"kubectl -n {shell_word(namespace)} get services",
        mapping.vip,
        (mapping.vip,),
    )


def _ports(observation: Observation, mapping: Mapping, kube: Kube, service: KubeService) -> Iterator[Finding]:
    if kube.endpoints is None or mapping.target is None:
        return
    served = {v.port for v in observation.servers_of(mapping.vip)}
    missing = [p for p in port_backends(service, endpoints_of(kube, mapping.target)) if p.port.port not in served]
    lacking = [p for p in missing if not p.backends]
    name = "/".join(mapping.target)
    namespace, short = (shell_word(w) for w in mapping.target)
    if lacking:
        whole = len(lacking) == len(service.ports)
        ports = listed(str(p.port.port) for p in lacking)
        yield Finding(
            "no-ready-endpoints",
            Severity.CRITICAL,
            f"{mapping.vip}: {name} has no ready endpoint" + ("" if whole else f" for port {ports}"),
            (
                *(f"port {p.port.port}: {p.why_none} (Kubernetes)" for p in lacking[:6]),
                *(("so the controller also removes the VIP from virtual_ipaddress",) if whole else ()),
            ),
            f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={short}; "
            f"kubectl -n {namespace} get pods",
            mapping.vip,
            (mapping.vip,),
        )
    unwritten = [p for p in missing if p.backends]
    if unwritten:
        ports = listed(str(p.port.port) for p in unwritten)
        yield Finding(
            "mapping-not-served",
            Severity.CRITICAL,
            f"{mapping.vip} is mapped to {name}, but has no virtual server for port {ports}",
            (
                *(
                    f"port {p.port.port}: {plural(len(p.backends), 'ready endpoint')} (Kubernetes)"
                    for p in unwritten[:6]
                ),
                f"{mapping.vip} has {plural(len(served), 'virtual server')} (ipvs, conf)",
            ),
            "read the log of the controller's pod on this node; contrib does not watch the ConfigMap: restart its pod",
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
