"""Pods behind the endpoints of a Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import PodView

if TYPE_CHECKING:
    from kvtui.model.kube import Kube, NamespacedName


def pods(kube: Kube | None, service: NamespacedName | None) -> dict[str, PodView]:
    """Returns address → pod for a Service's endpoints; prefers a ready pod if slices share an address."""
    if kube is None or kube.endpoints is None or service is None:
        return {}
    by_address: dict[str, PodView] = {}
    for group in kube.endpoints.get(service, ()):
        for endpoint in group.endpoints:
            known = by_address.get(endpoint.address)
            if endpoint.pod is not None and not (known and known.ready):
                by_address[endpoint.address] = PodView(*endpoint.pod, endpoint.ready, endpoint.node)
    return by_address
