"""Runs the coroutine of a command: until it ends, or with ``--watch`` until a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from kvtui.backend import lost_terminal
from kvtui.backend.lost_terminal import LostTerminal
from kvtui.cli.output import FIRST_SIGNAL_CODE, OutputStream, fail, finish, write_latest
from kvtui.model.keepalived import KeepalivedNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from kvtui.model.observation import Observation
    from kvtui.observer import Observer

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CANCEL_INTERVAL = 0.1
"""Seconds after which a cancellation is repeated: a library can swallow the first."""

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it in a new event loop and returns its result, which the main task does not have.

    ``asyncio.run`` ends with ``signal.signal``, which takes the repr of the old handler, of the main task and of the
    task's result: of an observation with 50,000 real servers that took 0.4 s, a third of the command's CPU.

    Raises:
        SystemExit: 2 when ``--pid`` is not a keepalived.
    """
    results: list[T] = []

    async def main() -> None:
        results.append(await coroutine)

    try:
        asyncio.run(main())
    except KeepalivedNotFoundError as error:
        fail(str(error))
    return results[0]


def watch(observer: Observer, render: Callable[[Observation], str | None]) -> None:
    """Prints observations until a signal, and closes the observer.

    A document that a reader has begun is finished in a short time.

    Raises:
        KeyboardInterrupt: Ctrl+C. SIGTERM and SIGHUP end the process.
        SystemExit: 2 when ``--pid`` is not a keepalived.
        OSError: the reader is gone.
    """
    until_signal(_print(observer, render))


def until_signal(printing: Coroutine[Any, Any, None]) -> None:
    number = run(_until_signal(printing))
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    finish(FIRST_SIGNAL_CODE + number)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


async def _until_signal(coroutine: Coroutine[Any, Any, None]) -> signal.Signals:
    """Handles signals itself: asyncio's handler cancels the main task, and ``asyncio.timeout`` can swallow that."""
    loop = asyncio.get_running_loop()
    received: asyncio.Future[signal.Signals] = loop.create_future()

    def receive(number: signal.Signals) -> None:
        if not received.done():
            received.set_result(number)

    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in handled:
        loop.add_signal_handler(number, receive, number)
    printing = asyncio.ensure_future(coroutine)
    watching = asyncio.ensure_future(_wait_until_lost(lambda: receive(signal.SIGHUP)))
    try:
        with _reader_gone() as gone:
            either: set[asyncio.Future[Any]] = {printing, received, gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not received.done() and not gone.done():
            await printing  # it ends only with an error
        while not printing.done():
            printing.cancel()
            await asyncio.wait({printing}, timeout=CANCEL_INTERVAL)
        if not printing.cancelled():
            printing.exception()  # such as a reader that is gone: the signal ends kvtui anyway
        if not received.done():
            raise BrokenPipeError
        return received.result()
    finally:
        watching.cancel()
        for number in handled:
            loop.remove_signal_handler(number)


@contextmanager
def _reader_gone() -> Iterator[asyncio.Future[None]]:
    """Yields what is done when nobody reads stdout's pipe any more: where nothing changes, no write would tell."""
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()
    fd = -1
    with suppress(OSError):  # stdout is closed, or no file
        fd = sys.stdout.fileno()
        fd = fd if stat.S_ISFIFO(os.fstat(fd).st_mode) else -1
    if fd < 0:
        yield gone
        return

    def check_hangup() -> None:
        loop.remove_reader(fd)  # a FIFO that is open for both has something to read at times
        if lost_terminal.is_hung_up(fd):
            gone.set_result(None)

    loop.add_reader(fd, check_hangup)
    try:
        yield gone
    finally:
        loop.remove_reader(fd)


async def _wait_until_lost(then: Callable[[], None]) -> None:
    """Ends ``--watch`` on a terminal that nobody reads. A pager may stop reading for as long as it likes."""
    if not isinstance(sys.stdout, OutputStream) or not sys.stdout.isatty():
        return
    lost = LostTerminal((), sys.stdout.writer, lambda: None)
    while True:
        await asyncio.sleep(lost_terminal.TICK_SECONDS)
        if lost.tick():
            then()
            return


async def _print(observer: Observer, render: Callable[[Observation], str | None]) -> None:
    try:
        async with aclosing(observer.observations()) as observations:
            async for seen in observations:
                if (text := render(seen)) is not None:
                    write_latest(text)
    finally:
        await observer.close()
