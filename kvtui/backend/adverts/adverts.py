"""Captures and tracks adverts on an asyncio event loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kvtui.backend.adverts.capture import Capture
from kvtui.backend.adverts.tracker import AdvertTracker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

HEARTBEAT, MAX_PAUSE = 2.0, 6.0
"""Seconds between two looks at the clock, and after which this process was stopped, or the machine frozen."""
STORM_SECONDS = 60.0  # after the last lost advert, in which it is reported
MAX_PACKETS_PER_TURN = 64  # of the event loop, so that a flood does not stop the screen


class Adverts:
    """Who advertises in the network namespace of process ``pid`` (None: our own); see ``Capture``.

    ``failed`` takes a bug that a packet shows, and the next packet is still read; without it the bug is raised.
    """

    def __init__(
        self,
        pid: int | None,
        is_port: Callable[[str], bool] = lambda _interface: False,
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        self._failed = failed
        self.tracker = AdvertTracker()
        self._pid = pid
        self._is_port = is_port
        self._start_task: asyncio.Task[None] | None = None
        self._capture: Capture | None = None
        self._since = self._awake_at = self._dropped_at = 0.0
        self._dropped = 0
        self._is_behind = False  # there may be packets that are not read yet
        self._heartbeat: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._received = asyncio.Event()
        self._changed: Callable[[], None] = lambda: None

    async def start(self, changed: Callable[[], None], after: Callable[[], Awaitable[None]] | None = None) -> None:
        """Raises CaptureError: adverts cannot be captured.

        Args:
            changed: called in the event loop on a change (``AdvertTracker.record``) or silence.
            after: awaited before adverts are read (it finds which interfaces are ports); the kernel queues those that
                arrive meanwhile, with their times.
        """
        self._changed = changed
        self._capture = Capture.open(self._pid, self._is_port)
        self._since = self._awake_at = time.time()
        self._set_heartbeat()
        self._start_task = asyncio.create_task(self._listen(self._capture, after))

    async def _listen(self, capture: Capture, after: Callable[[], Awaitable[None]] | None) -> None:
        if after is not None:
            await after()
        asyncio.get_running_loop().add_reader(capture.fileno(), self._read)

    def heard_since(self) -> float:
        """Since when no advert was missed: the kernel dropped none, and this process ran (seconds since the epoch).

        A stopped or frozen process does not know what was sent meanwhile, or whether anybody else ran.
        """
        now = time.time()
        dropped = self._capture.dropped() if self._capture is not None else 0
        if dropped:
            self._dropped, self._dropped_at = self._dropped + dropped, now
        if dropped or not 0 <= now - self._awake_at <= MAX_PAUSE:
            self._since = now
        self._awake_at = now
        self._set_heartbeat()
        return self._since

    def dropped(self) -> int:
        """How many adverts were lost since the start; 0 when none was within ``STORM_SECONDS``."""
        return self._dropped if abs(time.time() - self._dropped_at) < STORM_SECONDS else 0

    def _set_heartbeat(self) -> None:
        """A look at the clock delays the next: where a snapshot is read once a second no timer wakes the process."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._capture is not None:
            self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT, self.heard_since)

    async def wait_for(self, vrids: Collection[int], timeout: float) -> frozenset[int]:
        """Waits up to ``timeout`` s until each VRID advertised; returns those that did."""
        wanted = frozenset(vrids)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not wanted <= self._heard():
                    self._received.clear()
                    await self._received.wait()
        return wanted & self._heard()

    def _heard(self) -> frozenset[int]:
        return frozenset(vrid for vrid, *_ in self.tracker.peers)

    def close(self) -> None:
        if self._start_task is not None:
            self._start_task.cancel()
        for timer in (self._alarm, self._heartbeat):
            if timer is not None:
                timer.cancel()
        if self._capture is not None:
            asyncio.get_running_loop().remove_reader(self._capture.fileno())
            self._capture.close()
        self._capture = self._alarm = self._heartbeat = None

    def _read(self) -> None:
        if self._guarded(self._receive):
            self._changed()

    def _guarded(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception as error:
            if self._failed is None:
                raise
            self._failed(error)
            return True

    def _receive(self) -> bool:
        changed = False
        if self._capture is not None:
            before = self._capture.packets
            for advert in self._capture.read(MAX_PACKETS_PER_TURN):
                changed |= self.tracker.record(advert)
            self._is_behind = self._capture.packets - before == MAX_PACKETS_PER_TURN
        self._received.set()
        self._set_alarm()
        return changed

    def _set_alarm(self) -> None:
        """Sets a timer, since silence causes no event. Each advert delays it, so that it seldom wakes the process."""
        due = self.tracker.next_silence(self._since)
        if self._capture is None or due is None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(max(0.0, due - time.time()), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        changed = self._guarded(self._receive)  # first the adverts that arrived meanwhile
        since = self.heard_since()
        if not self._is_behind:
            changed |= self._guarded(lambda: self.tracker.check_silence(time.time(), since))
        self._set_alarm()
        if changed:
            self._changed()
