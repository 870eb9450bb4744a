# ruff: noqa: INP001, T201, S101 - a script that prints its figures
"""100 nodes, every tenth of them dead: the time until the first full view, and the cost of following them.

    python -m benchmarks.bench_cluster [NODES]           # what the views cost
    python -m benchmarks.bench_cluster [NODES] --screen  # the terminal UI itself, on a pty

Each node is a process in place of ssh that prints a real report (the demo's status) each second; nine of ten are
``sh`` with ``cat`` and ``sleep``, the tenth hangs without output. CPU and memory are those of kvtui's own process. On
a busy machine the seconds mean nothing: run it under ``chrt -r 3``, or compare the CPU.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from benchmarks.line import KVTUI, Line
from kvtui.backend.demo.source import demo_snapshot
from kvtui.cli.output import Format, encode
from kvtui.cluster_observer import ClusterObserver
from kvtui.model.cluster import NodeState
from kvtui.model.settings import ClusterSettings
from kvtui.model.vrrp import VrrpState
from kvtui.presenters.cluster import NodeCells, detail_lines
from kvtui.presenters.documents import status
from kvtui.presenters.glyphs import UNICODE
from kvtui.rules.observe import observe

DEAD_EVERY = 10
SECONDS = 20
SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
[ -e {folder}/$2 ] || exec sleep 600
while :; do cat {folder}/$2; sleep 1; done
"""


def reports(folder: Path, names: list[str]) -> None:
    """Writes one report per node: one master, the others backups with their own addresses."""
    seen = observe(demo_snapshot(5.0, time.time()), None)
    for number, name in enumerate(names):
        instances = tuple(
            replace(i, address=f"10.4.1.{number}", state=i.state if number == 1 else VrrpState.BACKUP)
            for i in seen.vrrp_instances or ()
        )
        if number % DEAD_EVERY:
            text = encode(status(replace(seen, vrrp_instances=instances)), Format.JSON, stream=True)
            (folder / name).write_text(text)


async def follow(names: list[str], ssh: str) -> None:
    """Prints the figures."""
    observer = ClusterObserver(ClusterSettings(tuple(names), ssh=ssh))
    expected = sum(1 for number in range(len(names)) if number % DEAD_EVERY)
    began = time.monotonic()
    observer.start()
    while sum(n.state is NodeState.LIVE for n in observer.view().nodes) < expected:
        observer.changed.clear()
        await observer.changed.wait()
    print(f"first full view of {expected} live of {len(names)} nodes: {time.monotonic() - began:.2f} s")
    cpu, began = time.process_time(), time.monotonic()
    while time.monotonic() - began < SECONDS:
        view = observer.view()
        cells = NodeCells(view, UNICODE.dash, UNICODE.self_mark)
        drawn = [cells.cells(node) for node in view.nodes], detail_lines(view, UNICODE)
        assert len(drawn[0]) >= len(names)  # and a row for each node that is known only from its adverts
        await asyncio.sleep(1)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    live = sum(n.state is NodeState.LIVE for n in view.nodes)
    print(f"following them: {100 * share:.1f} % of a core, {live} live")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    await observer.close()


def screen(names: list[str], folder: Path) -> None:
    """Measures screen 6 on a pty: the time until every visible row has its node's state, and the cost after that."""
    config = folder / "kvtui.toml"
    config.write_text(f'[cluster]\nssh = "{folder}/ssh"\nhosts = {names}\n'.replace("'", '"'))
    with Line(KVTUI, {"KVTUI_CONFIG": str(config)}) as line:
        line.until("Cluster")
        print(f"first frame: {time.perf_counter() - line.began:.2f} s after the start, {line.cpu():.2f} s of CPU")
        line.type("6")
        began = time.perf_counter()
        while not is_full(line.rows()):
            line.wait(0.5)
        print(f"first full screen: {time.perf_counter() - began:.2f} s after the key, {line.cpu():.2f} s of CPU")
        while "90 live" not in " ".join(line.rows()) and time.perf_counter() - began < SECONDS:
            line.wait(0.5)
        print(*line.rows(), sep="\n")
        sent, cpu = line.during(SECONDS)
        print(f"following them: {100 * cpu / SECONDS:.1f} % of a core, {sent} bytes, {line.resident():.0f} MB")


def is_full(rows: list[str]) -> bool:
    """Returns whether each row has a state, except those of dead nodes."""
    nodes = [row for row in rows if "node-" in row and "live" in row]
    waiting = [row for row in rows if "node-" in row and "connecting" in row and "node-0 " not in row]
    return len(nodes) > 3 and not waiting


def main() -> None:
    """Runs it."""
    number = next((int(word) for word in sys.argv[1:] if word.isdigit()), 100)
    names = [f"node-{n}" for n in range(number)]
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        reports(folder, names)
        (folder / "ssh").write_text(SSH.format(folder=folder))
        (folder / "ssh").chmod(0o755)
        if "--screen" in sys.argv:
            screen(names, folder)
        else:
            asyncio.run(follow(names, str(folder / "ssh")))


if __name__ == "__main__":
    main()
