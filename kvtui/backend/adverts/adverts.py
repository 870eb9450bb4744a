"""Adverts, live on an asyncio event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kvtui.backend.adverts.capture import Capture
from kvtui.backend.adverts.tracker import AdvertTracker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from kvtui.model.vrrp import Advertiser, Transition

AT_ONCE = 64
"""Packets in one turn of the event loop, so that a flood does not stop the screen."""


class Adverts:
    """Who advertises in a network namespace.

    Args:
        pid: a process in that namespace; None for our own.
        interfaces: names to listen to; None for all (see ``Capture``).
        is_port: whether an interface is a port of a bridge or bond (see ``Capture``).
    """

    def __init__(
        self,
        pid: int | None,
        interfaces: frozenset[str] | None = None,
        is_port: Callable[[str], bool] = lambda _interface: False,
    ) -> None:
        self.tracker = AdvertTracker()
        """What was concluded: masters, rivals."""
        self._pid = pid
        self._interfaces = interfaces
        self._is_port = is_port
        self._waiting: asyncio.Task[None] | None = None
        self._capture: Capture | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._woken = asyncio.Event()
        self._changed: Callable[[], None] = lambda: None

    async def start(self, changed: Callable[[], None], after: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin to listen.

        Args:
            after: what must be known before adverts are read (which interfaces are ports); the kernel keeps those that
                arrive meanwhile, with their times.
            changed: called in the event loop when something is changed: a new advertiser, another master, another
                priority, a step down, silence. Not for each repeated advert.

        Raises:
            CaptureUnavailable: adverts cannot be captured.
        """
        self._changed = changed
        self._capture = Capture.open(self._pid, self._interfaces, self._is_port)
        self._loop = asyncio.get_running_loop()
        if after is None:
            self._loop.add_reader(self._capture.fileno(), self._read)
        else:
            self._waiting = self._loop.create_task(self._listen(after))

    async def _listen(self, after: Callable[[], Awaitable[None]]) -> None:
        await after()
        if self._loop is not None and self._capture is not None:
            self._loop.add_reader(self._capture.fileno(), self._read)

    def advertisers(self) -> tuple[Advertiser, ...]:
        """Everybody heard so far."""
        return self.tracker.advertisers()

    def transitions(self) -> tuple[Transition, ...]:
        """What changed, newest last; bounded."""
        return self.tracker.transitions()

    async def heard(self, seconds: float) -> tuple[Advertiser, ...]:
        """Listen for a while; everybody heard so far."""
        await asyncio.sleep(seconds)
        return self.advertisers()

    async def wait_for(self, vrids: Collection[int], timeout: float) -> frozenset[int]:
        """Wait until each of these VRIDs was heard.

        Args:
            vrids: virtual router ids.
            timeout: seconds, at most; a VRID without a master is never heard.

        Returns:
            Those that were heard.
        """
        wanted = frozenset(vrids)
        try:
            async with asyncio.timeout(timeout):
                while not wanted <= self._heard():
                    self._woken.clear()
                    await self._woken.wait()
        except TimeoutError:
            pass
        return wanted & self._heard()

    def _heard(self) -> frozenset[int]:
        return frozenset(vrid for vrid, _ in self.tracker.vrids())

    def close(self) -> None:
        """Stop listening; harmless when it never started."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._capture is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._capture.fileno())
            self._capture.close()
        self._capture = self._loop = self._alarm = None

    def _read(self) -> None:
        """Take what has arrived."""
        if self._hear():
            self._changed()

    def _hear(self) -> bool:
        changed = False
        for advert in self._capture.read(AT_ONCE) if self._capture else ():
            changed |= self.tracker.record(advert)
        self._woken.set()
        self._set_alarm()
        return changed

    def _set_alarm(self) -> None:
        """Silence is no event, so the clock has to tell it. Adverts only put it off: an alarm too early is harmless."""
        due = self.tracker.next_quiet()
        if self._loop is None or due is None:
            return
        at = self._loop.time() + max(0.0, due - time.time())
        if self._alarm is None or at < self._alarm.when():
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        changed = self._hear()  # what has arrived meanwhile comes first
        changed |= self.tracker.check_silence(time.time())
        self._set_alarm()
        if changed:
            self._changed()
