"""Ctrl+C ends a stream of observations, even at the moment of a tick."""

from __future__ import annotations

import asyncio

import pytest

from kvtui.backend.demo import Demo
from kvtui.observer import Observer


async def test_an_interrupt_during_a_tick_is_not_lost() -> None:
    observer = Observer(Demo(), interval=0)

    async def interrupted() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()  # as asyncio.run does at SIGINT, while the task runs
        await observer.change_or_tick()
        pytest.fail("the interrupt was lost")

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(interrupted())
