# ruff: noqa: INP001, T201 - a script that prints its progress
"""Rows 3, 4, 5 and 7 on the lab's cluster: start, CPU, keys, memory, an idle node; the delay until an event is drawn.

    python -m tests.lab.kernel --timeout 900 -- python -m benchmarks.bench_node [--only start idle large events]

The lab has one slow CPU, on which all three nodes and the traffic run too: only ratios mean anything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench_ipvs import rules
from benchmarks.figures import by_turns, report
from benchmarks.line import KVTUI, Line
from tests.lab.cluster import Cluster
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.node import Node

WATCH = ("watch", "-n1", "ipvsadm", "-Ln", "--stats")
READ_ALL = ("bash", "-c", "while :; do ipvsadm -Ln --stats >/dev/null; sleep 1; done")
STARTS = 7
KEYS = 60
PARTS = ("start", "idle", "large", "events")


def on(node: Node, argv: Sequence[str]) -> list[str]:
    """Returns the command in the node's network namespace."""
    return ["ip", "netns", "exec", node.netns, "env", f"NODE_NAME={node.name}", *argv]


def kvtui(node: Node, *arguments: str) -> Line:
    """Returns the command of the terminal UI on a node."""
    return Line(on(node, [*KVTUI, *arguments]), {"KVTUI_STATE_DIR": "/tmp/bench-state"})  # noqa: S108 - the lab's own


def start(node: Node) -> None:
    """Row 3: until the terminal shows VIP and state."""

    def textual() -> float:
        began = time.perf_counter()
        subprocess.run(on(node, [sys.executable, "-c", "import textual.app"]), check=True)
        return time.perf_counter() - began

    def frame() -> float:
        with kvtui(node) as line:
            line.until("10.4.0.50", "MASTER")
            return time.perf_counter() - line.began

    frame()
    ratio, took, base = by_turns(frame, textual, STARTS)
    detail = f"{took:.2f} s, import textual.app {base:.2f} s, medians of {STARTS}"
    report(3, "first useful frame, in the lab", ratio, 2.0, detail=detail)


def idle(node: Node, seconds: float, *, profiled: bool) -> None:
    """Row 7: a backup, VIPs screen."""
    with kvtui(node) as line:
        line.until("10.4.0.50")
        line.during(20)
        before = line.wakeups()
        _, cpu = line.during(seconds)
        wakeups = (line.wakeups() - before) / seconds
        report(7, "idle, in the lab: CPU", 100 * cpu / seconds, 1.2, unit="%", detail=f"{line.resident():.0f} MB")
        report(7, "idle, in the lab: wake-ups", wakeups, 5, unit="/s")
    if profiled:
        profile(node, "a backup, VIPs, idle", "1", seconds)


def busy(node: Node, argv: Sequence[str], seconds: float) -> float:
    """Returns the CPU seconds of a command in that time, after a warm-up."""
    with Line(on(node, argv)) as line:
        line.during(5)
        return line.during(seconds)[1]


def events(node: Node, samples: int) -> None:
    """Row 8: an address is added and removed; from the request to the kernel until the pty has it."""
    took: list[float] = []
    batch = subprocess.Popen(on(node, ["ip", "-force", "-batch", "-"]), stdin=subprocess.PIPE)
    if batch.stdin is None:
        sys.exit("no pipe")
    with kvtui(node) as line:
        line.until("VIPs 0/2 here")
        line.during(5)
        for number in range(samples):
            verb, seen = (("add", "VIPs 1/2 here"), ("del", "VIPs 0/2 here"))[number % 2]
            line.during(0.2 + number % 7 / 10)
            line.forget()
            began = time.perf_counter()
            batch.stdin.write(f"addr {verb} 10.4.0.50/32 dev eth0\n".encode())
            batch.stdin.flush()
            line.until(seen)
            took.append(1000 * (time.perf_counter() - began))
    batch.stdin.close()
    batch.wait()
    took.sort()
    p99 = took[min(len(took) - 1, round(0.99 * len(took)))]
    median = statistics.median(took)
    print(f"\nevent to pty, {len(took)} events: median {median:.0f} ms, p99 {p99:.0f} ms, longest {took[-1]:.0f} ms")


def profile(node: Node, name: str, keys: str, seconds: float) -> None:
    """Profiles the CPU time of a screen; the sampling itself also costs some."""
    with tempfile.NamedTemporaryFile() as file:
        argv = [sys.executable, "-m", "benchmarks.sampled", file.name, "20", f"{seconds:.0f}", "--no-kube"]
        with Line(on(node, argv), {"KVTUI_STATE_DIR": "/tmp/bench-state"}) as line:  # noqa: S108 - the lab's own
            line.until("10.4.0.50")
            line.type(keys)
            line.during(20 + seconds + 10)
        print(f"\nprofile: {name}\n{Path(file.name).read_text()}")


def large(node: Node, services: int, seconds: float, *, profiled: bool) -> None:
    """Rows 4 and 5: virtual servers with 10 real servers each, in addition to keepalived's own."""
    subprocess.run(on(node, ["ipvsadm", "-R"]), input=rules(services, 10), text=True, check=True)
    name = f"IPVS screen at 1 Hz, {services * 10:,} real servers"
    with kvtui(node) as line:
        line.until("10.4.0.50")
        line.type("3")
        line.during(30)
        size, cpu = line.during(seconds)
        keys = sorted(line.key_seconds("\x1b[B") for _ in range(KEYS))
        resident = line.resident()
    if services <= 1000:
        detail = f"{100 * cpu / seconds:.1f} % of a core, {size / seconds:.0f} B/s, {resident:.0f} MB"
        for what, argv, limit in (("reading all of it once a second", READ_ALL, 0.1), ("watch -n1", WATCH, 1.0)):
            theirs = busy(node, argv, seconds)
            report(4, f"{name}: CPU, × {what}", cpu / theirs, limit, detail=f"{detail}; {100 * theirs / seconds:.1f} %")
    else:
        p99 = 1000 * keys[round(0.99 * (len(keys) - 1))]
        median_ms = 1000 * statistics.median(keys)
        report(5, f"{name}, in the lab: key → frame, p99", p99, None, unit="ms", detail=f"median {median_ms:.0f} ms")
        report(
            5, f"{name}, in the lab: memory", resident, 250, unit="MB", detail=f"{100 * cpu / seconds:.1f} % of a core"
        )
    if profiled:
        profile(node, name, "3", seconds)
    subprocess.run(on(node, ["ipvsadm", "-C"]), check=True)


def main() -> None:
    """Starts the cluster, measures, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--profile", action="store_true", help="also where kvtui's CPU goes (benchmarks.sampled)")
    options = parser.parse_args()
    os.environ.setdefault("LANG", "C.UTF-8")
    with Cluster(ClusterSpec(advert_int=1)) as cluster:
        master = cluster.master()
        backup = next(node for node in cluster.nodes if node is not master)
        if "start" in options.only:
            start(master)
        if "events" in options.only:
            events(backup, options.samples)
        if "idle" in options.only:
            idle(backup, options.seconds, profiled=options.profile)
        if "large" in options.only:
            large(backup, 1000, options.seconds, profiled=options.profile)
            large(backup, 5000, options.seconds, profiled=options.profile)


if __name__ == "__main__":
    main()
