"""What can stand behind the observer: a live node, the demo, a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.log import LogTail
    from kvtui.model.snapshot import Snapshot


class SnapshotSource(Protocol):
    """A source of snapshots, used from one asyncio event loop."""

    async def start(self, changed: Callable[[], None]) -> None:
        """Open what there is to open.

        Args:
            changed: called in the event loop whenever the world changed in a way worth a new snapshot at once.
        """
        ...

    async def settle(self, timeout: float) -> None:
        """Wait until what is slow to learn is known (who advertises each VRID), at most ``timeout`` seconds.

        For a single reading; whoever watches need not wait, since ``changed`` tells.
        """
        ...

    async def read(self) -> Snapshot:
        """The node as it is now; what cannot be read is a source's state, never an exception."""
        ...

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """At most ``limit`` connections of a virtual server (or one of its real servers), and how many there are.

        Raises:
            OSError: the connection table cannot be read.
        """
        ...

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        """One TCP connect to a VIP from kvtui's own network namespace, on request only; at most ``timeout`` seconds.

        A failure is part of the result.
        """
        ...

    async def close(self) -> None:
        """Give back every socket and file."""
        ...


@runtime_checkable
class LogSource(Protocol):
    """A source that can also tell what keepalived logged: a live node, the demo. A recording has no log."""

    async def log(self) -> LogTail:
        """The last lines; what cannot be read is said in it, never an exception."""
        ...


@runtime_checkable
class FocusedSource(Protocol):
    """A source that saves work on what nobody looks at: a live node."""

    def look_at(self, services: frozenset[ServiceKey]) -> None:
        """From now on only the real servers of these need be current; without this call, all.

        Those of others may be some seconds old, which the source's age and detail say.
        """
        ...
