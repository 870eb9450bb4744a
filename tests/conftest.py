"""What every test shares."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest

from tests.cpu import PROPERTY, cpu_of_this_process
from tests.lab.guest import IN_LAB
from tests.watched_loop import WatchedLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

if not os.environ.get(IN_LAB):  # no test of the lab needs it, and a guest starts for a second less without it
    from hypothesis import HealthCheck, settings

    # A busy machine is no failure: how long an example takes is no business of a test.
    # `make fuzz` asks for more of them.
    examples = int(os.environ.get("KVTUI_FUZZ_EXAMPLES", "100"))
    slow = [HealthCheck.too_slow]
    settings.register_profile("kvtui", deadline=None, max_examples=examples, suppress_health_check=slow)
    settings.load_profile("kvtui")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give each test a loop that knows when it has nothing left to do (tests/ui/settled.py)."""
    return {"watched": WatchedLoop}


def pytest_collection_finish() -> None:
    """What was imported stays: a garbage collection need not look at it again, which took a fifth of all CPU time."""
    gc.collect()
    gc.freeze()


COST = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    if not os.environ.get(IN_LAB):
        item.stash[COST] = cpu_of_this_process()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Put the seconds of CPU that a test took into JUnit's XML (a test of the lab: tests/lab/bridge.py)."""
    if call.when == "teardown" and COST in item.stash:
        item.user_properties.append((PROPERTY, round(cpu_of_this_process() - item.stash[COST], 2)))
    return (yield)
