"""The demo's kernel, files and keepalived, which actions change."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.demo import cluster
from kvtui.backend.demo.changes import NO_CHANGES, election_state, moves
from kvtui.backend.demo.conf_text import read_text
from kvtui.backend.demo.services import CONF, TRACK_FILE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from kvtui.backend.demo.changes import Changes
    from kvtui.backend.demo.services import Target
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.vrrp import VrrpInstance


class World:
    """The demo's present state: when it began (seconds), and an operator's changes. For several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.epoch = clock()
        self.changes = NO_CHANGES
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: Callable[[], None] | None = None
        self._later: list[asyncio.TimerHandle] = []

    @property
    def now(self) -> float:
        """Seconds since the demo began."""
        return self._clock() - self.epoch

    def subscribe(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None]) -> None:
        self._loop, self._changed = loop, changed

    def unsubscribe(self) -> None:
        for handle in self._later:
            handle.cancel()
        self._loop = self._changed = None
        self._later = []

    @property
    def conf(self) -> Conf:
        return cluster.conf(self.epoch, self.changes)

    @property
    def running(self) -> Conf:
        return cluster.running_conf(self.epoch, self.changes)

    def instances(self) -> tuple[VrrpInstance, ...]:
        return cluster.instances(self.now, self.epoch, self.changes)

    def addresses(self) -> frozenset[tuple[str, str, int]]:
        table = cluster.addresses(self.now, self.epoch, self.changes)
        return frozenset((a.interface, a.address, a.prefixlen) for a in table.addresses)

    def table(self) -> IpvsTable:
        return cluster.table(self.now, self.epoch, self.changes)

    def read(self, path: str) -> str:
        if path == CONF:
            return self.changes.saved
        if path == TRACK_FILE:
            return f"{election_state(self.now, self.changes).value}\n"
        raise FileNotFoundError(2, "the demo has no such file", path)

    def write(self, path: str, text: str) -> None:
        """Writes a file; keepalived reads a track file at once."""
        if path == TRACK_FILE:
            self._change(lambda changes, now: changes.set(now, value=int(text)))
        elif path == CONF:
            self._change(lambda changes, now: replace(changes, saved=text, saved_at=now))
        else:
            raise FileNotFoundError(2, "the demo has no such file", path)

    def reload(self) -> None:

        def work(changes: Changes, now: float) -> Changes:
            old, new = (_priority(text) for text in (changes.run, changes.saved))
            if new != old:
                changes = changes.set(now, priority=new)
            return replace(changes, run=changes.saved, reloads=changes.reloads + 1, reloaded=(*changes.reloaded, now))

        self._change(work)

    def set_weight(self, target: Target, weight: int) -> None:
        self._change(lambda changes, now: changes.set_weight(now, target, weight))

    def set_sysctl(self, name: str, value: int) -> None:
        self._change(lambda changes, _now: replace(changes, sysctls={**changes.sysctls, name: value}))

    def _change(self, work: Callable[[Changes, float], Changes]) -> None:
        with self._lock:
            self.changes = work(self.changes, self.now)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        if self._loop is None or self._changed is None:
            return
        self._changed()
        for handle in self._later:
            handle.cancel()
        now = self.now
        self._later = [self._loop.call_later(at - now, self._changed) for at in moves(self.changes) if at > now]


def _priority(text: str) -> int | None:
    return next((i.priority for i in read_text(text).instances if i.name == "vips"), None)
