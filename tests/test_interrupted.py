"""Ctrl+C ends a stream of observations, also in the moment in which its timer rings."""

from __future__ import annotations

import asyncio

import pytest

from kvtui.backend.demo import Demo
from kvtui.observer import Observer


async def test_an_interrupt_is_not_taken_for_the_tick() -> None:
    observer = Observer(Demo(), interval=0)

    async def interrupted() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()  # as asyncio.run does at SIGINT, while the task runs
        await observer.change_or_tick()
        pytest.fail("it went on")

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(interrupted())
