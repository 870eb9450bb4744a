"""The host's CPU, memory, disk and NICs, by psutil, at most every few seconds."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from kvtui.model.host import Host, Nic
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERVAL = 5.0  # seconds between two readings, of 0.2 ms of CPU each with three NICs (measured)
PODS = ("veth", "cali", "lxc")
"""How the host's ends of pods' links are named: there are hundreds of them, and none carries a VIP."""


class HostLayer:
    """The vitals; None while they cannot be read. ``state_folder`` has the journal: its disk is read too."""

    def __init__(self, state_folder: Path | None = None) -> None:
        self.value: Host | None = None
        self._folder = state_folder
        self._times: Any = None
        self._source = Source(SourceName.HOST, SourceState.UNAVAILABLE, "not read yet")

    def read(self, now: float) -> None:
        """Reads them when that is due; blocks."""
        last = self._source.read_at
        if last is not None and 0 <= now - last < INTERVAL:
            return
        try:
            self.value = self._read()
            self._source = Source(SourceName.HOST, SourceState.OK, "", now)
        except (OSError, RuntimeError, psutil.Error) as error:  # RuntimeError: psutil misses a line in /proc
            self.value = None
            self._source = Source(SourceName.HOST, SourceState.UNAVAILABLE, f"the host cannot be read: {error}")

    def source(self) -> Source:
        return self._source

    def _read(self) -> Host:
        before, self._times = self._times, psutil.cpu_times()
        cpu, steal = (None, None) if before is None else shares(before, self._times)
        memory = psutil.virtual_memory()
        disk = _disk(self._folder) if self._folder else None
        return Host(
            cpu=cpu,
            steal=steal,
            load=psutil.getloadavg(),
            cores=psutil.cpu_count() or 1,
            memory_total=memory.total,
            memory_available=memory.available,
            state_folder=str(self._folder) if self._folder else None,
            disk_total=disk.total if disk else None,
            disk_free=disk.free if disk else None,
            nics=tuple(_nics()),
        )


def shares(before: Any, now: Any) -> tuple[float | None, float | None]:
    """Returns % busy and % stolen between two ``psutil.cpu_times()``; None when no time has passed.

    psutil's own ``cpu_times_percent`` compares with the last call in the same thread: readings come from several.
    """
    spent = {name: max(0.0, getattr(now, name) - getattr(before, name)) for name in now._fields}
    total = sum(spent.values()) - spent.get("guest", 0.0) - spent.get("guest_nice", 0.0)  # counted in user and nice
    if total <= 0:
        return None, None
    steal = spent.get("steal", 0.0)
    busy = total - spent["idle"] - spent.get("iowait", 0.0) - steal
    return round(100 * busy / total, 1), round(100 * steal / total, 1)


def _disk(folder: Path) -> Any:
    """Of the folder, or of the nearest one above it that is there; None when it cannot be read."""
    with suppress(OSError):
        for place in (folder, *folder.parents):
            with suppress(FileNotFoundError):
                return psutil.disk_usage(str(place))
    return None


def _nics() -> Iterator[Nic]:
    counters = psutil.net_io_counters(pernic=True)
    for name, stats in sorted(psutil.net_if_stats().items()):
        if "loopback" in stats.flags or name.startswith(PODS) or name not in counters:
            continue
        count = counters[name]
        yield Nic(
            name=name,
            up=stats.isup,
            speed=stats.speed or None,
            mtu=stats.mtu,
            errors_in=count.errin,
            errors_out=count.errout,
            drops_in=count.dropin,
            drops_out=count.dropout,
        )
