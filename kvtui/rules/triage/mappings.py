"""Entries of the ConfigMap that are not served, or not as intended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.keepalived import is_true, parse_flags
from kvtui.model.kube import Kube, KubeService, Resource
from kvtui.model.mapping import Mapping, MappingState
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.rules.mapping.grammar import parse
from kvtui.rules.phrases import MAX_QUOTED, listed, plural, shell_word
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule, finding

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

CLOUD_PROVIDER = "k8s.co/cloud-provider-config"


def edit(observation: Observation) -> str:
    kube = observation.snapshot.kube
    if kube is None or kube.configmap_name is None:
        return "edit the ConfigMap"
    namespace, name = kube.configmap_name
    return f"kubectl -n {shell_word(namespace)} edit configmap {shell_word(name)}"


def configmap_missing(observation: Observation) -> Findings:
    """Without the ConfigMap the controller has no mappings."""
    kube = observation.snapshot.kube
    if kube is None or not kube.configmap_missing or kube.configmap_name is None:
        return
    name = "/".join(kube.configmap_name)
    namespace, short = map(shell_word, kube.configmap_name)
    yield finding(
        "configmap-missing",
        Severity.CRITICAL,
        f"The ConfigMap {name} does not exist",
        f"{plain(kube.server)} has no ConfigMap {name} (Kubernetes)",
        remedy=f"kubectl -n {namespace} create configmap {short}  # then add its entries (VIP: NAMESPACE/SERVICE); or "
        "start the controller with another --services-configmap",
        about=name,
        vips=(v.address for v in observation.vips or ()),
    )


def configmap_owned(observation: Observation) -> Findings:
    """keepalived-cloud-provider rewrites the data: manual edits are lost."""
    kube = observation.snapshot.kube
    if kube and kube.configmap and CLOUD_PROVIDER in kube.configmap.annotations:
        name = f"{kube.configmap.namespace}/{kube.configmap.name}"
        yield finding(
            "configmap-owned",
            Severity.INFO,
            f"keepalived-cloud-provider rewrites the ConfigMap {name}: manual edits are lost",
            f"it has the annotation {CLOUD_PROVIDER} (Kubernetes)",
            remedy="edit the Services (type LoadBalancer, loadBalancerIP) instead of the ConfigMap",
            about=name,
        )


def bad_entry(observation: Observation) -> Findings:
    """The controller logs a warning and skips it."""
    for mapping in observation.mappings or ():
        if mapping.state is MappingState.ERROR:
            vip = plain(mapping.vip, MAX_QUOTED)
            yield finding(
                "mapping-error",
                Severity.CRITICAL,
                f"The controller skips {vip}: {plain(mapping.error or 'its value is invalid', 200)}",
                *_evidence(mapping),
                remedy=edit(observation),
                about=vip,
                vips=(mapping.vip,),
            )


def odd_entry(observation: Observation) -> Findings:
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
        yield finding(
            "mapping-odd",
            Severity.WARNING if written else Severity.INFO,
            title,
            *_evidence(mapping, title),
            remedy=edit(observation),
            about=vip,
            vips=(mapping.vip,),
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


def proxy_without_mode(observation: Observation) -> Findings:
    """Keepalived does not know ``lvs_method PROXY`` and uses NAT (measured)."""
    controller = observation.snapshot.controller
    vips = [m.vip for m in observation.mappings or () if m.method == "PROXY" and m.state is MappingState.OK]
    if controller is None or not vips or is_true(parse_flags(controller.argv), "proxy-protocol-mode"):
        return
    yield finding(
        "proxy-without-mode",
        Severity.WARNING,
        f"{listed(vips)} is mapped with PROXY, but the controller does not run in proxy mode: keepalived uses NAT",
        f"PROXY for {listed(vips)} (ConfigMap)",
        f"{controller.name} (PID {controller.pid}) runs without --proxy-protocol-mode (processes)",
        remedy=f"add --proxy-protocol-mode=true to the args of the controller's DaemonSet, or: {edit(observation)}",
        about="PROXY",
        vips=vips,
    )


def not_served(observation: Observation) -> Findings:
    """A valid entry is not served: its Service does not exist, has no ready endpoint, or the config lacks it."""
    kube = observation.snapshot.kube
    services = kube.resource(Resource.SERVICES) if kube else None
    if kube is None or kube.services is None or (services and services.state is SourceState.UNAVAILABLE):
        return
    for mapping in observation.mappings or ():
        if mapping.state is not MappingState.OK or mapping.target is None or mapping.method == "PROXY":
            continue
        namespace, name = mapping.target
        service = kube.services.get(mapping.target)
        if service is None:
            yield finding(
                "service-missing",
                Severity.CRITICAL,
                f"{mapping.vip} is mapped to {namespace}/{name}, which does not exist",
                f"{plain(kube.server)} has no Service {namespace}/{name} (Kubernetes)",
                "the controller skips the entry",
                remedy=f"kubectl -n {shell_word(namespace)} get services",
                about=mapping.vip,
                vips=(mapping.vip,),
            )
        elif observation.virtual_servers is not None and kube.endpoints is not None:
            yield from _missing_ports(observation, mapping, kube, service)


def _missing_ports(observation: Observation, mapping: Mapping, kube: Kube, service: KubeService) -> Findings:
    servers = observation.servers_of(mapping.vip)
    if len(servers) >= len(service.ports):
        return
    served = {v.port for v in servers}
    missing = [p for p in port_backends(service, endpoints_of(kube, service.key)) if p.port.port not in served]
    name = "/".join(service.key)
    namespace, short = map(shell_word, service.key)
    if lacking := [p for p in missing if not p.backends]:
        whole = len(lacking) == len(service.ports)
        ports = listed(str(p.port.port) for p in lacking)
        yield finding(
            "no-ready-endpoints",
            Severity.CRITICAL,
            f"{mapping.vip}: {name} has no ready endpoint" + ("" if whole else f" for port {ports}"),
            *(f"port {p.port.port}: {p.why_none} (Kubernetes)" for p in lacking[:6]),
            *(("so the controller also removes the VIP from virtual_ipaddress",) if whole else ()),
            remedy=f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={short}; "
            f"kubectl -n {namespace} get pods",
            about=mapping.vip,
            vips=(mapping.vip,),
        )
    if unwritten := [p for p in missing if p.backends]:
        ports = listed(str(p.port.port) for p in unwritten)
        yield finding(
            "mapping-not-served",
            Severity.CRITICAL,
            f"{mapping.vip} is mapped to {name}, but has no virtual server for port {ports}",
            *(f"port {p.port.port}: {plural(len(p.backends), 'ready endpoint')} (Kubernetes)" for p in unwritten[:6]),
            f"{mapping.vip} has {plural(len(served), 'virtual server')} (ipvs, conf)",
            remedy="read the log of the controller's pod on this node; contrib does not watch the ConfigMap: restart "
            "its pod",
            about=f"{mapping.vip} not served",
            vips=(mapping.vip,),
        )


RULES = (
    Rule(configmap_missing, TRANSIENT_SECONDS),
    Rule(bad_entry, TRANSIENT_SECONDS),
    Rule(not_served, ROLLOUT_SECONDS),
    Rule(odd_entry, TRANSIENT_SECONDS),
    Rule(proxy_without_mode, TRANSIENT_SECONDS),
    Rule(configmap_owned),
)
