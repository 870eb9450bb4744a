"""The result of a TCP connect to a VIP; on a director it takes another path than a client's connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.rules.chain.link import Layer, Link, Mark

if TYPE_CHECKING:
    from kvtui.model.connect import Connect
    from kvtui.model.observation import VirtualServerView
    from kvtui.rules.chain.index import ChainIndex, Port

ONE_WAY = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})
"""Methods with which the real server has the VIP too and answers the client directly."""
ELSEWHERE = "test from another host: curl, or kvtui trace --connect on a host without keepalived"


def connect_link(index: ChainIndex, address: str, port: Port | None, result: Connect | None) -> Link:
    if port is None or port.protocol is not Protocol.TCP or result is None:
        return Link(Layer.CONNECT, Mark.NONE, "no TCP port to connect to")
    age = index.since(result.at)
    took = f"{result.seconds * 1000:.0f} ms"
    server = _own_director(index, address, port)
    if result.error is None:
        return Link(Layer.CONNECT, Mark.OK, f"accepted in {took}, from {result.source}{_way(index, server)}", age)
    if server is not None and _answers_to_itself(index, address, server):
        inconclusive = (
            f"{result.error}; inconclusive: this node has the VIP, so its connect comes from the VIP, and with "
            f"{'/'.join(sorted(_methods(server)))} the real server, which has the VIP too, answers to itself"
        )
        return Link(Layer.CONNECT, Mark.UNKNOWN, inconclusive, age, ELSEWHERE)
    failed = f"{result.error} after {took}{_way(index, server)}"
    return Link(
        Layer.CONNECT,
        Mark.BROKEN,
        failed,
        age,
        "see the layers above; if none is broken, check firewall, routes and the pod",
    )


def _own_director(index: ChainIndex, address: str, port: Port) -> VirtualServerView | None:
    chosen = index.seen.snapshot.chosen_keepalived
    server = index.kernel.get(address, {}).get(port)
    elsewhere = chosen is not None and chosen.own_netns is False
    return None if server is None or not server.in_kernel or elsewhere else server


def _way(index: ChainIndex, server: VirtualServerView | None) -> str:
    chosen = index.seen.snapshot.chosen_keepalived
    if chosen is not None and chosen.own_netns is False:
        return ", from kvtui's network namespace, which is not keepalived's"
    if server is None:
        return ""
    return "; through this node's IPVS table, not through the VIP's owner, like every connect from a director"


def _methods(server: VirtualServerView) -> set[str]:
    return {r.method.value for r in server.real_servers if r.method in ONE_WAY}


def _answers_to_itself(index: ChainIndex, address: str, server: VirtualServerView) -> bool:
    table = index.seen.snapshot.addresses
    return bool(_methods(server)) and table is not None and bool(table.holding(address))
