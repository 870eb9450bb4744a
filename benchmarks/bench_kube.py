# ruff: noqa: INP001, T201 - a script that prints its table
"""What watching a large cluster costs: 2,000 Services, 20,000 endpoints and pods, 500 mappings, 10 changes a second.

    python -m benchmarks.bench_kube [--services 2000] [--mappings 500] [--seconds 30] [--namespaces 20]

The API is the pretended one (tests/kube), in a process of its own; what is measured is this process alone: the layer as
the node has it, a snapshot of it at every change, as the observer takes one. Pods carry 3 KB that are not needed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kvtui.backend.kube.places import ServiceAccount
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Coroutine

ENDPOINTS = 10
"""Of each Service."""
RATE = 10.0
"""Changes a second."""


def serve(services: int, mappings: int, namespaces: int) -> None:
    """The API: prints its URL; at each line on standard input, makes one change in a mapped Service's slice."""
    from tests.kube import objects  # noqa: PLC0415 - the other process does without aiohttp
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
        for _ in sys.stdin:
            cluster.put(slice_of(random.randrange(mappings), random.randrange(ENDPOINTS)))  # noqa: S311


def _ip(service: int, endpoint: int) -> str:
    return f"10.{100 + endpoint}.{service // 250}.{service % 250}"


def resident() -> float:
    """MB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


async def pieces(found: list[float]) -> None:
    """CPU seconds that the event loop, which also draws, was kept from its next turn at a stretch.

    CPU and not wall time: what other processes take from this machine is not this one's fault.
    """
    while True:
        before = time.thread_time()
        await asyncio.sleep(0)
        found[0] = max(found[0], time.thread_time() - before)


async def watch(url: str, pipe: IO[bytes], seconds: float) -> None:
    """List, then watch; print what it cost."""
    print(f"process before: {resident():.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "token").write_text("t")
        (Path(folder) / "ca.crt").write_text("")
        place = ServiceAccount(url, folder)
        layer, changed = _layer(place)
        longest = await _with_pieces(_first_lists(layer))
        await layer.close()
        layer, changed = _layer(place)
        cpu, began = time.process_time(), time.perf_counter()
        await _first_lists(layer)
        print(f"first lists: {time.perf_counter() - began:.1f} s, {time.process_time() - cpu:.1f} s of CPU", end=", ")
        print(f"longest piece {longest:.0f} ms; process {resident():.0f} MB")
        taken: list[float] = []
        taker = asyncio.create_task(_take_snapshots(layer, changed, taken))
        await asyncio.sleep(2)
        taken.clear()
        cpu, began = time.process_time(), time.perf_counter()
        await _change(pipe, seconds)
        cpu, passed = time.process_time() - cpu, time.perf_counter() - began
        print(
            f"{RATE:g} changes/s, {passed:.0f} s: {100 * cpu / passed:.2f} % of a core, {len(taken)} snapshots",
            end="; ",
        )
        longest = await _with_pieces(_change(pipe, 5))
        print(f"longest piece {longest:.0f} ms; process {resident():.0f} MB")
        cpu, began = time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds / 2)
        passed = time.perf_counter() - began
        print(f"nothing happens, {passed:.0f} s: {100 * (time.process_time() - cpu) / passed:.2f} % of a core")
        taker.cancel()
        await layer.close()


def _layer(place: ServiceAccount) -> tuple[KubeLayer, asyncio.Event]:
    changed = asyncio.Event()
    return KubeLayer(KubeSettings(configmap="default/vip-configmap"), changed.set, environ={}, place=place), changed


async def _first_lists(layer: KubeLayer) -> None:
    layer.start()
    await layer.settle(600)


async def _with_pieces(work: Coroutine[None, None, None]) -> float:
    """Do it; the longest piece in ms."""
    found = [0.0]
    ticker = asyncio.create_task(pieces(found))
    await work
    ticker.cancel()
    return found[0] * 1000


async def _change(pipe: IO[bytes], seconds: float) -> None:
    began = time.perf_counter()
    for number in range(round(seconds * RATE)):
        pipe.write(b"\n")
        pipe.flush()
        await asyncio.sleep(max(0.0, began + (number + 1) / RATE - time.perf_counter()))


async def _take_snapshots(layer: KubeLayer, changed: asyncio.Event, taken: list[float]) -> None:
    while True:
        await changed.wait()
        changed.clear()
        kube = layer.kube(time.time())
        if kube is None or any(s.state is not SourceState.OK for s in kube.resources):
            sys.exit(f"not all is read: {kube.resources if kube else None}")
        taken.append(time.time())
        await asyncio.sleep(0.05)


def main() -> None:
    """Start the API beside, watch it, print."""
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
