"""``--watch``: prints one observation after another until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from kvtui.cli.output import FIRST_SIGNAL_CODE, finish, write_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CANCEL_INTERVAL = 0.1
"""Seconds after which a cancellation is repeated: a library may take the first for its own."""


def watch(observer: Observer, render: Callable[[Observation], str | None]) -> None:
    """Print until a signal comes. A document that a slow reader has begun to take is finished within a short time.

    Args:
        observer: gives the observations; closed in the end.
        render: a whole document; None for nothing new.

    Raises:
        KeyboardInterrupt: Ctrl+C. SIGTERM and SIGHUP end the process.
        LookupError: ``--pid`` names no keepalived.
        OSError: the reader is gone.
    """
    number = asyncio.run(_until_signal(observer, render))
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    finish(FIRST_SIGNAL_CODE + number)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


async def _until_signal(observer: Observer, render: Callable[[Observation], str | None]) -> signal.Signals:
    """Not by asyncio's own handler: that cancels the main task, which ``asyncio.timeout`` may take for its own."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[signal.Signals] = loop.create_future()

    def take(number: signal.Signals) -> None:
        if not came.done():
            came.set_result(number)

    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in handled:
        loop.add_signal_handler(number, take, number)
    printing = asyncio.ensure_future(_print(observer, render))
    try:
        either: set[asyncio.Future[Any]] = {printing, came}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not came.done():
            await printing  # it ends by an error only
        while not printing.done():
            printing.cancel()
            await asyncio.wait({printing}, timeout=CANCEL_INTERVAL)
        if not printing.cancelled():
            printing.exception()  # a reader that went away meanwhile
        return await came
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


async def _print(observer: Observer, render: Callable[[Observation], str | None]) -> None:
    try:
        async with aclosing(observer.observations()) as observations:
            async for seen in observations:
                if (text := render(seen)) is not None:
                    write_latest(text)
    finally:
        await observer.close()
