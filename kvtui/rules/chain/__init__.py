"""A VIP, layer by layer: ConfigMap, Service, endpoints, config file, running config, IPVS, address, VRRP owner.

Each layer is judged by what stands before it, as far as that is whole: where a layer is broken or not known, the next
ones say what they see and are not at fault for it. So the first break is where to begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.rules.chain.cluster import cluster_links
from kvtui.rules.chain.config import conf_link, running_link
from kvtui.rules.chain.connect import connect_link
from kvtui.rules.chain.index import ChainIndex, Port
from kvtui.rules.chain.link import LAYERS, LETTERS, Layer, Link, Links, Mark, first_break, folded, whole
from kvtui.rules.chain.owner import address_link, vrrp_link
from kvtui.rules.chain.servers import ipvs_link

if TYPE_CHECKING:
    from kvtui.model.observation import Observation, VipView


def chain(seen: Observation, vip: VipView) -> Links:
    """Every layer of one VIP, in order, all its ports in one. For many VIPs use ``chain_of``."""
    return chain_of(ChainIndex(seen), vip.address, view=vip)


def chain_of(index: ChainIndex, address: str, *, view: VipView | None = None) -> Links:
    """Every layer of one VIP, all its ports in one: each layer as bad as at its worst port.

    Args:
        index: an observation, laid out.
        address: of the VIP, canonical text; it need not be in any layer.
        view: which instance's, where several have the address.
    """
    ports = index.ports(address) or (None,)
    return folded(tuple(port_chain(index, address, port, view=view) for port in ports))


def port_chain(index: ChainIndex, address: str, port: Port | None, *, view: VipView | None = None) -> Links:
    """Every layer of one port of a VIP, in order; None stands for a VIP that is only an address."""
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
    "LETTERS",
    "ChainIndex",
    "Layer",
    "Link",
    "Links",
    "Mark",
    "Port",
    "chain",
    "chain_of",
    "connect_link",
    "first_break",
    "folded",
    "port_chain",
    "whole",
]
