"""What screens and panels need from the app. The app passes itself to each screen that it creates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.cluster_observer import ClusterObserver
    from kvtui.model.observation import Observation
    from kvtui.model.settings import UiSettings
    from kvtui.observer import Observer
    from kvtui.presenters.keymap import Keymap
    from kvtui.rules.timeline.events import Timeline
    from kvtui.rules.timeline.history import History, Span
    from kvtui.rules.timeline.masters import Masters


class Host(Protocol):
    """The app. ``latest`` is the observation on the screen, which does not follow new ones while ``paused``.

    ``span`` is the length of time of all charts. ``kept_drains``: ids of drains that are done again when something else
    undoes them.
    """

    settings: UiSettings
    keymap: Keymap
    history: History
    span: Span
    timeline: Timeline
    masters: Masters
    observer: Observer
    latest: Observation | None
    paused: bool
    kept_drains: set[str]

    @property
    def cluster(self) -> ClusterObserver: ...

    def open_node(self, name: str) -> object: ...

    @property
    def backend(self) -> ActionBackend: ...

    async def next_observation(self) -> Observation: ...

    def carry_out(
        self, action: Action, *, force: bool, reason: str, progress: Callable[[str], None]
    ) -> asyncio.Task[Outcome]:
        """The app does not end before the task is done or put back."""
        ...
