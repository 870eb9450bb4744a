"""Keeps a source that hangs or has a bug from stopping the others: a deadline, and a guard around each reading.

Readings run in daemon threads: a thread that hangs in the kernel cannot be ended, and must not keep kvtui from ending.
"""

from __future__ import annotations

import asyncio
import logging
import time
from _thread import start_new_thread
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kvtui.model.source import Source

    Job = tuple["SourceGuard", Callable[[], None]]

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

DEADLINE = 1.5
"""Seconds for one reading of a source; then the snapshot is assembled without it, and its source says so."""


class SourceGuard:
    """The readings of one source: since when one runs, and which bug ended the last one.

    ``state_folder`` gets crash reports; None: a temporary folder does.
    """

    def __init__(self, name: str, state_folder: Path | None = None) -> None:
        self.name = name
        self.error = ""
        self._state_folder = state_folder
        self._reported: dict[tuple[str, ...], str] = {}
        self._since: float | None = None

    @property
    def is_busy(self) -> bool:
        return self._since is not None

    def begin(self) -> None:
        self._since = time.monotonic()

    def call(self, read: Callable[[], T]) -> T | None:
        """Returns what ``read`` returns; None, with ``error`` set, if it raises."""
        self._since = self._since or time.monotonic()
        try:
            result = read()
            self.error = ""
        except Exception as error:  # noqa: BLE001 - a bug in one source must not end the others
            self.report(error)
            return None
        finally:
            self._since = None
        return result

    def report(self, error: Exception) -> str:
        """Logs an unexpected exception, with one crash report for each place in the code; returns the message."""
        import traceback  # noqa: PLC0415 - only after a bug

        from kvtui.backend.diagnostics import crash_report  # noqa: PLC0415

        last = traceback.extract_tb(error.__traceback__)[-1:]
        key = (type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in last))
        if key not in self._reported:
            path = crash_report.write(error, self._state_folder)
            self._reported[key] = f"; report: {path}" if path else ""
            _LOG.error("source %s failed%s", self.name, self._reported[key], exc_info=error)
        what = f"kvtui failed to read {self.name} ({crash_report.one_line(error)}); this is a bug in kvtui"
        self.error = f"{what}{self._reported[key]}"
        return self.error

    def checked(self, source: Source) -> Source:
        """Returns the source's state, or that it is late or failed; what was read before keeps its age."""
        since = self._since  # once: its thread sets it to None
        late = 0.0 if since is None else time.monotonic() - since
        detail = f"late: {late:.0f} s; {self.name} does not answer" if late >= DEADLINE else self.error
        if not detail:
            return source
        state = SourceState.UNAVAILABLE if source.read_at is None else SourceState.DEGRADED
        return replace(source, state=state, detail=detail, reason=None)


class _Round:
    """Jobs that one thread does one after another, until the round is abandoned because a job hangs."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = deque(jobs)
        self._lock = Lock()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._begun_at = time.monotonic()

    async def run(self, deadline: float) -> list[Job]:
        """Returns the jobs that had not begun when one of them missed the deadline."""
        # once a second: a Thread would let the event loop wait until it runs, which is a wake-up more
        start_new_thread(self._work, ())
        try:
            while not self._done.done() and (rest := self._rest(deadline)) > 0:
                await asyncio.wait([self._done], timeout=rest)
        finally:
            with self._lock:
                left = list(self._jobs)
                self._jobs.clear()
        return left

    def _rest(self, deadline: float) -> float:
        """Returns the seconds that the current job still has: a slow one takes none from the next."""
        with self._lock:
            return self._begun_at + deadline - time.monotonic()

    def _work(self) -> None:
        while job := self._next():
            guard, read = job
            guard.call(read)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._done.set_result, None)

    def _next(self) -> Job | None:
        with self._lock:
            job = self._jobs.popleft() if self._jobs else None
            if job is not None:
                job[0].begin()
                self._begun_at = time.monotonic()
            return job


async def run_jobs(jobs: Iterable[Job], deadline: float = DEADLINE) -> None:
    """Runs the readings in a thread, one after another; one that hangs is left alone, and skipped until it ends."""
    left = [job for job in jobs if not job[0].is_busy]
    while left:
        left = await _Round(left).run(deadline)


async def run_in_thread(work: Callable[[], T], timeout: float) -> T:
    """Raises TimeoutError if ``work`` takes longer than ``timeout`` seconds; its thread is left alone."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # to cancel the answer then does not cancel this

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised again in the event loop
            future.set_exception(error)

    Thread(target=run, daemon=True, name="source").start()
    answer = asyncio.wrap_future(future)
    try:
        await asyncio.wait([answer], timeout=timeout)
        if answer.done():
            return answer.result()
        raise TimeoutError(None, f"late: no answer within {timeout:g} s")
    finally:
        answer.cancel()
