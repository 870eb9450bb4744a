"""The live node assembles a ``Snapshot``: every source with its state and age, no source required."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.backend.node.network_layer import AddressesLayer, AdvertsLayer, IpvsLayer
from kvtui.backend.node.processes_layer import ProcessesLayer
from kvtui.backend.node.vrrp_layer import VrrpLayer
from kvtui.model.snapshot import Node as NodeName
from kvtui.model.snapshot import Snapshot
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.keepalived import Keepalived


class Layers:
    """Everything that belongs to one keepalived, or to kvtui's own network namespace when there is none.

    Args:
        keepalived: whose namespaces, config and dumps.
        signals: whether keepalived may be asked for dumps.
        changed: called when something is worth a new snapshot at once.
    """

    def __init__(self, keepalived: Keepalived | None, *, signals: bool, changed: Callable[[], None]) -> None:
        pid = keepalived.pid if keepalived and keepalived.netns is not None else None
        self._changed = changed
        self.news = True
        """Something changed since keepalived was asked last."""
        self.conf = ConfLayer(keepalived)
        self.vrrp = VrrpLayer(keepalived, signals=signals, changed=changed)
        self.addresses = AddressesLayer(pid, self._event)
        self.adverts = AdvertsLayer(pid, self._event)
        self.ipvs = IpvsLayer(pid)

    def _event(self) -> None:
        self.news = True
        self._changed()

    async def start(self) -> None:
        """Open the sockets."""
        await self.addresses.start()
        await self.adverts.start()

    async def close(self) -> None:
        """Close everything."""
        await self.vrrp.close()
        self.addresses.close()
        self.adverts.close()
        self.ipvs.close()


class Node:
    """A ``SnapshotSource`` over the machine kvtui runs on.

    Args:
        pid: which keepalived; None for the one in kvtui's own network namespace.
        read_only: forbids every write. Signals that ask for a dump count as one.
    """

    def __init__(self, *, pid: int | None = None, read_only: bool = False) -> None:
        self._processes = ProcessesLayer(pid)
        self._read_only = read_only
        self._changed: Callable[[], None] = lambda: None
        self._layers: Layers | None = None
        self._of: tuple[int, int | None] | None = None

    async def start(self, changed: Callable[[], None]) -> None:
        """Find keepalived and open its namespaces' sockets.

        Raises:
            LookupError: ``--pid`` names no keepalived.
        """
        self._changed = changed
        await self._attach(time.time())

    async def _attach(self, now: float) -> Layers:
        """The layers of the keepalived that runs now; new ones when it is another than before."""
        await asyncio.to_thread(self._processes.read, now)
        chosen = self._processes.chosen
        identity = (chosen.pid, chosen.netns) if chosen else (0, None)
        if self._layers is not None and identity == self._of:
            return self._layers
        if self._layers is not None:
            await self._layers.close()
        self._layers = Layers(chosen, signals=not self._read_only, changed=self._changed)
        self._of = identity
        await self._layers.start()
        return self._layers

    async def settle(self, patience: float) -> None:
        """Wait for keepalived's dump and for an advert of each of its VRIDs, at most ``patience`` seconds."""
        started = time.monotonic()
        snapshot = await self.read()
        layers = self._layers
        if layers is None or not snapshot.keepalived:
            return
        await layers.vrrp.settle()
        conf = layers.conf.running or layers.conf.file
        instances = layers.vrrp.dump.instances if layers.vrrp.dump else (conf.instances if conf else ())
        vrids = frozenset(i.vrid for i in instances if i.vrid is not None)
        await layers.adverts.settle(vrids, max(0.0, patience - (time.monotonic() - started)))

    async def read(self) -> Snapshot:
        """The node now. Slow answers (dumps) come with a later snapshot."""
        now = time.time()
        layers = await self._attach(now)
        reloaded = await asyncio.to_thread(self._read_blocking, layers, now)
        layers.vrrp.ask(now, urgent=layers.news or reloaded)
        layers.news = False
        return self._snapshot(layers)

    @staticmethod
    def _read_blocking(layers: Layers, now: float) -> bool:
        layers.ipvs.read()
        return layers.conf.read(now)

    def _snapshot(self, layers: Layers) -> Snapshot:
        now = time.time()
        dump = layers.vrrp.dump
        chosen = self._processes.chosen
        return Snapshot(
            time=now,
            node=NodeName(os.environ.get("NODE_NAME") or os.uname().nodename, self._read_only),
            sources=(
                self._processes.source(),
                layers.conf.source(),
                layers.vrrp.source(),
                layers.ipvs.source(),
                layers.addresses.source(now),
                layers.adverts.source(now),
                Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "not read by this version of kvtui"),
            ),
            keepalived=self._processes.found,
            chosen=chosen.pid if chosen else None,
            conf=layers.conf.file,
            running=layers.conf.running,
            instances=dump.instances if dump else None,
            checks=dump.checks if dump else None,
            ipvs=layers.ipvs.table,
            addresses=layers.addresses.table(),
            advertisers=layers.adverts.advertisers(),
            transitions=layers.adverts.transitions(),
        )

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """See ``SnapshotSource.connections``."""
        layers = self._layers or await self._attach(time.time())
        return await layers.ipvs.connections(service, real, limit)

    async def close(self) -> None:
        """Close every socket."""
        if self._layers is not None:
            await self._layers.close()
            self._layers = None
