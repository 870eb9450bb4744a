"""What a TCP connect to a VIP proves, and what it does not: on a director it does not go where a client's goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.rules.chain.link import Layer, Link, Mark

if TYPE_CHECKING:
    from kvtui.model.connect import Connect
    from kvtui.model.observation import VirtualServerView
    from kvtui.rules.chain.index import ChainIndex, Port

ONE_WAY = frozenset({ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL})
"""Methods by which the real server has the VIP itself and answers past the director."""
ELSEWHERE = "ask again from another machine: curl, or kvtui trace --connect where no keepalived runs"


def connect_link(index: ChainIndex, address: str, port: Port | None, result: Connect | None) -> Link:
    """The link of a connect.

    Args:
        index: the observation beside it.
        address: of the VIP.
        port: of the VIP.
        result: None when none was made: a VIP without a TCP port has nothing to connect to.
    """
    if port is None or port.protocol is not Protocol.TCP or result is None:
        return Link(Layer.CONNECT, Mark.NONE, "no TCP port to connect to")
    age = index.since(result.at)
    took = f"{result.seconds * 1000:.0f} ms"
    server = _own_director(index, address, port)
    if result.error is None:
        return Link(Layer.CONNECT, Mark.OK, f"accepted in {took}, from {result.source}{_way(index, server)}", age)
    if server is not None and _answers_to_itself(index, address, server):
        proves = (
            f"{result.error}, which proves nothing: this node has the VIP, so its own connect comes from the VIP, and "
            f"by {'/'.join(sorted(_methods(server)))} the real server, which has the VIP too, answers to itself"
        )
        return Link(Layer.CONNECT, Mark.UNKNOWN, proves, age, ELSEWHERE)
    failed = f"{result.error} after {took}{_way(index, server)}"
    return Link(
        Layer.CONNECT,
        Mark.BROKEN,
        failed,
        age,
        "the layers above say where; if all are whole: firewall, routes, the pod",
    )


def _own_director(index: ChainIndex, address: str, port: Port) -> VirtualServerView | None:
    """The virtual server of the network namespace from which the connect was made; None when it has none."""
    chosen = index.seen.snapshot.chosen_keepalived
    server = index.kernel.get(address, {}).get(port)
    elsewhere = chosen is not None and chosen.own_netns is False
    return None if server is None or not server.in_kernel or elsewhere else server


def _way(index: ChainIndex, server: VirtualServerView | None) -> str:
    """Which way it went, where that is not a client's."""
    chosen = index.seen.snapshot.chosen_keepalived
    if chosen is not None and chosen.own_netns is False:
        return ", from kvtui's own network namespace, which is not keepalived's"
    if server is None:
        return ""
    return "; through this node's own IPVS table, as every connect from a director, and not by the VIP's owner"


def _methods(server: VirtualServerView) -> set[str]:
    return {r.method.value for r in server.real_servers if r.method in ONE_WAY}


def _answers_to_itself(index: ChainIndex, address: str, server: VirtualServerView) -> bool:
    table = index.seen.snapshot.addresses
    return bool(_methods(server)) and table is not None and bool(table.holding(address))
