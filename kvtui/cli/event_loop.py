"""Runs a coroutine of a command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def run(coroutine: Coroutine[object, object, T]) -> T:
    """Runs it in a new event loop and returns its result, which the main task does not have.

    ``asyncio.run`` ends with ``signal.signal``, which takes the repr of the old handler, of the main task and of the
    task's result: of an observation with 50,000 real servers that took 0.4 s, a third of the command's CPU.
    """
    results: list[T] = []

    async def main() -> None:
        results.append(await coroutine)

    asyncio.run(main())
    return results[0]
