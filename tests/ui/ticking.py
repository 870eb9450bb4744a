"""Runs on a pty for test_wire: kvtui on observations that differ by a few values or not at all, many times a second."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from kvtui.model.log import LogLine, LogTail
from kvtui.model.settings import UiSettings
from kvtui.terminal import prepare
from tests.kit.views import EPOCH, instance, make_observation, real, server, snapshot, vip
from tests.ui.seen import Feed
from tests.ui.settled import settled
from tests.watched_loop import WatchedLoop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kvtui.model.observation import Observation

REALS = 200


def node_after(tick: int, changing: int, *, empty: bool) -> Observation:
    """Returns the node after some ticks; the first ``changing`` real servers have other values each time."""
    of = snapshot(time=EPOCH + tick)
    if empty:
        return make_observation(instances=(), vips=(), servers=(), of=of)
    reals = tuple(real(f"10.2.0.{n}", active=tick % 900 + 100 if n < changing else 3) for n in range(REALS))
    return make_observation(instances=(instance(),), vips=(vip(),), servers=(server("10.4.0.50", *reals),), of=of)


class Ticking(Feed):
    """Yields observations in quick succession; sends a byte for each once kvtui has nothing left to draw."""

    def __init__(self, ticks_fd: int, changing: int, *, empty: bool, last: int) -> None:
        super().__init__()
        self._ticks_fd, self._changing, self._empty, self._last = ticks_fd, changing, empty, last

    async def observations(self, *, force: bool = False) -> AsyncGenerator[Observation, None]:  # noqa: ARG002 - given anyway
        tick = 0
        while True:
            yield node_after(tick if self._changing else 0, self._changing, empty=self._empty)
            await settled()
            os.write(self._ticks_fd, b".")
            tick = min(tick + 1, self._last)
            await asyncio.sleep(0.06)

    async def log(self) -> LogTail:
        return LogTail((LogLine("Opening file", EPOCH), LogLine("VRRP sockpool", EPOCH)), "a file")


def main() -> None:
    ticks_fd, changing, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    last = 30 if kind == "stops" else 10**9
    prepare(os.environ)
    from kvtui.app import KvtuiApp  # noqa: PLC0415 - after prepare, as kvtui does it

    KvtuiApp(Ticking(ticks_fd, changing, empty=kind == "empty", last=last), UiSettings()).run(
        mouse=False, loop=WatchedLoop()
    )


if __name__ == "__main__":
    main()
