"""The shell command that shows, or does, what a row says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import shell_word
from kvtui.model.vrrp import VrrpState
from kvtui.rules.ipvsadm import edit, inside, service

if TYPE_CHECKING:
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import InstanceView, Observation, VipView, VirtualServerView


def of_vip(seen: Observation, vip: VipView) -> str:
    """Shows where the VIP is; removes one that a crash left behind on a backup."""
    if vip.present and vip.state is VrrpState.BACKUP and vip.interface:
        return _here(seen, f"ip addr del {shell_word(vip.address)}/{vip.prefixlen} dev {shell_word(vip.interface)}")
    return _here(seen, f"ip addr show to {shell_word(vip.address)}")


def of_instance(seen: Observation, instance: InstanceView) -> str:
    return _here(seen, f"tcpdump -vni {shell_word(instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'")


def of_server(seen: Observation, view: VirtualServerView, real: tuple[str, int] | None) -> str | None:
    """Lists a virtual server, or sets a real server to its present values; None when the kernel does not have it."""
    table, wanted = seen.snapshot.ipvs, (view.protocol, view.address, view.port, view.fwmark)
    for virtual in table.virtual_servers if table else ():
        if (virtual.protocol, virtual.address, virtual.port, virtual.fwmark) == wanted:
            if real is None:
                return _here(seen, f"ipvsadm -Ln {service(virtual)}")
            server = next((r for r in virtual.real_servers if r.key == real), None)
            return None if server is None else _here(seen, edit(virtual, server, server.weight))
    return None


def of_mapping(seen: Observation, mapping: Mapping) -> str:
    """Shows the Service and its endpoints in the API; without a Service the ConfigMap."""
    if mapping.service and mapping.namespace:
        name = shell_word(mapping.service)
        return f"kubectl -n {shell_word(mapping.namespace)} get service/{name} endpoints/{name}"
    controller = seen.snapshot.controller
    namespace, slash, name = ((controller.configmap if controller else None) or "").partition("/")
    if not slash:
        return "kubectl get configmap -A"
    return f"kubectl -n {shell_word(namespace)} get configmap {shell_word(name)} -o yaml"


def _here(seen: Observation, command: str) -> str:
    return inside(command, seen.snapshot.chosen_keepalived)
