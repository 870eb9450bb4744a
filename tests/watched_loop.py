"""An event loop that records what is scheduled on it, by asyncio's public methods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from contextvars import Context


T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WatchedLoop(asyncio.SelectorEventLoop):
    """An event loop that records scheduled callbacks, pending timers and work in threads."""

    def __init__(self) -> None:
        self.scheduled = 0  # callbacks so far
        self.timers: set[asyncio.TimerHandle] = set()  # pending
        self.threads: set[asyncio.Future[Any]] = set()  # work in threads that has not ended
        super().__init__()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.scheduled += 1
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.scheduled += 1
        return super().call_soon_threadsafe(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        def fire(*args: *Ts) -> None:
            self.timers.discard(timer)
            self.scheduled += 1
            callback(*args)

        timer = super().call_at(when, fire, *args, context=context)
        self.timers.add(timer)
        return timer

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        work = super().run_in_executor(executor, func, *args)
        self.threads.add(work)
        work.add_done_callback(self.threads.discard)
        return work

    def has_timer_within(self, seconds: float) -> bool:
        """Returns whether a timer is due within that many seconds."""
        self.timers = {timer for timer in self.timers if not timer.cancelled()}
        soon = self.time() + seconds
        return any(timer.when() <= soon for timer in self.timers)
