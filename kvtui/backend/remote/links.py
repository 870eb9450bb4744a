"""All other nodes: connections in parallel, none of which waits for another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.backend.remote.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kvtui.model.cluster import ClusterNode

MAX_STARTING = 32
"""Connections that begin at the same time: more would only wait for this machine's CPU."""


class Links:
    """The connections to these nodes, name → command; ``start`` and ``close`` in the same event loop."""

    def __init__(self, commands: Mapping[str, Sequence[str]]) -> None:
        self._commands = commands
        self._links: list[Link] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, changed: Callable[[], None]) -> None:
        starting = asyncio.Semaphore(MAX_STARTING)
        self._links = [Link(name, argv, starting, changed) for name, argv in self._commands.items()]
        self._tasks = [asyncio.create_task(link.run()) for link in self._links]

    def nodes(self) -> tuple[ClusterNode, ...]:
        return tuple(link.node() for link in self._links)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
