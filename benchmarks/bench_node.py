# ruff: noqa: INP001, T201 - a script that prints its table
"""kvtui on the lab's cluster: start, CPU, bytes on the wire, latency of events, memory; then with 10,000 real servers.

    python -m tests.lab.kernel --timeout 900 -- python -m benchmarks.bench_node [--samples 100]

Start-up is compared with the interpreter's, CPU and bytes with `watch -n1 ipvsadm -Ln --stats` on the same table. The
lab has one slow CPU, on which all three nodes and the traffic run too: only ratios mean anything.
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
from benchmarks.line import KVTUI, Line
from tests.lab.cluster import Cluster
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.node import Node

WATCH = ("watch", "-n1", "ipvsadm", "-Ln", "--stats")
STARTS = 3
PARTS = ("small", "idle", "large")


def on(node: Node, argv: Sequence[str]) -> list[str]:
    """The command in the node's network namespace."""
    return ["ip", "netns", "exec", node.netns, "env", f"NODE_NAME={node.name}", *argv]


def kvtui(node: Node, *arguments: str) -> Line:
    """The terminal UI on a node."""
    return Line(on(node, [*KVTUI, *arguments]), {"KVTUI_STATE_DIR": "/tmp/bench-state"})  # noqa: S108 - the lab's own


def wall(argv: Sequence[str]) -> float:
    """Best of a few runs, in seconds."""
    best = float("inf")
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - began)
    return best


def commands(node: Node) -> None:
    """Row 6."""
    python = [sys.executable, "-m", "kvtui"]
    floor = wall(on(node, [sys.executable, "-c", "pass"]))
    print(f"\npython -c pass: {floor:.2f} s; ipvsadm -Ln: {wall(on(node, ['ipvsadm', '-Ln'])):.2f} s")
    asked = ("--help", "completion bash", "--no-kube ipvs", "--no-kube status --listen 0", "--no-kube status")
    for arguments in asked:
        took = wall(on(node, [*python, *arguments.split()]))
        print(f"kvtui {arguments:<28} {took:6.2f} s  {took / floor:5.1f} x python -c pass")


def start(node: Node) -> None:
    """Row 5: until VIP and state are on the terminal."""
    textual = wall(on(node, [sys.executable, "-c", "import textual.app"]))
    best = float("inf")
    for _ in range(STARTS):
        with kvtui(node) as line:
            line.until("10.4.0.50", "MASTER")
            best = min(best, time.perf_counter() - line.began)
    print(f"\nfirst useful frame: {best:.2f} s; import textual.app: {textual:.2f} s; ratio {best / textual:.2f}")


def running(node: Node, name: str, keys: str, seconds: float) -> None:
    """CPU and bytes of a screen."""
    with kvtui(node) as line:
        line.until("10.4.0.50")
        line.type(keys)
        line.during(10)
        size, cpu = line.during(seconds)
        print(f"{name:<44} {100 * cpu / seconds:5.1f} % of a core, {size / seconds:6.0f} B/s, {line.resident():.0f} MB")


def watched(node: Node, seconds: float) -> tuple[float, float]:
    """CPU and bytes a second of the operator's habit."""
    with Line(on(node, WATCH)) as line:
        line.during(5)
        size, cpu = line.during(seconds)
        print(f"{' '.join(WATCH):<44} {100 * cpu / seconds:5.1f} % of a core, {size / seconds:6.0f} B/s")
        return cpu / seconds, size / seconds


def events(node: Node, samples: int) -> None:
    """Row 8: an address comes and goes; from the request to the kernel until the pty has it."""
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
    """Where the CPU of a screen goes; the looks cost something themselves."""
    with tempfile.NamedTemporaryFile() as file:
        argv = [sys.executable, "-m", "benchmarks.sampled", file.name, "20", f"{seconds:.0f}", "--no-kube"]
        with Line(on(node, argv), {"KVTUI_STATE_DIR": "/tmp/bench-state"}) as line:  # noqa: S108 - the lab's own
            line.until("10.4.0.50")
            line.type(keys)
            line.during(20 + seconds + 10)
        print(f"\nprofile: {name}\n{Path(file.name).read_text()}")


def large(node: Node, seconds: float, *, profiled: bool = False) -> None:
    """Rows 3 and 9: 1,000 virtual servers with 10 real servers each beside keepalived's own."""
    table = rules(1000, 10)
    subprocess.run(on(node, ["ipvsadm", "-R"]), input=table, text=True, check=True)
    print("\n10,000 real servers")
    theirs, _ = watched(node, seconds)
    with kvtui(node) as line:
        line.until("10.4.0.50")
        line.type("3")
        line.during(20)
        size, cpu = line.during(seconds)
        ours = cpu / seconds
        print(
            f"{'kvtui, IPVS screen':<44} {100 * ours:5.1f} % of a core, {size / seconds:6.0f} B/s, "
            f"{line.resident():.0f} MB; {ours / theirs:.2f} x watch"
        )
    if profiled:
        profile(node, "IPVS screen, 10,000 real servers", "3", seconds)
    subprocess.run(on(node, ["ipvsadm", "-C"]), check=True)


def main() -> None:
    """Bring the cluster up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--profile", action="store_true", help="also where kvtui's CPU goes (benchmarks.sampled)")
    options = parser.parse_args()
    os.environ.setdefault("LANG", "C.UTF-8")
    with Cluster(ClusterSpec(advert_int=1)) as cluster:
        master = cluster.master()
        backup = next(node for node in cluster.nodes if node is not master)
        if "small" in options.only:
            commands(master)
            start(master)
            print()
            watched(master, options.seconds)
            running(master, "kvtui on the master, IPVS, traffic flows", "3", options.seconds)
            running(master, "kvtui on the master, VIPs, traffic flows", "1", options.seconds)
            events(backup, options.samples)
        if "idle" in options.only:
            running(backup, "kvtui on a backup, VIPs, idle", "1", options.seconds)
            if options.profile:
                profile(backup, "a backup, VIPs, idle", "1", options.seconds)
        if "large" in options.only:
            large(backup, options.seconds, profiled=options.profile)


if __name__ == "__main__":
    main()
