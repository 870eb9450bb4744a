"""The demo in the terminal UI: drained, failed over and taken back by keys alone."""

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
"""Demo seconds a second: a failover takes 0.15 s, and the story leaves things alone for a quarter of a minute."""
LOOK = 0.1
"""Seconds of the story's that a look at the screen takes at the most: a busy machine gets no further in it."""
PATIENCE = 20.0


class Clock:
    """The demo's: goes on while a person waits for something on the screen, hardly while keys are pressed and drawn."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 0.001  # what is done after something has a later time, as in the world
        return self.now

    def passes(self, seconds: float) -> None:
        """So long, at the most ``LOOK``, was waited."""
        self.now += FAST * min(seconds, LOOK)


class Learner:
    """Presses keys, and reads the screen."""

    def __init__(self, app: KvtuiApp, pilot: Pilot[None], demo: Demo, clock: Clock) -> None:
        self.app, self.pilot, self.demo, self.clock = app, pilot, demo, clock

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def sees(self, *texts: str) -> str:
        """Wait until all of them stand on the screen."""
        looked = time.monotonic()
        deadline = looked + PATIENCE
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
        await person.sees("10.4.0.50", "demo")
        yield person


async def test_drain_and_undo_by_keys() -> None:
    async with learner((100, 40)) as person:
        await person.press("3")
        await person.sees("10.2.68.5:8080")
        await person.press("down", "d")
        await person.sees("drain 10.2.68.5:8080", "nothing real is changed", "y apply")
        await person.press("y")
        await person.sees("DONE: seen in the kernel", "[####################] active 0")
        assert [w.weight for w in person.demo.world.deeds.weights] == [0]

        await person.press("escape", "7")
        await person.sees("drain 10.2.68.5:8080", "done")
        await person.press("u")
        await person.sees("restore weight", "y apply")
        await person.press("y")
        await person.sees("· Verified")
        assert [w.weight for w in person.demo.world.deeds.weights] == [0, 1]


async def test_a_drain_that_is_interrupted_while_it_waits_is_put_back_and_shows_no_bar() -> None:
    async with learner((100, 40)) as person:
        await person.press("3")
        await person.sees("10.2.68.5:8080")
        await person.press("down", "d", "w")
        await person.sees("wait: at most 1m00s", "y apply")
        await person.press("y")
        await person.sees("active ", "Esc interrupt and put back")
        await person.press("escape")
        text = await person.sees("INTERRUPTED: interrupted; everything was put back", "Esc close")
        assert "[#" not in text
        assert "w wait" not in text
        assert [w.weight for w in person.demo.world.deeds.weights] == [0, 1]


async def test_failover_by_keys_moves_the_vips_and_the_journal_knows_it() -> None:
    async with learner((100, 40)) as person:
        await person.press("f")
        await person.sees("track file FAULT", "10.4.0.4 becomes master within 0.6 s", "y apply")
        await person.press("y")
        await person.sees("DONE: 10.4.0.4 is master and has 10.4.0.50", "s without an")
        await person.press("escape", "1")
        await person.sees("FAULT")
        assert not [v for v in (person.app.latest.vips if person.app.latest else None) or () if v.present]

        await person.press("7")
        await person.sees("make 10.4.0.50", "done")


async def test_a_priority_by_keys() -> None:
    async with learner((100, 50)) as person:
        await person.press("2", "p", "9", "0", "enter")
        await person.sees("102 → 90", "+  priority 90", "y apply")
        await person.press("y")
        await person.sees("DONE: keepalived has priority 90", "10.4.0.4 is master")
