"""The result of a TCP connect to a VIP; on a director it takes another path than a client's connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.rules.chain.index import ChainIndex, Port, find
from kvtui.rules.chain.link import ChainLink, Layer, LayerReading

if TYPE_CHECKING:
    from kvtui.model.connect import Connect

ONE_WAY = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})
"""Methods with which the real server has the VIP too and answers the client directly."""
ELSEWHERE = "test from another host: curl, or kvtui trace --connect on a host without keepalived"


def connect_link(index: ChainIndex, address: str, port: Port | None, result: Connect | None) -> ChainLink:
    if port is None or port.protocol is not Protocol.TCP or result is None:
        return LayerReading(Layer.CONNECT).none("no TCP port to connect to")
    layer = LayerReading(Layer.CONNECT, index.since(result.at))
    chosen, table = index.seen.snapshot.chosen_keepalived, index.seen.snapshot.addresses
    server, way = find(index.kernel, address, port), ""
    if chosen is not None and chosen.own_netns is False:
        server, way = None, ", from kvtui's network namespace, which is not keepalived's"
    elif server is not None and server.in_kernel:
        way = "; through this node's IPVS table, not through the VIP's owner, like every connect from a director"
    took = f"{result.seconds * 1000:.0f} ms"
    if result.error is None:
        return layer.ok(f"accepted in {took}, from {result.source}{way}")
    reals = server.real_servers if server is not None and server.in_kernel else ()
    methods = sorted({r.method.value for r in reals if r.method in ONE_WAY})
    if methods and table is not None and table.holding(address):
        inconclusive = (
            f"{result.error}; inconclusive: this node has the VIP, so its connect comes from the VIP, and with "
            f"{'/'.join(methods)} the real server, which has the VIP too, answers to itself"
        )
        return layer.unknown(inconclusive, ELSEWHERE)
    check = "see the layers above; if none is broken, check firewall, routes and the pod"
    return layer.broken(f"{result.error} after {took}{way}", check)
