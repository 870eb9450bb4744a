"""The sources of one network namespace, which stay when keepalived restarts: addresses, adverts, IPVS, sysctls."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from kvtui.backend.adverts import Adverts, CaptureError
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.linux.sysctls import read_sysctls
from kvtui.backend.node.guard import DEADLINE, SourceGuard
from kvtui.backend.route import RouteMonitor
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kvtui.model.addresses import AddressTable
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import Advertiser, Transition

ADDRESSES_TIMEOUT = 5.0
"""Seconds that the first reading waits for addresses: the import of pyroute2 is slow, the kernel is not."""
IMPORT_DELAY = 0.2  # seconds until pyroute2 is imported, when the first frame shows no addresses
SYSCTLS_INTERVAL = 5.0  # seconds between two readings of sysctls
MAX_INTERFACES = 32  # interfaces whose sysctls are read; those of pods have no address and are skipped

GLOBAL_SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/ip_nonlocal_bind",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/vs/conntrack",
    "net/ipv4/vs/conn_reuse_mode",
    "net/ipv4/vs/expire_nodest_conn",
    "net/ipv4/vs/expire_quiescent_template",
)
LINK_SYSCTLS = ("rp_filter", "arp_ignore")


class NetworkLayers:
    """What is read of one network namespace.

    ``of`` is a keepalived in another network namespace; None: kvtui's own is read. ``changed`` is called on a change
    that needs a new snapshot at once. With ``at_once`` the first reading does not wait for addresses.
    """

    def __init__(
        self, of: Keepalived | None, changed: Callable[[], None], *, at_once: bool, state_folder: Path | None
    ) -> None:
        pid = of.pid if of is not None else None
        self.identity = of.identity if of is not None else None
        self.dirty = True  # something changed since the last request for a dump
        self._changed = changed
        self._must_wait = not at_once
        self._later: asyncio.TimerHandle | None = None
        self.ipvs_guard = SourceGuard("the IPVS table", state_folder)
        self.sysctls_guard = SourceGuard("sysctls", state_folder)
        self.addresses = RouteMonitor(pid, report=SourceGuard("the addresses", state_folder).report)
        self.adverts = AdvertsLayer(pid, self.addresses, SourceGuard("adverts", state_folder))
        self.ipvs = IpvsLayer(pid)
        self.sysctls = SysctlsLayer(pid)

    def _event(self) -> None:
        self.dirty = True
        self._changed()

    async def start(self) -> None:
        if self._must_wait:
            self.addresses.start(self._event)
        else:
            self._later = asyncio.get_running_loop().call_later(IMPORT_DELAY, self.addresses.start, self._event)
        await self.adverts.start(self._event)

    async def ready(self) -> None:
        """Waits once until the first reading of addresses succeeded or failed, unless ``at_once``."""
        if self._must_wait:
            self._must_wait = False
            with suppress(TimeoutError):
                async with asyncio.timeout(ADDRESSES_TIMEOUT):
                    await self.addresses.ready()

    async def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
        await self.addresses.close()
        self.adverts.close()
        if not self.ipvs_guard.is_busy:  # a thread that hangs still has its socket
            self.ipvs.reader.close()


def addresses_source(monitor: RouteMonitor) -> Source:
    table, error, late = monitor.table(), monitor.error, monitor.busy_seconds
    detail = f"addresses cannot be read: {error.strerror or error}" if error else ""
    if late >= DEADLINE:
        detail = f"late: {late:.0f} s; rtnetlink does not answer"
    elif error and table is not None:
        detail += "; shown as read last"
    if table is None:
        return Source(SourceName.ADDRESSES, SourceState.UNAVAILABLE, detail or "not read yet")
    state = SourceState.DEGRADED if detail else SourceState.OK
    return Source(SourceName.ADDRESSES, state, detail, table.read_at)


class AdvertsLayer:
    def __init__(self, pid: int | None, addresses: RouteMonitor, guard: SourceGuard) -> None:
        self._adverts = Adverts(pid, is_port=addresses.is_port, failed=guard.report)
        self._guard = guard
        self._addresses = addresses
        self._error = "not opened yet"

    async def start(self, changed: Callable[[], None]) -> None:
        try:
            await self._adverts.start(changed, self._addresses.ready)
            self._error = ""
        except CaptureError as why:
            self._error = str(why)
        except Exception as error:  # noqa: BLE001 - a bug in one source must not end the others
            self._error = self._guard.report(error)

    def advertisers(self) -> tuple[Advertiser, ...] | None:
        return None if self._error else self._adverts.tracker.advertisers()

    def heard_since(self) -> float | None:
        return None if self._error else self._adverts.heard_since()

    def transitions(self) -> tuple[Transition, ...]:
        return self._adverts.tracker.transitions()

    async def settle(self, vrids: frozenset[int], timeout: float) -> None:
        if not self._error:
            await self._adverts.wait_for(vrids, timeout)

    def source(self, now: float) -> Source:
        if self._error:
            return Source(SourceName.ADVERTS, SourceState.UNAVAILABLE, self._error)
        detail = ""
        if lost := self._adverts.dropped():
            detail = f"{lost} adverts lost: more arrive than kvtui can read; look for a storm with tcpdump -n vrrp"
        state = SourceState.DEGRADED if detail else SourceState.OK
        return self._guard.checked(Source(SourceName.ADVERTS, state, detail, now))

    def close(self) -> None:
        self._adverts.close()


class IpvsLayer:
    def __init__(self, pid: int | None) -> None:
        self.reader = IpvsReader(pid)
        self.table: IpvsTable | None = None
        self._moved = False
        self._error = "not read yet"

    def read(self, watched: frozenset[ServiceKey] | None = None, *, urgent: bool = False) -> None:
        """``watched``: keys of the virtual servers on the screen; None: all."""
        before = self.table
        try:
            self.table = self.reader.read(watched, urgent=urgent)
        except IpvsError as why:
            self.table, self._error = None, str(why)
        self._moved |= before is not None and self.table is not None and has_moved(before, self.table)

    def take_moved(self) -> bool:
        """Returns whether the table moved (``has_moved``) since the last call."""
        moved, self._moved = self._moved, False
        return moved

    def source(self) -> Source:
        if self.table is None:
            return Source(SourceName.IPVS, SourceState.UNAVAILABLE, self._error)
        state = SourceState.OK if self.table.complete else SourceState.DEGRADED
        return Source(SourceName.IPVS, state, self.reader.detail, self.table.oldest)


def has_moved(before: IpvsTable, now: IpvsTable) -> bool:
    """Whether real servers were added or removed, or got weight 0 or lost it: what a health check changes."""
    if len(before.virtual_servers) != len(now.virtual_servers):
        return True
    pairs = zip(before.virtual_servers, now.virtual_servers, strict=True)
    # most of a large table are the same objects, since they were not read again
    return any(a.key != b.key or _have_moved(a.real_servers, b.real_servers) for a, b in pairs if a is not b)


def _have_moved(before: Sequence[RealServer], now: Sequence[RealServer]) -> bool:
    return before is not now and (len(before), _drained(before)) != (len(now), _drained(now))


def _drained(reals: Sequence[RealServer]) -> int:
    return sum([not real.weight for real in reals])


class SysctlsLayer:
    """The sysctls that decide whether virtual servers work, by their full names; None while they cannot be read."""

    def __init__(self, pid: int | None) -> None:
        self.values: dict[str, int] | None = None
        self._pid = pid
        self._read_at = float("-inf")
        self._knew_links = False

    def read(self, now: float, table: AddressTable | None) -> None:
        if now - self._read_at < SYSCTLS_INTERVAL and (self._knew_links or table is None):
            return
        self._read_at, self._knew_links = now, table is not None
        links = dict.fromkeys(("all", *(a.interface for a in table.addresses if ":" not in a.address))) if table else ()
        of_links = (f"net/ipv4/conf/{link}/{name}" for link in [*links][:MAX_INTERFACES] for name in LINK_SYSCTLS)
        try:
            self.values = read_sysctls(self._pid, (*GLOBAL_SYSCTLS, *of_links))
        except OSError:  # no permission to enter, or its process ended
            self.values = None
