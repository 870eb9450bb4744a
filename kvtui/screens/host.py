"""What screens and panels need from the app. The app passes itself to each screen that it creates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.log import LogTail
    from kvtui.model.observation import Observation
    from kvtui.model.settings import UiSettings
    from kvtui.presenters.keymap import Keymap
    from kvtui.widgets.history import History


class Host(Protocol):
    """The app as screens see it.

    Attributes:
        latest: the observation on the screen; None before the first one.
        paused: ``latest`` does not follow new observations.
    """

    settings: UiSettings
    keymap: Keymap
    history: History
    latest: Observation | None
    paused: bool

    @property
    def backend(self) -> ActionBackend:
        """Where actions take place."""
        ...

    async def next_observation(self) -> Observation:
        """Waits for the next observation."""
        ...

    def carry_out(
        self, action: Action, *, force: bool, reason: str, progress: Callable[[str], None]
    ) -> asyncio.Task[Outcome]:
        """Runs an action in a task; the app does not end before it is done or put back."""
        ...

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """See ``Observer.connections``."""
        ...

    async def keepalived_log(self) -> LogTail:
        """See ``Observer.log``."""
        ...

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        """See ``SnapshotSource.connect``."""
        ...
