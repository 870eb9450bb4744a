"""An observer that a test feeds, and the app that shows its observations; neither reads the node or the clock."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kvtui.app import KvtuiApp
from kvtui.backend.demo.source import Demo
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.settings import ClusterSettings, UiSettings
from kvtui.observer import Observer
from tests.ui.settled import watch_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    import pytest
    from textual.app import App
    from textual.pilot import Pilot
    from textual.strip import Strip

    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.observation import (
        Observation,
    )

watch_the_loop()


class Feed(Observer):
    """Yields the observations that a test pushes, in order."""

    def __init__(self, *first: Observation) -> None:
        super().__init__(Demo())
        self._queue: asyncio.Queue[Observation | KeepalivedNotFoundError] = asyncio.Queue()
        self._first = first
        self.found: tuple[tuple[Connection, ...], int] = ((), 0)
        self.error: OSError | None = None
        self.asked: list[tuple[ServiceKey, tuple[str, int] | None]] = []
        self.closed = False

    def earlier_observations(self) -> Iterator[Observation]:
        return iter(())

    def push(self, observation: Observation | KeepalivedNotFoundError) -> None:
        """Queues an observation; an exception ends the observations."""
        self._queue.put_nowait(observation)

    async def observations(self, *, force: bool = False) -> AsyncGenerator[Observation, None]:  # noqa: ARG002 - given anyway
        for observation in self._first:
            yield observation
        while True:
            given = await self._queue.get()
            if isinstance(given, KeepalivedNotFoundError):
                raise given
            yield given

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None = None, limit: int = 1000
    ) -> tuple[tuple[Connection, ...], int]:
        self.asked.append((service, real))
        if self.error:
            raise self.error
        return (self.found[0][:limit], self.found[1])

    async def close(self) -> None:
        self.closed = True


class Ui:
    """A running app, its feed, and the text on its screen."""

    def __init__(self, app: KvtuiApp, pilot: Pilot[None], feed: Feed) -> None:
        self.app, self.pilot, self.feed = app, pilot, feed

    @property
    def lines(self) -> list[str]:
        """Returns the screen's text, one string per line."""
        return painted(self.app)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def rows(self) -> list[str]:
        """Returns the lines below header, tabs and the table's head, without scrollbar and cursor mark."""
        return [line[3:] for line in self.lines[3:-1]]

    @property
    def toasts(self) -> list[str]:
        return toasts(self.app)

    @property
    def has_left(self) -> bool:
        """Returns whether the app was asked to exit."""
        return self.app._exit

    @property
    def heading(self) -> str:
        """Returns the title of the top panel; empty if there is none."""
        return getattr(self.app.screen, "heading", "")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def see(self, observation: Observation) -> None:
        """Pushes an observation and waits until the app has it."""
        before = self.app.newest
        self.feed.push(observation)
        for _ in range(200):
            await self.pilot.pause()
            if self.app.newest is not before:
                await self.pilot.pause()
                return
        raise AssertionError("the app did not take the observation")


def sent(app: App[None], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Returns a list of what the app sends to its driver from now on."""
    sent: list[Any] = []
    display = app._display

    def spy(screen: Any, renderable: Any) -> None:
        if renderable is not None:
            sent.append(renderable)
        display(screen, renderable)

    monkeypatch.setattr(app, "_display", spy)
    return sent


def when_widgets_are_gone(app: App[None], monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> list[str]:
    """Calls ``then`` when the app closes, after its screens have lost their widgets; returns the calls."""
    close, called = app._close_all, []

    async def close_then() -> None:
        await close()
        then()
        called.append("then")

    monkeypatch.setattr(app, "_close_all", close_then)
    return called


def toasts(app: App[None]) -> list[str]:
    """Returns the texts of the app's toasts."""
    return [toast.message for toast in app._notifications]


def strips(app: App[None]) -> list[Strip]:
    """Returns the screen's lines as they were composed."""
    return app.screen._compositor.render_strips()


def painted(app: App[None]) -> list[str]:
    """Returns the text of each line of the screen as it was composed."""
    chains = app.get_line_filters() if hasattr(app, "get_line_filters") else []
    filters = [line_filter for chain in chains for line_filter in getattr(chain, "filters", ())]
    lines = []
    for strip in strips(app):
        segments = list(strip)
        for line_filter in filters:
            if type(line_filter).__name__ == "AsciiFilter":
                segments = line_filter.apply(segments, app.screen.background_colors[0])
        lines.append("".join(s.text for s in segments))
    return lines


@asynccontextmanager
async def running(
    *first: Observation,
    size: tuple[int, int] = (80, 24),
    ascii_only: bool = False,
    label: str = "live",
    cluster: ClusterSettings | None = None,
) -> AsyncIterator[Ui]:
    """Runs the app on a terminal of this size; yields it once it has the first observations."""
    feed = Feed(*first)
    app = KvtuiApp(
        feed, settings=UiSettings(ascii=ascii_only, source_label=label, cluster=cluster or ClusterSettings())
    )
    async with app.run_test(size=size) as pilot:
        ui = Ui(app, pilot, feed)
        for _ in range(200):
            await pilot.pause()
            if not first or app.latest is first[-1]:
                break
        await pilot.pause()
        yield ui
    assert feed.closed
