"""Hooks and settings for all tests."""

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

if not os.environ.get(IN_LAB):  # no lab test needs Hypothesis, and a guest starts a second faster without it
    from hypothesis import HealthCheck, settings

    # No deadline: a slow example on a busy machine is not a failure.
    # `make fuzz` sets more examples.
    examples = int(os.environ.get("KVTUI_FUZZ_EXAMPLES", "100"))
    slow = [HealthCheck.too_slow]
    settings.register_profile("kvtui", deadline=None, max_examples=examples, suppress_health_check=slow)
    settings.load_profile("kvtui")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Gives each test a loop that knows its pending work (tests/ui/settled.py)."""
    return {"watched": WatchedLoop}


def pytest_collection_finish() -> None:
    """Excludes imported objects from garbage collections, which took a fifth of all CPU time for them."""
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
    """Adds a test's CPU seconds to JUnit's XML (for a lab test: tests/lab/bridge.py)."""
    if call.when == "teardown" and COST in item.stash:
        item.user_properties.append((PROPERTY, round(cpu_of_this_process() - item.stash[COST], 2)))
    return (yield)
