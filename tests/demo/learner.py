"""A user at the demo's terminal UI: presses keys and reads the screen."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kvtui.app import KvtuiApp
from kvtui.backend.demo import Demo
from kvtui.model.settings import UiSettings
from kvtui.observer import Observer
from tests.ui.seen import painted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

FAST = 4
"""Demo seconds per second: a failover takes 0.15 s, and the story changes nothing for a quarter of a minute."""
LOOK = 0.1
"""Seconds of demo time that one look at the screen takes at most: a busy machine gets no further in the story."""
TIMEOUT = 180.0


class Clock:
    """The demo's clock: runs while a user waits for the screen, and hardly while keys are pressed and drawn."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 0.001  # each later event has a later time, as on a real node
        return self.now

    def passes(self, seconds: float) -> None:
        """Advances the clock by the seconds waited, at most ``LOOK``."""
        self.now += FAST * min(seconds, LOOK)


class Learner:
    """Presses keys and reads the screen."""

    def __init__(self, app: KvtuiApp, pilot: Pilot[None], demo: Demo, clock: Clock) -> None:
        self.app, self.pilot, self.demo, self.clock = app, pilot, demo, clock

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def sees(self, *texts: str) -> str:
        """Waits until the screen contains all of them."""
        looked = time.monotonic()
        deadline = looked + TIMEOUT
        while True:
            text = "\n".join(painted(self.app))
            missing = [t for t in texts if t not in text]
            if not missing:
                return text
            assert looked < deadline, f"{missing} did not appear in\n{text}"
            await asyncio.sleep(0.02)
            before, looked = looked, time.monotonic()
            self.clock.passes(looked - before)


@asynccontextmanager
async def learner(size: tuple[int, int] = (80, 24)) -> AsyncIterator[Learner]:
    clock = Clock()
    demo = Demo(clock=clock)
    app = KvtuiApp(Observer(demo, interval=0.2), UiSettings(source_label="demo"))
    async with app.run_test(size=size) as pilot:
        person = Learner(app, pilot, demo, clock)
        await person.sees("10.4.0.50", "DEMO")
        yield person
