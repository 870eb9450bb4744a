# ruff: noqa: INP001 - part of the benchmarks, which are scripts
"""A fake node: virtual servers with traffic, read alternately as the live node's are, with a clock of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.demo.source import Demo
from kvtui.model.conf import ConfRealServer, ConfVirtualServer
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer
from tests.kit import NOW, addresses, conf, snapshot

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.snapshot import Snapshot

ROUND = 10
"""Ticks until the real servers of every virtual server have been read again, as on a fast machine."""
SERVICES = 3
"""Ticks until the counters of all virtual servers have been read; the visible ones are read at each tick."""


class Moving(Demo):
    """A source of snapshots that are one second apart.

    Args:
        virtuals: how many virtual servers.
        reals: how many real servers each has.
    """

    def __init__(self, virtuals: int, reals: int) -> None:
        super().__init__()
        self.tick = 0
        self._watched: frozenset[ServiceKey] = frozenset()
        self._reals = reals
        self._conf = _conf(virtuals, reals)
        self._addresses = addresses("10.4.0.50")
        self._virtuals = [self._virtual(number) for number in range(virtuals)]

    def _virtual(self, number: int) -> VirtualServer:
        """Returns it as it is now, with its real servers."""
        at, traffic = float(self.tick), (self.tick + 1) * (1 + number % 7)
        counters = Stats(traffic, traffic * 10, traffic * 8, traffic * 1500, traffic * 90000, 1, 10, 8, 1500, 90000)
        reals = tuple(
            RealServer(real_address(number, r), 80, ForwardingMethod.DIRECT, 1, 3 + self.tick % 5, 1, 0, 0, 0, counters)
            for r in range(self._reals)
        )
        return VirtualServer(
            Protocol.TCP,
            vip(number),
            80,
            None,
            4,
            "wlc",
            (),
            real_servers=reals,
            stats=counters,
            reals_read=at,
            stats_read=at,
        )

    def look_at(self, services: frozenset[ServiceKey]) -> None:
        """See ``FocusedSource.look_at``."""
        self._watched = services

    async def read(self) -> Snapshot:
        """Returns the snapshot of the next second."""
        self.tick += 1
        for number, virtual in enumerate(self._virtuals):
            watched = virtual.key in self._watched or len(self._virtuals) < ROUND
            if watched or number % ROUND == self.tick % ROUND:
                self._virtuals[number] = self._virtual(number)
            elif self.tick % SERVICES == 0:
                traffic = (self.tick + 1) * (1 + number % 7)
                counters = Stats(traffic, traffic * 10, traffic * 8, traffic * 1500, traffic * 90000)
                self._virtuals[number] = replace(virtual, stats=counters, stats_read=float(self.tick))
        now = NOW + self.tick
        table = IpvsTable(tuple(self._virtuals), complete=True, read_at=now, monotonic=float(self.tick))
        return snapshot(time=now, conf=self._conf, running=self._conf, ipvs=table, addresses=self._addresses)


def vip(number: int) -> str:
    """Returns the address of a virtual server."""
    return f"10.{number // 250}.4.{number % 250 + 1}"


def real_address(virtual: int, number: int) -> str:
    """Returns the address of one of its real servers."""
    return f"10.{100 + number % 100}.{virtual // 250 + number // 100}.{virtual % 250 + 1}"


def _conf(virtuals: int, reals: int) -> Conf:
    base = conf()
    blocks = tuple(
        ConfVirtualServer(
            at=base.virtual_servers[0].at,
            address=vip(number),
            port=80,
            scheduler="wlc",
            method=ForwardingMethod.DIRECT,
            service=f"default/service-{number}",
            real_servers=tuple(
                ConfRealServer(real_address(number, r), 80, base.virtual_servers[0].at, weight=1) for r in range(reals)
            ),
        )
        for number in range(virtuals)
    )
    return replace(base, virtual_servers=blocks)
