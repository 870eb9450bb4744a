"""The demo cluster as something that can be changed: what its kernel, its files and its keepalived would do."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.demo import cluster
from kvtui.backend.demo.conf_text import read_text
from kvtui.backend.demo.deeds import NONE, moves, standing
from kvtui.backend.demo.services import CONF, TRACK_FILE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from kvtui.backend.demo.deeds import Deeds
    from kvtui.backend.demo.services import Target
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import VrrpInstance


class World:
    """All that was done to the demo, and its present. Used from several threads.

    Args:
        clock: seconds.

    Attributes:
        epoch: when the demo began, by that clock.
        deeds: replaced as a whole by whatever is done.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.epoch = clock()
        self.deeds = NONE
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: Callable[[], None] | None = None
        self._later: list[asyncio.TimerHandle] = []

    @property
    def now(self) -> float:
        """Seconds since the demo began."""
        return self._clock() - self.epoch

    def tell(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None]) -> None:
        """Call ``changed`` in the loop at every change from now on."""
        self._loop, self._changed = loop, changed

    def hush(self) -> None:
        """Tell nobody any more."""
        for handle in self._later:
            handle.cancel()
        self._loop = self._changed = None
        self._later = []

    # --- what is there

    @property
    def keepalived(self) -> Keepalived:
        """The demo's keepalived."""
        return cluster.keepalived(self.epoch)

    @property
    def conf(self) -> Conf:
        """The config on disk."""
        return cluster.conf(self.epoch, self.deeds)

    @property
    def running(self) -> Conf:
        """The config that runs."""
        return cluster.running_conf(self.epoch, self.deeds)

    def instances(self) -> tuple[VrrpInstance, ...]:
        """What keepalived says of itself."""
        return cluster.instances(self.now, self.epoch, self.deeds)

    def table(self) -> IpvsTable:
        """What the kernel has."""
        return cluster.table(self.now, self.epoch, self.deeds)

    def read(self, path: str) -> str:
        """A file of keepalived's.

        Raises:
            FileNotFoundError: the demo has no such file.
        """
        if path == CONF:
            return self.deeds.saved
        if path == TRACK_FILE:
            return f"{standing(self.now, self.deeds).value}\n"
        raise FileNotFoundError(2, "the demo has no such file", path)

    # --- what can be done

    def write(self, path: str, text: str) -> None:
        """Write a file; keepalived sees a track file at once.

        Raises:
            FileNotFoundError: the demo has no such file.
        """
        if path == TRACK_FILE:
            self._do(lambda deeds, now: deeds.set(now, value=int(text)))
        elif path == CONF:
            self._do(lambda deeds, now: replace(deeds, saved=text, saved_at=now))
        else:
            raise FileNotFoundError(2, "the demo has no such file", path)

    def reload(self) -> None:
        """Keepalived reads its config."""

        def work(deeds: Deeds, now: float) -> Deeds:
            old, new = (_priority(text) for text in (deeds.run, deeds.saved))
            if new != old:
                deeds = deeds.set(now, priority=new)
            return replace(deeds, run=deeds.saved, reloads=deeds.reloads + 1, reloaded=(*deeds.reloaded, now))

        self._do(work)

    def weigh(self, target: Target, weight: int) -> None:
        """Set a weight in the kernel."""
        self._do(lambda deeds, now: deeds.weigh(now, target, weight))

    def set_sysctl(self, name: str, value: int) -> None:
        """Set net.ipv4.vs.NAME."""
        self._do(lambda deeds, _now: replace(deeds, sysctls={**deeds.sysctls, name: value}))

    def _do(self, work: Callable[[Deeds, float], Deeds]) -> None:
        with self._lock:
            self.deeds = work(self.deeds, self.now)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_now_and_then)

    def _tell_now_and_then(self) -> None:
        """Now, and when mastership moves by what was done."""
        if self._loop is None or self._changed is None:
            return
        self._changed()
        for handle in self._later:
            handle.cancel()
        now = self.now
        self._later = [self._loop.call_later(at - now, self._changed) for at in moves(self.deeds) if at > now]


def _priority(text: str) -> int | None:
    return next((i.priority for i in read_text(text).instances if i.name == "vips"), None)
