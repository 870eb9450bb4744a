"""The shell command that shows, or does, what a row says. Names from outside are quoted for a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import shell_word
from kvtui.model.vrrp import VrrpState
from kvtui.rules.ipvsadm import edit, inside, service

if TYPE_CHECKING:
    from kvtui.model.ipvs import VirtualServer
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import InstanceView, Observation, VipView, VirtualServerView


def word(text: str) -> str:
    """A word on a command line that nothing in it can end."""
    return shell_word(text)


def of_vip(seen: Observation, vip: VipView) -> str:
    """Where the VIP is; of one that a crash left behind on a backup, what removes it."""
    if vip.present and vip.state is VrrpState.BACKUP and vip.interface:
        return _here(seen, f"ip addr del {word(vip.address)}/{vip.prefixlen} dev {word(vip.interface)}")
    return _here(seen, f"ip addr show to {word(vip.address)}")


def of_instance(seen: Observation, instance: InstanceView) -> str:
    return _here(seen, f"tcpdump -vni {word(instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'")


def of_server(seen: Observation, view: VirtualServerView, real: tuple[str, int] | None) -> str | None:
    """A virtual server with its real servers; of a real server what sets it as it is now, its weight for instance.

    Returns:
        None when the kernel has no such server.
    """
    found = _in_kernel(seen, view)
    if found is None:
        return None
    if real is None:
        return _here(seen, f"ipvsadm -Ln {service(found)}")
    server = next((r for r in found.real_servers if r.key == real), None)
    return None if server is None else _here(seen, edit(found, server, server.weight))


def of_mapping(seen: Observation, mapping: Mapping) -> str:
    """What the API has: the Service and its endpoints; without a Service the ConfigMap."""
    if mapping.service and mapping.namespace:
        name = word(mapping.service)
        return f"kubectl -n {word(mapping.namespace)} get service/{name} endpoints/{name}"
    chosen = seen.snapshot.chosen_keepalived
    configmap = chosen.controller.configmap if chosen and chosen.controller else None
    namespace, slash, name = (configmap or "").partition("/")
    return f"kubectl -n {word(namespace)} get configmap {word(name)} -o yaml" if slash else "kubectl get configmap -A"


def _in_kernel(seen: Observation, view: VirtualServerView) -> VirtualServer | None:
    table = seen.snapshot.ipvs
    wanted = (view.protocol, view.address, view.port, view.fwmark)
    found = (v for v in table.virtual_servers if (v.protocol, v.address, v.port, v.fwmark) == wanted) if table else ()
    return next(iter(found), None)


def _here(seen: Observation, command: str) -> str:
    return inside(command, seen.snapshot.chosen_keepalived)
