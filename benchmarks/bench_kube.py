# ruff: noqa: INP001, T201 - a script that prints its table
"""The cost of watching a large cluster: 2,000 Services, 20,000 endpoints and pods, 500 mappings, 10 changes a second.

    python -m benchmarks.bench_kube [--services 2000] [--mappings 500] [--seconds 30] [--namespaces 20]

The API is a fake one (tests/kube), in a process of its own. Measured are this process (the layer as the node has
it, a snapshot of it at every change, as the observer takes one) and the process that speaks to the API, each figure
beside its budget. Pods carry 3 KB that are not needed. ``--services 1 --mappings 1`` is the tutorial's size.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kvtui.backend.kube.discovery import Kubeconfig
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Coroutine

ENDPOINTS = 10
"""Endpoints of each Service."""
RATE = 10.0
"""Changes a second."""


def serve(services: int, mappings: int, namespaces: int) -> None:
    """Runs the API: prints its URL; for each line on standard input, makes one change in a mapped Service's slice."""
    from tests.kube import objects  # noqa: PLC0415 - the other process does not need aiohttp
    from tests.kube.cluster import FakeCluster  # noqa: PLC0415

    names = [(f"ns{i % namespaces}", f"svc{i}") for i in range(services)]

    def slice_of(number: int, unready: int | None = None) -> objects.Object:
        ns, name = names[number]
        found = [
            objects.endpoint(_ip(number, e), f"{name}-{e}", namespace=ns, node=f"node{e}", ready=e != unready)
            for e in range(ENDPOINTS)
        ]
        return objects.endpointslice(name, *found, namespace=ns)

    with FakeCluster() as cluster:
        mapped = {f"10.200.{i // 250}.{i % 250}": f"{ns}/{name}" for i, (ns, name) in enumerate(names[:mappings])}
        cluster.put(objects.configmap(mapped), *(objects.node(f"node{i}", f"10.0.0.{i}") for i in range(100)))
        for number, (ns, name) in enumerate(names):
            cluster.put(objects.service(name, ns), slice_of(number))
            for e in range(ENDPOINTS):
                pod = objects.pod(f"{name}-{e}", ns, labels={"app": name}, ip=_ip(number, e), node=f"node{e}")
                pod["metadata"]["managedFields"] = [{"fieldsV1": "x" * 3000}]
                cluster.put(pod)
        print(cluster.url, flush=True)
        for number, _ in enumerate(sys.stdin):  # a ready endpoint becomes unready
            cluster.put(slice_of(random.randrange(mappings), number % ENDPOINTS))  # noqa: S311


def _ip(service: int, endpoint: int) -> str:
    return f"10.{100 + endpoint}.{service // 250}.{service % 250}"


class Meter:
    """CPU time and resident memory of this process and of the one that speaks to the API.

    Args:
        layer: started.
    """

    def __init__(self, layer: KubeLayer) -> None:
        self._layer = layer
        self.reset()

    def reset(self) -> None:
        """Restarts the measurement."""
        self._began, self._cpu = time.perf_counter(), self._all_cpu()

    def _all_cpu(self) -> float:
        return time.process_time() + (cpu_seconds(self._layer.pid) if self._layer.pid else 0.0)

    @property
    def passed(self) -> float:
        """Returns the seconds since the start."""
        return time.perf_counter() - self._began

    @property
    def cpu(self) -> float:
        """Returns the seconds of CPU of both processes together."""
        return self._all_cpu() - self._cpu

    @property
    def share(self) -> str:
        """Returns the CPU as a share of one core."""
        return f"{100 * self.cpu / self.passed:.1f} % of a core together"

    @property
    def memory(self) -> str:
        """Returns the memory of each process."""
        api = resident(self._layer.pid) if self._layer.pid else 0.0
        return f"this process {resident('self'):.0f} MB, the API's {api:.0f} MB (at most 60)"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int | str = "self") -> float:
    """Returns the resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def pieces(found: list[float]) -> None:
    """Measures the longest CPU time between two turns of the event loop, which also draws.

    CPU and not wall time, so that other processes of this machine do not count.
    """
    while True:
        before = time.thread_time()
        await asyncio.sleep(0)
        found[0] = max(found[0], time.thread_time() - before)


async def watch(url: str, pipe: IO[bytes], seconds: float) -> None:
    """Lists, then watches; prints the cost."""
    print(f"this process before: {resident('self'):.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        layer, changed = _layer(kubeconfig(url, folder))
        meter = Meter(layer)
        longest = await _with_pieces(_first_lists(layer))
        print(
            f"k8s ok {meter.passed:.2f} s after the start (at most 2), {meter.cpu:.2f} s of CPU; longest piece of the "
            f"event loop {longest:.0f} ms; {meter.memory}"
        )
        taken: list[float] = []
        taker = asyncio.create_task(_take_snapshots(layer, changed, taken))
        await asyncio.sleep(2)
        delays = [await _one_edit(pipe, changed) for _ in range(10)]
        print(f"an edit is known {1000 * max(delays):.0f} ms after it was asked for, at most (1000 on screen)")
        taken.clear()
        meter.reset()
        await _change(pipe, seconds)
        print(f"{RATE:g} changes/s, {meter.passed:.0f} s: {meter.share} (at most 10), {len(taken)} snapshots", end="; ")
        longest = await _with_pieces(_change(pipe, 5))
        print(f"longest piece {longest:.0f} ms; {meter.memory}")
        meter.reset()
        await asyncio.sleep(seconds / 2)
        print(f"nothing happens, {meter.passed:.0f} s: {meter.share}")
        taker.cancel()
        await layer.close()


def kubeconfig(url: str, folder: str) -> Kubeconfig:
    """Returns a kubeconfig of the fake API, as JSON."""
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = Path(folder, "kubeconfig")
    path.write_text(json.dumps(config))
    return Kubeconfig(str(path), None)


def _layer(place: Kubeconfig) -> tuple[KubeLayer, asyncio.Event]:
    changed = asyncio.Event()
    return KubeLayer(KubeSettings(configmap="default/vip-configmap"), changed.set, environ={}, place=place), changed


async def _first_lists(layer: KubeLayer) -> None:
    layer.start()
    await layer.settle(600)


async def _with_pieces(work: Coroutine[None, None, None]) -> float:
    """Runs the work; returns the longest piece in ms."""
    found = [0.0]
    ticker = asyncio.create_task(pieces(found))
    await work
    ticker.cancel()
    return found[0] * 1000


async def _one_edit(pipe: IO[bytes], changed: asyncio.Event) -> float:
    """Returns the seconds until kvtui has a change."""
    await asyncio.sleep(0.5)
    changed.clear()
    began = time.perf_counter()
    pipe.write(b"\n")
    pipe.flush()
    await changed.wait()
    return time.perf_counter() - began


async def _change(pipe: IO[bytes], seconds: float) -> None:
    began = time.perf_counter()
    for number in range(round(seconds * RATE)):
        pipe.write(b"\n")
        pipe.flush()
        await asyncio.sleep(max(0.0, began + (number + 1) / RATE - time.perf_counter()))


async def _take_snapshots(layer: KubeLayer, changed: asyncio.Event, taken: list[float]) -> None:
    while True:
        await changed.wait()
        kube = layer.kube(time.time())
        if kube is None or any(s.state is not SourceState.OK for s in kube.resources):
            sys.exit(f"not all is read: {kube.resources if kube else None}")
        taken.append(time.time())
        await asyncio.sleep(0.05)
        changed.clear()


def main() -> None:
    """Starts the API in another process, watches it, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--mappings", type=int, default=500)
    parser.add_argument("--namespaces", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.services, options.mappings, options.namespaces)
        return
    command = [sys.executable, "-m", "benchmarks.bench_kube", "--serve", *sys.argv[1:]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as api:
        if api.stdin is None or api.stdout is None:
            sys.exit("no pipes")
        url = api.stdout.readline().decode().strip()
        asyncio.run(watch(url, api.stdin, options.seconds))
        api.stdin.close()


if __name__ == "__main__":
    main()
