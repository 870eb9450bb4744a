"""The live node: assembles a ``Snapshot`` from all sources, none of which is required."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.connect import connect
from kvtui.backend.linux.host import HostLayer
from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.backend.node.network_layer import AddressesLayer, AdvertsLayer, IpvsLayer
from kvtui.backend.node.processes_layer import ProcessesLayer
from kvtui.backend.node.sysctls_layer import SysctlsLayer
from kvtui.backend.node.vrrp_layer import VrrpLayer
from kvtui.model.log import LogTail
from kvtui.model.settings import KubeSettings
from kvtui.model.snapshot import Node as NodeName
from kvtui.model.snapshot import Snapshot
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.backend.keepalived.log import LogReader
    from kvtui.model.addresses import AddressTable
    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.kube import Kube

_LOG = logging.getLogger(__name__)

API_TIMEOUT = 4.0
"""Seconds that a single reading waits for the Kubernetes API."""
ADDRESSES_TIMEOUT = 5.0
"""Seconds that the first reading waits for addresses: the import of pyroute2 is slow, the kernel is not."""
IMPORT_DELAY = 0.2
"""Seconds until pyroute2 is imported, when the first frame shows no addresses."""


class Network:
    """The layers of one network namespace, which stay when keepalived restarts."""

    def __init__(self, pid: int | None, changed: Callable[[], None], *, at_once: bool) -> None:
        self._changed = changed
        self._at_once = at_once
        self.dirty = True
        """Something changed since the last request for a dump."""
        self._closed = False
        self.addresses = AddressesLayer(pid, self._event)
        self.adverts = AdvertsLayer(pid, self._event, self.addresses)
        self.ipvs = IpvsLayer(pid)
        self.sysctls = SysctlsLayer(pid)

    def _event(self) -> None:
        self.dirty = True
        self._changed()

    async def start(self) -> None:
        if self._at_once:
            asyncio.get_running_loop().call_later(IMPORT_DELAY, self._start_addresses)
        else:
            self.addresses.start()
        await self.adverts.start()

    def _start_addresses(self) -> None:
        if not self._closed:
            self.addresses.start()

    async def ready(self) -> None:
        """Waits until the first reading of addresses succeeded or failed, unless ``at_once``."""
        if not self._at_once:
            with suppress(TimeoutError):
                async with asyncio.timeout(ADDRESSES_TIMEOUT):
                    await self.addresses.ready()

    async def close(self) -> None:
        self._closed = True
        await self.addresses.close()
        self.adverts.close()
        self.ipvs.close()


class Daemon:
    """The layers of one keepalived process: its config, dumps and log."""

    def __init__(self, keepalived: Keepalived | None, *, signals: bool, changed: Callable[[], None]) -> None:
        self.conf = ConfLayer(keepalived)
        self.vrrp = VrrpLayer(keepalived, signals=signals, changed=changed, read_log=lambda: self.log(keepalived))
        self._log: LogReader | None = None

    def log(self, chosen: Keepalived | None) -> LogTail:
        """Returns the end of its log, which stays after the process ended. Blocks."""
        from kvtui.backend.keepalived.log import LogReader  # noqa: PLC0415 - only the log's view needs it

        if self._log is None and chosen is not None:
            self._log = LogReader(chosen)
        return self._log.read() if self._log else LogTail(error="no keepalived runs here")

    def mark_gone(self) -> None:
        self.conf.mark_gone()
        self.vrrp.mark_gone()


class Layers(Struct):
    network: Network
    daemon: Daemon
    of: Keepalived | None


class Node:
    """A ``SnapshotSource`` over the machine kvtui runs on.

    Args:
        pid: which keepalived; None for the one in kvtui's own network namespace.
        read_only: forbids every write; a signal for a dump counts as one.
        signals: whether kvtui may request dumps; without, it reads existing dumps only.
        kube: where the Kubernetes API is; None: as configured here. kvtui only reads from it.
        state_folder: of the journal; its disk is watched.
        at_once: the first reading has no addresses, so that the first frame need not wait.
    """

    def __init__(
        self,
        *,
        pid: int | None = None,
        read_only: bool = False,
        signals: bool = True,
        kube: KubeSettings | None = None,
        at_once: bool = False,
        state_folder: Path | None = None,
    ) -> None:
        self._kube_settings = kube or KubeSettings()
        self._kube: KubeLayer | None = None
        self._processes = ProcessesLayer(pid)
        self._read_only = read_only
        self._signals = signals and not read_only
        self._changed: Callable[[], None] = lambda: None
        self._layers: Layers | None = None
        self._at_once = at_once
        self._host = HostLayer(state_folder)
        self._watched: frozenset[ServiceKey] | None = None

    async def start(self, changed: Callable[[], None]) -> None:
        """Finds keepalived and opens the sockets in its namespaces.

        Raises:
            LookupError: ``--pid`` names no keepalived.
        """
        self._changed = changed
        await self._attach(time.time())
        self._kube = KubeLayer(self._kube_settings, changed)
        self._kube.notice(self._processes.found, self._processes.chosen)
        self._kube.start()

    async def _attach(self, now: float) -> Layers:
        hurry = self._layers is not None and self._layers.network.dirty
        await asyncio.to_thread(self._processes.read, now, hurry=hurry)
        chosen, layers = self._processes.chosen, self._layers
        if layers is None:
            _LOG.info("keepalived: %s", f"PID {chosen.pid}, {chosen.version}, {chosen.conf}" if chosen else "none")
            layers = self._layers = Layers(await self._open(chosen), self._daemon(chosen), chosen)
        elif chosen is None and layers.of is not None:
            _LOG.info("keepalived is gone: PID %d", layers.of.pid)
            layers.daemon.mark_gone()
            layers.of, layers.network.dirty = None, True
        elif chosen is not None and (layers.of is None or layers.of.pid != chosen.pid):
            _LOG.info("another keepalived: PID %d, %s, %s", chosen.pid, chosen.version, chosen.conf)
            await layers.daemon.vrrp.close()
            layers.daemon, layers.of, layers.network.dirty = self._daemon(chosen), chosen, True
            if chosen.own_netns is False:  # its namespace is entered by its PID, which changed
                await layers.network.close()
                layers.network = await self._open(chosen)
        return layers

    def _daemon(self, chosen: Keepalived | None) -> Daemon:
        return Daemon(chosen, signals=self._signals, changed=self._changed)

    async def _open(self, chosen: Keepalived | None) -> Network:
        pid = chosen.pid if chosen and chosen.own_netns is False else None
        network = Network(pid, self._changed, at_once=self._at_once)
        self._at_once = False
        await network.start()
        return network

    async def settle(self, timeout: float) -> None:
        """Waits for keepalived's dump and an advert of each of its VRIDs, at most ``timeout`` seconds.

        If an API is configured, waits up to ``API_TIMEOUT`` seconds for its first lists too: reading a kubeconfig alone
        takes half a second. An API that refuses ends the wait.
        """
        kube = self._kube
        waits = [kube.settle(max(timeout, API_TIMEOUT))] if kube else []
        if timeout > 0:
            waits.append(self._settle_node(timeout))
        await asyncio.gather(*waits)

    async def _settle_node(self, timeout: float) -> None:
        started = time.monotonic()
        snapshot = await self.read()
        layers = self._layers
        if layers is None or not snapshot.keepalived:
            return
        await layers.daemon.vrrp.settle()
        dump = layers.daemon.vrrp.dump
        conf = layers.daemon.conf.running or layers.daemon.conf.file
        instances = dump.instances if dump else (conf.instances if conf else ())
        vrids = frozenset(i.vrid for i in instances if i.vrid is not None)
        await layers.network.adverts.settle(vrids, max(0.0, timeout - (time.monotonic() - started)))

    def look_at(self, services: frozenset[ServiceKey]) -> None:
        self._watched = services

    async def read(self) -> Snapshot:
        """Reads the node. Slow answers (dumps) come with a later snapshot."""
        now = time.time()
        layers = await self._attach(now)
        await layers.network.ready()
        layers.network.ipvs.watched = self._watched
        reloaded = await asyncio.to_thread(self._read_blocking, layers, now, layers.network.addresses.table())
        layers.daemon.vrrp.request(now, urgent=layers.network.dirty or reloaded, checks=layers.network.ipvs.moved)
        layers.network.dirty = False
        if self._kube is not None:
            self._kube.notice(self._processes.found, self._processes.chosen)
        return self._snapshot(layers)

    def _read_blocking(self, layers: Layers, now: float, links: AddressTable | None) -> bool:
        self._host.read(now)
        reloaded = layers.daemon.conf.read(now)
        layers.network.ipvs.read(urgent=layers.network.dirty or reloaded)
        layers.network.sysctls.read(time.monotonic(), links)
        return reloaded

    def _snapshot(self, layers: Layers) -> Snapshot:
        now = time.time()
        network, daemon = layers.network, layers.daemon
        dump = daemon.vrrp.dump
        chosen = self._processes.chosen
        cluster, cluster_source = self._cluster(now)
        return Snapshot(
            time=now,
            node=NodeName(os.environ.get("NODE_NAME") or os.uname().nodename, self._read_only),
            sources=(
                self._processes.source(),
                daemon.conf.source(),
                daemon.vrrp.source(),
                network.ipvs.source(),
                network.addresses.source(),
                network.adverts.source(now),
                cluster_source,
                self._host.source(),
            ),
            keepalived=self._processes.found,
            chosen=chosen.pid if chosen else None,
            conf=daemon.conf.file,
            running=daemon.conf.running,
            instances=dump.instances if dump else None,
            checks=dump.checks if dump else None,
            ipvs=network.ipvs.table,
            addresses=network.addresses.table(),
            advertisers=network.adverts.advertisers(),
            heard_since=network.adverts.heard_since(),
            transitions=network.adverts.transitions(),
            log=daemon.vrrp.log,
            kube=cluster,
            sysctls=network.sysctls.values,
            host=self._host.value,
        )

    def _cluster(self, now: float) -> tuple[Kube | None, Source]:
        if self._kube is None:
            return None, Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "not asked yet")
        found = self._kube.kube(now)
        return found, self._kube.source(found)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        layers = self._layers or await self._attach(time.time())
        return await layers.network.ipvs.connections(service, real, limit)

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        return await connect(address, port, timeout)

    async def log(self) -> LogTail:
        layers = self._layers or await self._attach(time.time())
        return await asyncio.to_thread(layers.daemon.log, self._processes.chosen)

    async def close(self) -> None:
        if self._kube is not None:
            await self._kube.close()
            self._kube = None
        if self._layers is not None:
            await self._layers.daemon.vrrp.close()
            await self._layers.network.close()
            self._layers = None
