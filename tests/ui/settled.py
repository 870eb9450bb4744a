"""When an app in a test has done what there is to do: by its event loop, not by the clock.

Textual's pilot waits until the process took less than a millisecond of CPU in 20 ms, twice for each key: most of a
test was spent asleep, and on a busy machine, where others have the CPU, that comes true while there is work left.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from textual import app, pilot

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

SOON = 0.02
"""Seconds: timers that are due by then are waited for; the screen paints 60 times a second."""
QUIET = 3
"""Turns of the loop in a row in which nothing was ready to run."""
GLANCE = 0.002
"""Seconds between looks while only timers or threads are awaited."""


async def settled(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until nothing is ready to run, no thread works and no timer is due soon; at most ``max_sleep`` seconds."""
    del min_sleep
    loop = vars(asyncio.get_running_loop())
    end = time.monotonic() + max_sleep
    quiet = 0
    while quiet < QUIET and time.monotonic() < end:
        await asyncio.sleep(0)
        if loop["_ready"]:
            quiet = 0
        elif _due(loop["_scheduled"]) or _working(loop["_default_executor"]):
            quiet = 0
            await asyncio.sleep(GLANCE)
        else:
            quiet += 1


def _due(timers: list[asyncio.TimerHandle]) -> bool:
    soon = asyncio.get_running_loop().time() + SOON
    return any(timer.when() <= soon and not timer.cancelled() for timer in timers)


def _working(threads: ThreadPoolExecutor | None) -> bool:
    if threads is None:
        return False
    inside = vars(threads)
    idle: int = vars(inside["_idle_semaphore"])["_value"]
    return inside["_work_queue"].qsize() > 0 or len(inside["_threads"]) > idle


def watch_the_loop() -> None:
    """From now on pilots wait for the loop."""
    for module in (app, pilot):
        vars(module)["wait_for_idle"] = settled
