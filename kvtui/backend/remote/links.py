"""All other nodes: connections in parallel, none of which waits for another."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kvtui.backend.remote import reach
from kvtui.backend.remote.link import Link
from kvtui.model.cluster import ClusterNode, NodeState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.model.settings import ClusterSettings

MAX_STARTING = 32
"""Connections that begin at the same time: more would only wait for this machine's CPU."""


class Place(Struct, frozen=True):
    """A pod as a host, and whether it has kvtui."""

    host: str
    kvtui: bool = True


class Pods(Struct, frozen=True):
    """What ``kube.daemonset`` prints: pods by the names of their nodes, nodes without one, how many more lack one."""

    pods: dict[str, Place] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unnamed: int = 0


class Links:
    """The connections to the nodes of the settings; ``start`` and ``close`` in the same event loop.

    Attributes:
        pods: node → host, of the pods that DaemonSets have now.
    """

    def __init__(
        self, settings: ClusterSettings, arguments: Sequence[str], connect_timeout: int = reach.CONNECT_TIMEOUT
    ) -> None:
        self._settings = settings
        self._arguments = arguments
        self._connect_timeout = connect_timeout
        self._changed: Callable[[], None] = lambda: None
        self._starting = asyncio.Semaphore(MAX_STARTING)
        self._links: dict[str, Link] = {}
        self._tasks: dict[Link, asyncio.Task[None]] = {}
        self._found: dict[str, Pods] = {}

    @property
    def pods(self) -> dict[str, str]:
        return {node: place.host for found in self._found.values() for node, place in found.pods.items()}

    def start(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        for host in self._settings.hosts:
            if host.startswith(reach.DAEMONSET):
                argv = reach.daemonset(self._settings, host)
                self._run(Link(host, argv, self._starting, partial(self._take, host)))
            else:
                self._follow(host, host, has_kvtui=True)

    def _follow(self, name: str, host: str, *, has_kvtui: bool) -> None:
        argv = reach.argv(self._settings, host, self._arguments, connect_timeout=self._connect_timeout)
        other = reach.without_kvtui(self._settings, host)
        if other is not None and not has_kvtui:
            argv, other = other, None
        self.run(name, argv, other)

    def run(self, name: str, argv: Sequence[str], without_kvtui: Sequence[str] | None = None) -> None:
        """Follows a node by a command that prints its reports."""
        self._run(Link(name, argv, self._starting, self._changed, without_kvtui))

    def _run(self, link: Link) -> None:
        self._links[link.name] = link
        self._tasks[link] = asyncio.create_task(link.run())

    def _take(self, daemonset: str) -> None:
        """Follows the pods that a DaemonSet has now. While the API does not answer, those that it had go on."""
        if (found := self._links[daemonset].line_as(Pods)) is not None:
            before = self._found.get(daemonset, Pods()).pods
            for node, place in before.items():
                if found.pods.get(node) != place:
                    self._tasks[self._links.pop(node)].cancel()
            self._found[daemonset] = found
            for node, place in found.pods.items():
                if node not in self._links:
                    self._follow(node, place.host, has_kvtui=place.kvtui)
        self._changed()

    def nodes(self) -> tuple[ClusterNode, ...]:
        links = [link for name, link in self._links.items() if name not in self._found or link.error]
        missing = [
            ClusterNode(node, NodeState.MISSING, f"{daemonset} has no pod on this node")
            for daemonset, found in self._found.items()
            for node in (*found.missing, *[f"({found.unnamed} more)"] * bool(found.unnamed))
        ]
        return (*(link.node() for link in links), *missing)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
