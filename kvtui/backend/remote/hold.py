"""On a node: an action waits for the kvtui that coordinates several nodes (``command.py``), before it and after it.

Stdin is the connection. While that kvtui lives it writes a line every few seconds. The line ``go`` starts what was
planned, ``commit`` makes it final; ``abort``, the end of the input or a long silence make this node put back by itself.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PLANNED = "kvtui: planned "
"""How the line on stdout begins that has the document of the plan."""
HELD = "kvtui: done, waits for the commit of all nodes"
"""The line on stdout once the action is done and verified."""
GO, COMMIT, ABORT = b"go", b"commit", b"abort"
BEAT_SECONDS = 5.0
SILENCE_TIMEOUT = 30.0
"""Seconds without a line after which the other kvtui, its machine or the network is gone."""
MAX_READ = 4096


class Hold:
    """The connection to the kvtui that coordinates."""

    def __init__(self, say: Callable[[str], object], fd: int = 0) -> None:
        self.lost = ""
        """Why the action must be put back; empty while the connection lasts, and after the commit."""
        self._say = say
        self._fd = fd
        self._text = b""
        self._cancel: Callable[[], object] | None = None
        self._started = asyncio.Event()
        self._committed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def started(self, plan: str) -> bool:
        """Reports the plan in one line, and waits until it may be done; returns False if that will not come."""
        self.begin(self._started.set)
        with suppress(OSError):  # nobody reads any more: stdin has ended too
            self._say(f"{PLANNED}{plan}")
        await self._started.wait()
        return not self.lost

    def begin(self, cancel: Callable[[], object]) -> None:
        """Listens from now on; ``cancel`` ends the action when the connection is lost before the commit."""
        is_listening, self._cancel = self._cancel is not None, cancel
        if is_listening:
            if self.lost:
                cancel()
            return
        try:
            asyncio.get_running_loop().add_reader(self._fd, self._read)
        except OSError:  # a file, or closed
            self._lose("stdin is not connected to a kvtui that coordinates several nodes")
        else:
            self._expect()

    async def committed(self) -> None:
        """Reports that the action is done, and waits for the commit."""
        with suppress(OSError):  # nobody reads any more: stdin has ended too
            self._say(f"{HELD}\n")
        await self._committed.wait()

    def end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        if self._timer is not None:
            self._timer.cancel()

    def _expect(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        why = f"the kvtui that coordinates all nodes was silent for {SILENCE_TIMEOUT:g} s before its commit"
        self._timer = asyncio.get_running_loop().call_later(SILENCE_TIMEOUT, self._lose, why)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, MAX_READ)
        except OSError:
            data = b""
        *lines, self._text = (self._text + data)[-MAX_READ:].split(b"\n")
        if COMMIT in lines:
            self.end()
            self._committed.set()
        elif ABORT in lines:
            self._lose("the action failed on another node, or was interrupted")
        elif not data:
            self._lose("the kvtui that coordinates all nodes is gone: the connection ended before its commit")
        else:
            self._expect()
            if GO in lines:
                self._started.set()

    def _lose(self, why: str) -> None:
        self.end()
        self.lost = why
        if self._cancel is not None:
            self._cancel()
