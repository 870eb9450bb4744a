"""Waits until an observation, or keepalived itself, shows what an action did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from kvtui.actions.core.daemon import Daemon
from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.requester import DumpRequester
from kvtui.backend.linux.process import is_running
from kvtui.model.observation import Observation

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import VrrpInstance

T = TypeVar("T")
Watch = Callable[[], Awaitable[Observation]]
"""Gives a new observation each time (``Observer.observe``, or what the screens are given)."""
PAUSE = 0.05
DUMP_PAUSE = 0.25
"""Seconds between questions to keepalived while it is being verified: each is a line in its log."""


async def until(watch: Watch, condition: Callable[[Observation], T | None], timeout: float) -> T | None:
    """Returns the first true thing that the condition finds; None when ``timeout`` (seconds) is over."""
    deadline = time.monotonic() + timeout
    while True:
        if found := condition(await watch()):
            return found
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(PAUSE)


class DumpWatch:
    """Asks keepalived for its instances again and again while an action is verified."""

    def __init__(self, keepalived: Keepalived) -> None:
        self._daemon = Daemon.of(keepalived)
        self._dumper = DumpRequester(keepalived)
        self.error = ""
        """Why it did not answer last time."""

    async def instances(self) -> tuple[VrrpInstance, ...] | None:
        return await asyncio.to_thread(self._read)

    def _read(self) -> tuple[VrrpInstance, ...] | None:
        try:
            return self._dumper.read(time.time()).instances
        except DumpError as why:
            self.error = str(why)
            return None

    async def until(self, condition: Callable[[tuple[VrrpInstance, ...]], T | None], timeout: float) -> T | None:
        """As the function ``until``, in keepalived's dumps; ends also when keepalived does."""
        deadline = time.monotonic() + timeout
        while True:
            instances = await self.instances()
            if instances is not None and (found := condition(instances)):
                return found
            if time.monotonic() > deadline or self.ended():
                return None
            await asyncio.sleep(DUMP_PAUSE)

    def ended(self) -> bool:
        return not self._daemon.is_same_process() or not is_running(self._daemon.pid)
