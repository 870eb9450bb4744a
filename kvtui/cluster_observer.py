"""Other nodes + rules → views of the cluster, for the CLI and the terminal UI."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.remote import reach
from kvtui.backend.remote.links import Links
from kvtui.model.cluster import NodeState
from kvtui.rules.cluster.view import ClusterRules

if TYPE_CHECKING:
    from kvtui.model.cluster import ClusterNode, ClusterView
    from kvtui.model.settings import ClusterSettings

WATCH = ("status", "--watch", "-o", "json")


class ClusterObserver:
    """Follows the nodes of the settings; ``start`` and ``close`` in the same event loop.

    Attributes:
        changed: set by each report.
        is_decided: every node has answered or failed, and no condition waits to become a finding.
    """

    def __init__(self, settings: ClusterSettings, connect_timeout: int = reach.CONNECT_TIMEOUT) -> None:
        self.settings = settings
        self.changed = asyncio.Event()
        self.is_decided = False
        self._links = Links(settings, WATCH, connect_timeout)
        self._rules = ClusterRules(settings.ignore)

    def start(self) -> None:
        self._links.start(self.changed.set)

    def view(self, own: ClusterNode | None = None) -> ClusterView:
        """Returns the cluster now; ``own`` takes the place of the host that is this node while that does not answer."""
        nodes = self._links.nodes()
        self.settings = replace(self.settings, pods=self._links.pods)
        if own is not None:
            here = next((i for i, node in enumerate(nodes) if _is_same(own, node)), None)
            if here is None:
                nodes = (own, *nodes)
            else:
                host = nodes[here]
                mine = host if host.state is NodeState.LIVE else replace(own, name=host.name)
                nodes = (*nodes[:here], replace(mine, is_self=True), *nodes[here + 1 :])
        view = self._rules.view(nodes, time.time())
        self.is_decided = not self._rules.pending and all(n.state is not NodeState.CONNECTING for n in nodes)
        return view

    def session(self, host: str) -> list[str]:
        return reach.argv(self.settings, host, (), terminal=True)

    async def close(self) -> None:
        await self._links.close()


def _is_same(own: ClusterNode, other: ClusterNode) -> bool:
    """Whether both are one node: the same keepalived and addresses; without addresses the same name too.

    Containers may share a host name, and in its pod a node may have another one than by ssh.
    """
    one, two = own.report, other.report
    if one is None or two is None:
        return own.name == other.name
    addresses = {i.address for i in one.vrrp_instances or ()}
    same = [k.pid for k in one.keepalived] == [k.pid for k in two.keepalived]
    same = same and addresses == {i.address for i in two.vrrp_instances or ()}
    return same and (one.node.name == two.node.name or bool(addresses - {None}))
