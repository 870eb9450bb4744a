"""The table of addresses and interfaces of a network namespace, followed in a thread of its own.

A thread, not the event loop: pyroute2 decodes a link in 0.3 ms, so a storm of events would stop the screen; its import
takes 0.1 s; and a thread can enter another network namespace. What it knows it hands over as frozen values.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.linux.namespaces import enter_network
from kvtui.backend.route.table import RouteTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.route.sockets import RouteSockets
    from kvtui.model.addresses import AddressTable

RETRY = 5.0  # seconds until a table that could not be read is read again
CLOSE_TIMEOUT = 2.0  # seconds that closing waits for the thread, which may be importing pyroute2


class Published(Struct, frozen=True):
    table: AddressTable | None = None
    ports: frozenset[str] = frozenset()
    error: OSError | None = None


class RouteMonitor:
    def __init__(
        self, pid: int | None, *, receive_buffer: int | None = None, report: Callable[[Exception], str] = str
    ) -> None:
        self._report = report
        self._pid = pid
        self._receive_buffer = receive_buffer
        self._published = Published()
        self._busy_since: float | None = None
        self._thread: Thread | None = None
        self._wake = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._first = asyncio.Event()
        self._changed: Callable[[], None] = lambda: None
        self.resyncs = 0  # how often everything was read again because events were lost

    def start(self, changed: Callable[[], None]) -> None:
        """Begins to read; returns at once.

        ``changed`` is called in the event loop when the table, or whether it can be read, is different: once for a
        batch of events.
        """
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = Thread(target=self._run, name="rtnetlink", daemon=True)
        self._thread.start()

    async def ready(self) -> None:
        await self._first.wait()

    @property
    def error(self) -> OSError | None:
        return self._published.error

    @property
    def busy_seconds(self) -> float:
        """How long it has been working on events, or on its first reading."""
        since = self._busy_since  # once: its thread sets it to None
        return 0.0 if since is None else time.monotonic() - since

    def table(self) -> AddressTable | None:
        """The table; its ``read_at`` is now while events would tell of any change. None when it was never read."""
        published = self._published
        if published.table is None or published.error is not None:
            return published.table
        return replace(published.table, read_at=time.time() - self.busy_seconds)

    def is_port(self, interface: str) -> bool:
        return interface in self._published.ports

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._changed = lambda: None
        os.eventfd_write(self._wake, 1)
        await asyncio.to_thread(thread.join, CLOSE_TIMEOUT)
        if not thread.is_alive():
            os.close(self._wake)

    def _run(self) -> None:
        try:
            enter_network(self._pid)
        except OSError as error:  # not permitted, or the process is gone: that does not pass by itself
            self._publish(Published(error=error))
            return
        from kvtui.backend.route.sockets import RECEIVE_BUFFER, RouteSockets  # noqa: PLC0415 - imports pyroute2

        links = RouteTable()
        again = True
        while again:
            self._busy_since = time.monotonic()
            try:
                with RouteSockets(self._receive_buffer or RECEIVE_BUFFER) as sockets:
                    again = self._follow(sockets, links)
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    self.resyncs += 1
                    continue
                again = self._retry(error)
            except Exception as error:  # noqa: BLE001 - a bug here must not end this thread for good
                again = self._retry(OSError(None, self._report(error)))

    def _follow(self, sockets: RouteSockets, links: RouteTable) -> bool:
        """Reads everything, then events; returns False when kvtui closes, raises OSError when they were lost."""
        first = self._published.table is None
        now = time.time()
        changed = links.replace(*sockets.read_all(), appeared=None if first else now)
        while True:
            if changed or self._published.error is not None or self._published.table is None:
                self._publish(Published(links.table(now), links.ports()))
            self._busy_since = None
            if not sockets.wait(self._wake):
                return False
            self._busy_since, now = time.monotonic(), time.time()
            changed = False
            for what, deleted in sockets.events():
                changed |= links.apply(what, now, deleted=deleted)

    def _retry(self, error: OSError) -> bool:
        """Publishes the error and waits; returns False when kvtui closes."""
        self._busy_since = None
        self._publish(replace(self._published, error=error))
        closing = select.poll()
        closing.register(self._wake, select.POLLIN)
        return not closing.poll(RETRY * 1000)

    def _publish(self, published: Published) -> None:
        self._published = published
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        self._first.set()
        self._changed()
