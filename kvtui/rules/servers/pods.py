"""The pods behind the addresses of a Service's endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import PodView

if TYPE_CHECKING:
    from kvtui.model.kube import Kube, NamespacedName


def pods(kube: Kube | None, service: NamespacedName | None) -> dict[str, PodView]:
    """Address → pod, of one Service's endpoints; a ready one where an address is in several slices."""
    if kube is None or kube.endpoints is None or service is None:
        return {}
    found: dict[str, PodView] = {}
    for group in kube.endpoints.get(service, ()):
        for endpoint in group.endpoints:
            if endpoint.pod is not None and not (endpoint.address in found and found[endpoint.address].ready):
                found[endpoint.address] = PodView(*endpoint.pod, endpoint.ready, endpoint.node)
    return found
