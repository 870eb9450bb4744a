"""The chain of a VIP: ConfigMap, Service, endpoints, config file, running config, IPVS, address, VRRP owner.

Each layer is compared with the layer before it. After a broken or unknown layer the next ones are not reported as
broken because of it, so the first break is the cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.rules.chain.cluster import NO_API_REMEDY, cluster_links
from kvtui.rules.chain.config import conf_link, running_link
from kvtui.rules.chain.connect import connect_link
from kvtui.rules.chain.index import ChainIndex, Port
from kvtui.rules.chain.link import LAYERS, ChainLink, Layer, Links, Mark, first_break, folded, whole
from kvtui.rules.chain.owner import address_link, vrrp_link
from kvtui.rules.chain.servers import ipvs_link

if TYPE_CHECKING:
    from kvtui.model.observation import VipView


def chain_of(index: ChainIndex, address: str, *, view: VipView | None = None) -> Links:
    """Returns all layers of a VIP, each with its worst mark over all ports; ``view`` is one of several instances."""
    ports = index.ports(address) or (None,)
    return folded(tuple(port_chain(index, address, port, view=view) for port in ports))


def port_chain(index: ChainIndex, address: str, port: Port | None, *, view: VipView | None = None) -> Links:
    first, demand = cluster_links(index, address, port)
    conf = conf_link(index, address, port, demand)
    running = running_link(index, address, port, conf)
    view = view or index.views.get(address)
    return (
        *first,
        conf,
        running,
        ipvs_link(index, address, port, demand),
        address_link(index, address, view),
        vrrp_link(index, view),
    )


__all__ = [
    "LAYERS",
    "NO_API_REMEDY",
    "ChainIndex",
    "ChainLink",
    "Layer",
    "Links",
    "Mark",
    "Port",
    "chain_of",
    "connect_link",
    "first_break",
    "port_chain",
    "whole",
]
