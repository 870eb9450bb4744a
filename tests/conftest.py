"""What every test shares."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from tests.watched_loop import WatchedLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# A busy machine is no failure: how long an example takes is no business of a test.
settings.register_profile("kvtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kvtui")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give each test a loop that knows when it has nothing left to do (tests/ui/settled.py)."""
    return {"watched": WatchedLoop}


def pytest_collection_finish() -> None:
    """What was imported stays: a garbage collection need not look at it again, which took a fifth of all CPU time."""
    gc.collect()
    gc.freeze()
