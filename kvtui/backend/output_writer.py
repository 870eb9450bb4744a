"""Writes to a file descriptor whose reader may stop reading, without blocking the caller.

A daemon thread does the blocking writes and is abandoned at exit. The alternatives do not work here: ``O_NONBLOCK``
belongs to the open file description, which kvtui shares with the shell that started it; after ``poll`` a terminal
may have room for one byte only, so the write blocks; ``/proc/self/fd/N`` cannot be opened after ``su``.
"""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 65536  # of one write(2), so that ``taken`` grows during a long output
HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Blocked in the writer's thread: the main thread handles them."""


class OutputError(OSError):
    """The output cannot be written: its disk is full, say. A reader that is gone stays a ``BrokenPipeError``."""

    def __str__(self) -> str:
        return f"cannot write the output: {self.strerror}"


class OutputWriter:
    """Writes byte strings one after another; each is written whole before the next begins.

    Above ``max_queued_bytes`` the oldest queued byte strings are dropped; None keeps all. ``on_drained`` is called in
    the writer's thread once everything is written after ``skips_frame`` returned True.
    """

    def __init__(
        self, fd: int, *, max_queued_bytes: int | None = None, on_drained: Callable[[], None] | None = None
    ) -> None:
        self._fd = fd
        self._max_queued = max_queued_bytes
        self._on_drained = on_drained
        self._changed = Condition()
        self._queue: deque[bytes] = deque()
        self._latest: bytes | None = None
        self.queued = self.taken = 0  # bytes that wait to be written, and bytes that the reader has taken
        self._writing = 0
        self._skipped = False
        self._abandoned = False
        self._error: OSError | None = None
        self._thread: Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to write, or nothing will be written any more."""
        with self._changed:
            return self._abandoned or self._error is not None or not (self._queue or self._latest or self._writing)

    def raise_error(self) -> None:
        if self._error is not None and not self._abandoned:
            self._abandoned = True
            if isinstance(self._error, BrokenPipeError):
                raise self._error
            raise OutputError(*self._error.args) from self._error

    def put(self, data: bytes) -> None:
        with self._changed:
            self._queue.append(data)
            self.queued += len(data)
            while self._max_queued is not None and self.queued > self._max_queued and len(self._queue) > 1:
                self.queued -= len(self._queue.popleft())
            self._wake()

    def put_latest(self, data: bytes) -> None:
        """Queues data that replaces an earlier ``put_latest`` that is still queued."""
        with self._changed:
            self._latest = data
            self._wake()

    def skips_frame(self, max_bytes: int) -> bool:
        """Whether the reader is more than ``max_bytes`` behind; then ``on_drained`` is called when it caught up."""
        with self._changed:
            if self.queued + self._writing <= max_bytes:
                return False
            self._skipped = True
            return True

    def discard(self) -> bool:
        with self._changed:
            dropped = bool(self._queue or self._latest)
            self._queue.clear()
            self._latest, self.queued = None, 0
            return dropped

    def abandon(self) -> None:
        """Empties the queue and ends all waits."""
        self.discard()
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until all is written; returns whether it is. A signal handler that raises ends it."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_idle, timeout)

    def wait_while_taken(self, timeout: float) -> bool:
        """Waits until all is written, or nothing was taken for ``timeout`` seconds; returns whether all is written."""
        taken = -1
        while taken != self.taken:
            taken = self.taken
            if self.wait(timeout):
                return True
        return False

    def _wake(self) -> None:
        if self._error is not None or self._abandoned:
            self.discard()
        elif self._thread is None:
            self._thread = Thread(target=self._run, daemon=True, name=f"output-{self._fd}")
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        try:
            while True:
                self._write(self._next())
        except OSError as error:
            with self._changed:
                self._error = error
                self._wake()

    def _next(self) -> bytes:
        with self._changed:
            self._writing = 0
            if self.is_idle:
                self._changed.notify_all()
                if self._skipped and self._on_drained is not None:
                    self._skipped = False
                    self._on_drained()  # it must not block: the lock is held
            while not (self._queue or self._latest):
                self._changed.wait()
            if self._queue:
                data = self._queue.popleft()
                self.queued -= len(data)
            else:
                data, self._latest = self._latest or b"", None
            self._writing = len(data)
            return data

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                count = os.write(self._fd, rest[:CHUNK_BYTES])
            except BlockingIOError:  # another process made the shared description non-blocking
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()
                continue
            rest = rest[count:]
            self.taken += count
