"""Waits until an app in a test has nothing left to do: by its event loop, not by the clock.

Textual's pilot waits until the process used less than a millisecond of CPU in 20 ms, twice for each key. That makes up
most of a test's time; and on a busy machine, where other processes use the CPU, it also holds while there is work left.
"""

from __future__ import annotations

import asyncio
import time

from textual import app, pilot

from tests.watched_loop import WatchedLoop

SOON = 0.02
"""Seconds: timers that are due within this time are awaited; the screen paints 60 times a second."""
QUIET_TURNS = 3
"""Consecutive turns of the loop in which nothing was scheduled."""
LOOK = 0.002
"""Seconds between looks while only timers or threads are awaited."""


async def settled(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Waits until nothing is scheduled, no thread works and no timer is due soon.

    Gives up after `max_sleep` seconds of CPU and sleep of this process; time that other processes used does not count.
    """
    del min_sleep
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WatchedLoop), "tests/conftest.py gives each test such a loop"
    quiet, used = 0, 0.0
    while quiet < QUIET_TURNS and used < max_sleep:
        scheduled, began = loop.scheduled, time.thread_time()
        await asyncio.sleep(0)
        if loop.scheduled > scheduled + 1:  # one is this function's own return from sleep(0)
            quiet = 0
        elif loop.threads or loop.has_timer_within(SOON):
            quiet = 0
            await asyncio.sleep(LOOK)
            used += LOOK
        else:
            quiet += 1
        used += time.thread_time() - began


def watch_the_loop() -> None:
    """Makes Textual's pilots wait for the loop from now on."""
    for module in (app, pilot):
        vars(module)["wait_for_idle"] = settled
