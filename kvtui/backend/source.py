"""What an observer reads: a live node, the demo, a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.log import LogTail
    from kvtui.model.snapshot import Snapshot


class SnapshotSource(Protocol):
    """A source of snapshots, used from one asyncio event loop."""

    async def start(self, changed: Callable[[], None]) -> None:
        """Opens sockets and files; ``changed`` is called in the event loop when a new snapshot is needed at once."""

    async def settle(self, timeout: float) -> None:
        """Waits for slow facts (who advertises each VRID), at most ``timeout`` seconds: for a single reading.

        A watcher gets them by ``changed``.
        """

    async def read(self) -> Snapshot:
        """Reads the node; what cannot be read is a source's state, never an exception."""

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]: ...

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        """Makes one TCP connect to a VIP from kvtui's own network namespace; a failure is part of the result."""

    async def close(self) -> None: ...


@runtime_checkable
class LogSource(Protocol):
    """A source that has keepalived's log: a live node, the demo. A recording has none."""

    async def log(self) -> LogTail:
        """Returns the last lines; an error is in the result, never an exception."""


@runtime_checkable
class HistorySource(Protocol):
    """A source that knows the minutes before it began: the demo."""

    def earlier_snapshots(self) -> Iterator[Snapshot]:
        """Yields snapshots, oldest first."""


@runtime_checkable
class FocusedSource(Protocol):
    """A source that reads less of what is not on the screen: a live node."""

    def look_at(self, services: frozenset[ServiceKey]) -> None:
        """Limits full readings to these virtual servers; without this call all are read each time.

        The real servers of others may be some seconds old; the source's age and detail say so.
        """
