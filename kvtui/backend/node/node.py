"""The live node: assembles a ``Snapshot`` from all sources, none of which is required."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.connect import connect
from kvtui.backend.linux.host import HostLayer
from kvtui.backend.node.daemon import DaemonLayers
from kvtui.backend.node.guard import DEADLINE, SourceGuard, run_in_thread, run_jobs
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.backend.node.network import NetworkLayers, addresses_source
from kvtui.backend.node.processes_layer import ProcessesLayer
from kvtui.backend.node.vrrp_layer import contradicts, disputes
from kvtui.model.log import LogTail
from kvtui.model.settings import KubeSettings
from kvtui.model.snapshot import Node as NodeName
from kvtui.model.snapshot import Snapshot
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.backend.keepalived.dumps.requester import Dump
    from kvtui.backend.node.guard import Job
    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.kube import Kube

_LOG = logging.getLogger(__name__)

API_TIMEOUT = 4.0  # seconds that a single reading waits for the Kubernetes API
PRINT_DEADLINE = 5.0
"""Seconds for each source where no screen waits for it: a printed document should be complete."""
VIEW_TIMEOUT = 5.0  # seconds for what a view asks for: connections, the log
CLOCK_STEP = 1.0
"""Seconds by which the clock must have been set for everything to be read anew: it dates all events."""


class Layers(Struct):
    network: NetworkLayers
    daemon: DaemonLayers


class Node:
    """A ``SnapshotSource`` over the machine kvtui runs on.

    Args:
        pid: of the keepalived; None for the one in kvtui's own network namespace.
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
        self._processes = ProcessesLayer(pid)
        self._read_only = read_only
        self._changed: Callable[[], None] = lambda: None
        self._daemon = partial(
            DaemonLayers, signals=signals and not read_only, changed=self._notify, state_folder=state_folder
        )
        self._layers: Layers | None = None
        self._at_once = at_once
        self._state_folder = state_folder
        self._host = HostLayer(state_folder)
        self._host_guard = SourceGuard("the host", state_folder)
        self._processes_guard = SourceGuard("the list of processes", state_folder)
        self._finding: Job = (self._processes_guard, self._processes.read)
        self._kube_guard = SourceGuard("the Kubernetes API", state_folder)
        self._kube = KubeLayer(kube or KubeSettings(), self._notify, report=self._kube_guard.report)
        self._view_guard = SourceGuard("what this view shows", state_folder)
        self._deadline = DEADLINE if at_once else PRINT_DEADLINE
        self._clock_offset: float | None = None
        self._compared: Dump | None = None
        self._watched: frozenset[ServiceKey] | None = None

    async def start(self, changed: Callable[[], None]) -> None:
        """Raises KeepalivedNotFoundError: ``--pid`` names no keepalived."""
        self._changed = changed
        await self._attach()
        if self._processes.not_found is not None:
            raise self._processes.not_found
        self._kube.notice(self._processes.found, self._processes.chosen)
        self._kube.start()

    async def _attach(self) -> Layers:
        """Finds keepalived; what was read of another process, or before the clock was set, is dropped."""
        was_set = self._clock_was_set()
        await run_jobs([self._finding], self._deadline)
        return await self._current(was_set=was_set)

    async def _current(self, *, was_set: bool) -> Layers:
        chosen, layers = self._processes.chosen, self._layers
        if was_set and layers is not None:
            _LOG.info("the clock was set: everything is read again")
            await layers.daemon.vrrp.close()
            await layers.network.close()
            layers = None
        if layers is None:
            _LOG.info("keepalived: %s", _described(chosen))
            layers = Layers(await self._open(chosen), self._daemon(chosen))
        elif not layers.daemon.is_of(chosen):
            _LOG.info("keepalived is another: %s", _described(chosen))
            await self._replace(layers, chosen)
        self._layers = layers
        return layers

    async def _replace(self, layers: Layers, chosen: Keepalived | None) -> None:
        before, layers.daemon = layers.daemon, self._daemon(chosen, before=layers.daemon)
        layers.network.dirty = True
        if before.vrrp is not layers.daemon.vrrp:
            await before.vrrp.close()
        # another network namespace than kvtui's is entered by the process's PID
        if chosen is not None and layers.network.identity != (chosen.identity if chosen.own_netns is False else None):
            await layers.network.close()
            layers.network = await self._open(chosen)

    def _clock_was_set(self) -> bool:
        before, self._clock_offset = self._clock_offset, time.time() - time.monotonic()
        was_set = before is not None and abs(self._clock_offset - before) >= CLOCK_STEP
        if was_set:
            self._processes.expire()
        return was_set

    def _notify(self) -> None:
        self._changed()

    async def _open(self, chosen: Keepalived | None) -> NetworkLayers:
        of = chosen if chosen and chosen.own_netns is False else None
        network = NetworkLayers(of, self._changed, at_once=self._at_once, state_folder=self._state_folder)
        self._at_once = False
        await network.start()
        return network

    async def settle(self, timeout: float) -> None:
        """Waits for keepalived's dump and an advert of each of its VRIDs, at most ``timeout`` seconds.

        If an API is configured, waits up to ``API_TIMEOUT`` seconds for its first lists too: reading a kubeconfig alone
        takes half a second. An API that refuses ends the wait.
        """
        waits = [self._kube.settle(max(timeout, API_TIMEOUT))]
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
        """Reads the node. What misses its deadline (``node.guard``), and dumps, come with a later snapshot."""
        was_set, layers, dirty = self._clock_was_set(), self._layers, False
        if layers is None or was_set:
            await run_jobs([self._finding], self._deadline)
        else:
            dirty = await self._read_sources(layers, self._finding)
        if layers is None or was_set or not layers.daemon.is_of(self._processes.chosen):
            layers = await self._current(was_set=was_set)
            dirty = await self._read_sources(layers)
        network, daemon = layers.network, layers.daemon
        reloaded, daemon.conf.reloaded = daemon.conf.reloaded, False
        moved = network.ipvs.take_moved()
        if moved or self._compared is not daemon.vrrp.dump:
            self._compared = daemon.vrrp.dump
            daemon.vrrp.is_contradicted = contradicts(daemon.vrrp.dump, network.ipvs.table)
        daemon.vrrp.is_disputed = disputes(daemon.vrrp.dump, network.adverts.advertisers() or (), time.time())
        daemon.vrrp.request(urgent=dirty or reloaded, full=reloaded or moved)
        self._kube.notice(self._processes.found, self._processes.chosen)
        return self._snapshot(layers)

    async def _read_sources(self, layers: Layers, *first: Job) -> bool:
        """Reads all sources; after ``first``, and in its thread, unless that finds another keepalived.

        Returns whether something changed since the last request for a dump.
        """
        network, daemon = layers.network, layers.daemon
        await network.ready()
        dirty, network.dirty = network.dirty, False  # before reading: what changes meanwhile counts for the next one
        now, links = time.time(), network.addresses.table()
        jobs: tuple[Job, ...] = (
            (self._host_guard, lambda: self._host.read(now)),
            (daemon.conf_guard, lambda: daemon.read(now)),
            (network.ipvs_guard, lambda: network.ipvs.read(self._watched, urgent=dirty or daemon.conf.reloaded)),
            (network.sysctls_guard, lambda: network.sysctls.read(time.monotonic(), links)),
        )

        def unless_replaced(read: Callable[[], None]) -> Callable[[], None]:
            return lambda: read() if daemon.is_of(self._processes.chosen) else None

        await run_jobs([*first, *((guard, unless_replaced(read)) for guard, read in jobs)], self._deadline)
        return dirty

    def _snapshot(self, layers: Layers) -> Snapshot:
        now = time.time()
        network, daemon = layers.network, layers.daemon
        dump = daemon.vrrp.dump
        chosen = self._processes.chosen
        unknown = (None, Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE))
        cluster, cluster_source = self._kube_guard.call(lambda: self._cluster(now)) or unknown
        return Snapshot(
            time=now,
            node=NodeName(os.environ.get("NODE_NAME") or os.uname().nodename, self._read_only),
            sources=(
                self._processes_guard.checked(self._processes.source()),
                daemon.conf_guard.checked(daemon.conf.source()),
                daemon.vrrp.guard.checked(daemon.vrrp.source()),
                network.ipvs_guard.checked(network.ipvs.source()),
                addresses_source(network.addresses),
                network.adverts.source(now),
                self._kube_guard.checked(cluster_source),
                self._host_guard.checked(self._host.source()),
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
        found = self._kube.kube(now)
        return found, self._kube.source(found)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        reader = (self._layers or await self._attach()).network.ipvs.reader
        try:
            return await run_in_thread(lambda: reader.connections(limit, service, real), VIEW_TIMEOUT)
        except OSError:
            raise
        except Exception as error:
            raise OSError(None, self._view_guard.report(error)) from error

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        return await connect(address, port, timeout)

    async def log(self) -> LogTail:
        layers = self._layers or await self._attach()
        try:
            return await run_in_thread(layers.daemon.read_log, VIEW_TIMEOUT)
        except OSError as error:
            return LogTail(error=error.strerror or str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one source must not end the others
            return LogTail(error=self._view_guard.report(error))

    async def close(self) -> None:
        await self._kube.close()
        if self._layers is not None:
            await self._layers.daemon.vrrp.close()
            await self._layers.network.close()
            self._layers = None


def _described(keepalived: Keepalived | None) -> str:
    return f"PID {keepalived.pid}, {keepalived.version}, {keepalived.conf}" if keepalived else "none"
