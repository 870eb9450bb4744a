"""The mappings: entries of the ConfigMap, or without the API those derived from keepalived.conf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.ipvs import LVS_METHOD_NAMES, ForwardingMethod
from kvtui.model.mapping import Mapping, MappingState
from kvtui.rules.mapping.backends import endpoints_of, port_backends, service_notes
from kvtui.rules.mapping.controller import settings_of
from kvtui.rules.mapping.grammar import keepalived_method, parse_all
from kvtui.rules.phrases import in_quotes

if TYPE_CHECKING:
    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.kube import Kube
    from kvtui.model.snapshot import Snapshot
    from kvtui.rules.mapping.controller import ControllerSettings

NO_COMMENT = "no `# Service:` comment before it: keepalived-vip did not write it, or the comment was removed"


def mappings(snapshot: Snapshot) -> tuple[Mapping, ...] | None:
    """Returns the entries in the controller's order, with unexpected effects as notes.

    The state of an entry depends only on the grammar; a missing Service is a note. None if neither the ConfigMap nor
    keepalived.conf could be read.
    """
    kube = snapshot.kube
    if kube is not None and kube.configmap is not None:
        settings = settings_of(snapshot)
        proxy_mode = settings.proxy_mode if snapshot.controller else None
        entries = parse_all(kube.configmap, settings.dialect, proxy_mode=proxy_mode)
        return tuple(_with_service(m, kube, settings) for m in entries)
    conf = snapshot.conf or snapshot.running
    return None if conf is None else from_conf(conf)


def from_conf(conf: Conf) -> tuple[Mapping, ...]:
    """Returns one mapping per VIP of a config: those without a virtual server first."""
    by_vip: dict[str, list[ConfVirtualServer]] = {}
    for virtual in conf.written_servers:
        if virtual.address is not None:
            by_vip.setdefault(virtual.address, []).append(virtual)
    vip_only = (
        Mapping(vip, "", None, None, None, MappingState.VIP_ONLY, source="conf")
        for vip in dict.fromkeys(conf.vips())
        if vip not in by_vip
    )
    return (*vip_only, *(_from_virtual_servers(vip, virtuals) for vip, virtuals in by_vip.items()))


def _with_service(mapping: Mapping, kube: Kube, settings: ControllerSettings) -> Mapping:
    target = mapping.target
    if target is None or mapping.method is None or kube.services is None:
        return mapping
    name = "/".join(target)
    service = kube.services.get(target)
    if settings.namespace and settings.namespace != target[0]:
        notes: tuple[str, ...] = (f"the controller watches only namespace {settings.namespace}: it skips {name}",)
    elif service is None:
        notes = (f"Service {name} does not exist: the controller skips the entry and does not bind the VIP",)
    elif kube.endpoints is None:
        return mapping
    else:
        method = "PROXY" if settings.proxy_mode else keepalived_method(mapping.method)
        notes = service_notes(service, port_backends(service, endpoints_of(kube, target)), method)
    return replace(mapping, notes=(*mapping.notes, *notes)) if notes else mapping


def _from_virtual_servers(vip: str, virtuals: list[ConfVirtualServer]) -> Mapping:
    """The controller writes one virtual server per port of the Service."""
    names = list(dict.fromkeys(v.service for v in virtuals if v.service))
    value = names[0] if names else ""
    namespace, service = service_of(value)
    notes = []
    if len(names) > 1:
        notes.append(f"its virtual servers name several Services: {', '.join(map(in_quotes, names))}")
    if service is None:
        notes.append(_ambiguous(value) if names else NO_COMMENT)
    method = LVS_METHOD_NAMES.get(virtuals[0].method or ForwardingMethod.MASQ, "NAT")
    return Mapping(vip, value, namespace, service, method, MappingState.OK, notes=tuple(notes), source="conf")


def service_of(comment: str) -> tuple[str, str] | tuple[None, None]:
    """Returns namespace and name from a ``# Service:`` comment; Nones if it is ambiguous.

    Older controllers write ``namespace/name``; aledbf writes ``namespace-name``, where both may contain dashes.
    """
    for separator in "/-":
        namespace, separated, name = comment.partition(separator)
        if separated:
            return (namespace, name) if name and separator not in name else (None, None)
    return (None, None)


def _ambiguous(comment: str) -> str:
    words = comment.split("-")
    if "/" in comment or len(words) < 3:
        return f"the comment {in_quotes(comment)} names no namespace and Service"
    readings = [f"{'-'.join(words[:n])}/{'-'.join(words[n:])}" for n in (1, len(words) - 1)]
    more = "" if len(words) == 3 else ", or one between"
    return (
        f"the comment {in_quotes(comment)} means {in_quotes(readings[0])} or {in_quotes(readings[1])}{more}: a dash "
        "joins namespace and name, so only the API can tell them apart"
    )
