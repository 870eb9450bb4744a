# ruff: noqa: INP001, T201 - a script that prints its progress
"""Rows 1 and 2: commands on IPVS tables of several sizes against ``ipvsadm -Ln --stats --exact``, whole processes.

Runs inside the lab's kernel:

    python -m tests.lab.kernel --timeout 900 -- python -m benchmarks.bench_commands [--sizes 100 1000 10000 50000]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.bench_ipvs import rules
from benchmarks.figures import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

IPVSADM = ("ipvsadm", "-Ln", "--stats", "--exact")
KVTUI = (sys.executable, "-m", "kvtui", "--no-kube")
TABLE_COMMANDS = ("ipvs", "ipvs -o json", "status --listen 0 -o json")
OTHERS = ("vips --listen 0", "triage --listen 0", "trace --listen 0 10.0.0.1")
LIMITS = {10_000: 2.5, 50_000: 1.5}
"""Real servers → the limit of a command's time as a multiple of ipvsadm's."""


EMPTY = "bench-empty"
"""A network namespace with an empty table: its time is the share that does not depend on the table."""


class Cost(NamedTuple):
    wall: float
    cpu: float


def run(argv: Sequence[str]) -> Cost:
    """Runs the command once; reads and drops its output."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "KVTUI_STATE_DIR": "/tmp/bench-state"}  # noqa: S108 - the lab's own
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if b"Usage:" in done.stderr or b"kvtui crashed" in done.stderr:
        sys.exit(done.stderr.decode())
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def rounds(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, list[Cost]]:
    """Runs all commands alternately, because the machine's speed varies."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, argv in commands.items():
            costs[name].append(run(argv))
    return costs


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """Returns the median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def measure(size: int, runs: int) -> None:
    """Reports the figures for a table of that many real servers."""
    commands: dict[str, Sequence[str]] = {"ipvsadm": IPVSADM}
    for command in TABLE_COMMANDS:
        commands[command] = [*KVTUI, *command.split()]
        commands[f"{command}, empty"] = ["ip", "netns", "exec", EMPTY, *commands[command]]
    if size in LIMITS:
        commands |= {command: [*KVTUI, *command.split()] for command in OTHERS}
    subprocess.run(["ipvsadm", "-R"], input=rules(size // 10, 10), text=True, check=True)
    try:
        costs = rounds(commands, runs)
    finally:
        subprocess.run(["ipvsadm", "-C"], check=True)
    wall = {name: [c.wall for c in many] for name, many in costs.items()}
    middle = {name: statistics.median(many) for name, many in wall.items()}
    for name, seconds in middle.items():
        print(f"{size:>6} real servers: {name:<34} {seconds:6.2f} s", flush=True)
    of = f"ipvsadm {middle['ipvsadm']:.2f} s"
    for command in TABLE_COMMANDS:
        name = f"kvtui {command}, {size:,} real servers"
        took = ratio(wall[command], wall["ipvsadm"])
        report(1, name, took, LIMITS.get(size), detail=f"{middle[command]:.2f} s, {of}")
        if size in LIMITS:
            above = [a - b for a, b in zip(wall[command], wall[f"{command}, empty"], strict=True)]
            detail = f"{statistics.median(above):.2f} s, {of}"
            report(1, f"{name}, above an empty table", ratio(above, wall["ipvsadm"]), 1.0, detail=detail)
    if size in LIMITS:
        base = [c.cpu for c in costs["ipvs"]]
        for command in OTHERS:
            cpu = [c.cpu for c in costs[command]]
            detail = f"{statistics.median(cpu):.2f} s of CPU, kvtui ipvs {statistics.median(base):.2f} s"
            report(2, f"kvtui {command.split()[0]}, {size:,} real servers", ratio(cpu, base), 1.5, detail=detail)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 50_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    subprocess.run(["ip", "netns", "add", EMPTY], check=True)
    for command in (*TABLE_COMMANDS, *OTHERS):
        run([*KVTUI, *command.split()])  # the first start reads from the disk
    for size in options.sizes:
        measure(size, options.rounds if size in LIMITS else 3)


if __name__ == "__main__":
    main()
