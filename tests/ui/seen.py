"""Observations to show, and an observer that a test feeds: no clock, no world."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kvtui.app import KvtuiApp
from kvtui.backend.demo.source import Demo, demo_snapshot
from kvtui.model.ipvs import ForwardingMethod, Protocol, Stats
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.observation import (
    InstanceView,
    ManagedBy,
    Master,
    Observation,
    Peer,
    RealServerState,
    RealServerView,
    VipView,
    VirtualServerView,
)
from kvtui.model.settings import ClusterSettings, UiSettings
from kvtui.model.snapshot import Node, Snapshot
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.observer import Observer
from kvtui.rules.observe import observe
from tests.ui.settled import watch_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    import pytest
    from textual.app import App
    from textual.pilot import Pilot
    from textual.strip import Strip

    from kvtui.model.ipvs import Connection, ServiceKey

watch_the_loop()

EPOCH = 1_700_000_040.0
"""2023-11-14 22:14:00 UTC: the beginning of a minute."""


def demo(t: float = 5.0) -> Observation:
    """The demo node after ``t`` seconds."""
    return observe(demo_snapshot(t, EPOCH), demo_snapshot(t - 1, EPOCH).ipvs)


def source(name: SourceName, state: SourceState = SourceState.OK, detail: str = "") -> Source:
    return Source(name, state, detail, EPOCH if state is SourceState.OK else None)


def snapshot(*troubled: Source, time: float = EPOCH, name: str = "node-a", chosen: int | None = 1) -> Snapshot:
    """A snapshot whose sources are all well but the ``troubled`` ones."""
    said = {s.name: s for s in troubled}
    return Snapshot(
        time=time,
        node=Node(name, read_only=False),
        sources=tuple(said.get(n, source(n)) for n in SourceName),
        chosen=chosen,
        advertisers=(),
    )


def stats(cps: float = 1.0, bps: float = 100.0) -> Stats:
    return Stats(10, 20, 30, 40, 50, cps, 1.0, 1.0, bps, bps)


def real(
    address: str = "10.2.0.1",
    port: int = 8080,
    *,
    weight: int | None = 1,
    configured: int | None = 1,
    state: RealServerState = RealServerState.UP,
    active: int = 3,
    cps: float = 1.0,
    check: str | None = None,
) -> RealServerView:
    return RealServerView(
        address, port, ForwardingMethod.MASQ, weight, active, 0, 0, 0, 0, stats(cps), state, configured, check
    )


def server(
    address: str = "10.4.0.50", *reals: RealServerView, cps: float = 1.0, service: str | None = "default/nginx"
) -> VirtualServerView:
    return VirtualServerView(
        f"{address}:80", Protocol.TCP, address, 80, None, "wlc", None, (), ManagedBy.KEEPALIVED, stats(cps),
        reals, service=service,
    )  # fmt: skip


def vip(
    address: str = "10.4.0.50",
    *,
    owner: str | None = "10.4.0.3",
    own: bool = True,
    rivals: tuple[str, ...] = (),
    instance: str = "vips",
) -> VipView:
    state = VrrpState.MASTER if own else VrrpState.BACKUP
    return VipView(address, 32, "eth0", instance, own, owner, state, own, rivals)


def instance(
    name: str = "vips",
    *,
    state: VrrpState = VrrpState.MASTER,
    peers: tuple[Peer, ...] = (),
    counters: dict[str, int] | None = None,
    rivals: tuple[str, ...] = (),
    effective: int = 100,
    nopreempt: bool = True,
) -> InstanceView:
    master = Master("10.4.0.3", 100, is_self=state is VrrpState.MASTER)
    return InstanceView(
        name, state, "eth0", 50, 3, 100, effective, nopreempt, 1.0, ("10.4.0.50",), EPOCH - 60, master, peers, counters,
        rivals=rivals,
    )  # fmt: skip


def seen(
    *,
    instances: tuple[InstanceView, ...] | None = None,
    vips: tuple[VipView, ...] | None = None,
    servers: tuple[VirtualServerView, ...] | None = None,
    of: Snapshot | None = None,
) -> Observation:
    return Observation(of or snapshot(), instances, vips, servers)


class Feed(Observer):
    """Gives the observations that a test hands to it, in order."""

    def __init__(self, *first: Observation) -> None:
        super().__init__(Demo())
        self._queue: asyncio.Queue[Observation | KeepalivedNotFoundError] = asyncio.Queue()
        self._first = first
        self.found: tuple[tuple[Connection, ...], int] = ((), 0)
        self.error: OSError | None = None
        self.asked: list[tuple[ServiceKey, tuple[str, int] | None]] = []
        self.closed = False

    def past(self) -> Iterator[Observation]:
        return iter(())

    def push(self, observation: Observation | KeepalivedNotFoundError) -> None:
        """Give an observation, or end with an error."""
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
    """A running app, the feed behind it, and what stands on its screen."""

    def __init__(self, app: KvtuiApp, pilot: Pilot[None], feed: Feed) -> None:
        self.app, self.pilot, self.feed = app, pilot, feed

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, a string a line."""
        return painted(self.app)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def rows(self) -> list[str]:
        """What stands below header, tabs and the table's head, each line without its bar and its mark."""
        return [line[3:] for line in self.lines[3:-1]]

    @property
    def toasts(self) -> list[str]:
        return toasts(self.app)

    @property
    def has_left(self) -> bool:
        """Whether the app was told to end."""
        return self.app._exit

    @property
    def heading(self) -> str:
        """Of the panel on top; empty where there is none."""
        return getattr(self.app.screen, "heading", "")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def see(self, observation: Observation) -> None:
        """Hand over an observation and wait until the app has it."""
        before = self.app.newest
        self.feed.push(observation)
        for _ in range(200):
            await self.pilot.pause()
            if self.app.newest is not before:
                await self.pilot.pause()
                return
        raise AssertionError("the app did not take the observation")


def sent(app: App[None], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the app sends to its driver from now on."""
    sent: list[Any] = []
    display = app._display

    def spy(screen: Any, renderable: Any) -> None:
        if renderable is not None:
            sent.append(renderable)
        display(screen, renderable)

    monkeypatch.setattr(app, "_display", spy)
    return sent


def when_widgets_are_gone(app: App[None], monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> list[str]:
    """Call something at the end of the app, after its screens lost their widgets; gives what was called."""
    close, called = app._close_all, []

    async def close_then() -> None:
        await close()
        then()
        called.append("then")

    monkeypatch.setattr(app, "_close_all", close_then)
    return called


def toasts(app: App[None]) -> list[str]:
    """The messages that pop up."""
    return [toast.message for toast in app._notifications]


def strips(app: App[None]) -> list[Strip]:
    """The lines of the screen, as they were composed."""
    return app.screen._compositor.render_strips()


def painted(app: App[None]) -> list[str]:
    """The text of each line of the screen, as it was composed."""
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
    """The app on a terminal of this size, after it took the first observations."""
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
