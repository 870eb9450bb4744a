# ruff: noqa: INP001, T201 - a script that prints its table
"""The time to read a large IPVS table once, compared with ipvsadm and pyroute2.

Runs inside the lab's kernel:

    python -m tests.lab.kernel --timeout 300 -- python -m benchmarks.bench_ipvs [--services 1000] [--reals 10]

The lab has one slow CPU: only the ratios within one run mean anything.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench_kube import resident
from kvtui.backend.ipvs import decode, procfs, uapi
from kvtui.backend.ipvs.genl import GenericNetlink
from kvtui.backend.ipvs.reader import read_table
from kvtui.terminal import tune_garbage_collector

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.ipvs.attributes import Buffer

RUNS = 3
GROWTH = (100, 1000, 10_000, 50_000)
"""Real servers, for row 2."""


def rules(services: int, reals: int) -> str:
    """Returns the input of `ipvsadm -R`."""
    lines = []
    for s in range(services):
        vip = f"10.{s // 250}.0.{s % 250 + 1}:80"
        lines.append(f"-A -t {vip} -s wlc")
        lines += [f"-a -t {vip} -r 10.{100 + r}.{s // 250}.{s % 250 + 1}:80 -g -w 1" for r in range(reals)]
    return "\n".join(lines) + "\n"


def ipvsadm() -> int:
    """Runs the operator's own tool, with exact counters; counts its output without parsing it."""
    argv = ["ipvsadm", "-Ln", "--stats", "--exact"]
    return subprocess.run(argv, check=True, capture_output=True).stdout.count(b"\n  -> ") - 1


def undecoded() -> int:
    """Runs the same dumps over a bare socket and drops the answers: the lower bound of any reader."""

    def nothing(_buffer: Buffer, start: int, _end: int) -> int:
        return start

    with GenericNetlink(uapi.GENL_NAME) as channel:
        keys = [decode.selector(virtual.key) for virtual in channel.dump(uapi.CMD_GET_SERVICE, decode.service)]
        return sum(len(channel.dump(uapi.CMD_GET_DEST, nothing, key)) for key in keys)


def kvtui() -> int:
    """Reads by socket, dumps and model."""
    with GenericNetlink(uapi.GENL_NAME) as channel:
        return sum(len(virtual.real_servers) for virtual in read_table(channel).virtual_servers)


def kvtui_walking() -> int:
    """Does the same without the learnt layouts: walks each message's attributes one by one."""
    kept = decode.DEST.read, decode.SERVICE.read
    decode.DEST.read, decode.SERVICE.read = decode.DEST.walk, decode.SERVICE.walk  # type: ignore[method-assign]  # a switch
    try:
        return kvtui()
    finally:
        decode.DEST.read, decode.SERVICE.read = kept  # type: ignore[method-assign]  # and back


def kvtui_procfs() -> int:
    """Reads as an unprivileged kvtui: no counters."""
    return sum(len(virtual.real_servers) for virtual in procfs.read_table(Path("/proc/self/net")).virtual_servers)


def pyroute2() -> int:
    """Reads pyroute2's dump, as its documentation shows it."""
    from pyroute2 import IPVS, IPVSService  # noqa: PLC0415 - main() has imported it outside the measurement

    count = 0
    with IPVS() as ipvs:
        for service in ipvs.service("dump"):
            count += len(list(ipvs.dest("dump", service=IPVSService.from_message(service))))
    return count


def measure(work: Callable[[], int], expected: int, runs: int) -> float:
    """Returns the best of several runs in seconds; each must have read every real server."""
    best = float("inf")
    for _ in range(runs):
        began = time.perf_counter()
        seen = work()
        best = min(best, time.perf_counter() - began)
        if seen != expected:
            sys.exit(f"{work.__name__} saw {seen} real servers instead of {expected}")
    return best


def growth(sizes: list[int], reals: int) -> None:
    """Row 2: one full reading at each size, in a separate process, so that its memory is separate too."""
    print(f"\nfull reading, {reals} real servers for each virtual server, best of {RUNS}")
    for size in sizes:
        subprocess.run(["ipvsadm", "-R"], input=rules(size // reals, reals), text=True, check=True)
        try:
            argv = [sys.executable, "-m", "benchmarks.bench_ipvs", "--alone", str(size)]
            print(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip(), flush=True)
        finally:
            subprocess.run(["ipvsadm", "-C"], check=True)


def alone(size: int) -> None:
    """Reads the existing table: its time, the time of the same dumps undecoded, and the growth of the process."""
    tune_garbage_collector()  # as in the terminal UI
    before = resident()
    with GenericNetlink(uapi.GENL_NAME) as channel:
        table = read_table(channel)  # held, as the terminal UI holds the latest one
    grew = resident() - before
    del table
    seconds = measure(kvtui, size, RUNS)
    floor = measure(undecoded, size, RUNS)
    each, least = seconds / size * 1e6, floor / size * 1e6
    print(f"{size:>7} real servers {seconds:8.4f} s  {each:6.1f} µs/real  undecoded {least:6.1f}  {grew:6.1f} MB more")


def compare(services: int, reals: int) -> None:
    """Row 1."""
    importlib.import_module("pyroute2")
    expected = services * reals
    subprocess.run(["ipvsadm", "-R"], input=rules(services, reals), text=True, check=True)
    ways: list[tuple[str, Callable[[], int], int]] = [
        ("dump, undecoded", undecoded, RUNS),
        ("kvtui", kvtui, RUNS),
        ("kvtui, walking", kvtui_walking, RUNS),
        ("kvtui, procfs alone", kvtui_procfs, RUNS),
        ("ipvsadm -Ln --stats --exact", ipvsadm, RUNS),
        ("pyroute2", pyroute2, 1),
    ]
    try:
        times = [(name, measure(work, expected, runs)) for name, work, runs in ways]
    finally:
        subprocess.run(["ipvsadm", "-C"], check=True)
    ours = dict(times)["kvtui"]
    print(f"{services} virtual servers x {reals} real servers, best of {RUNS} (pyroute2: of 1)")
    for name, seconds in times:
        print(f"{name:<28} {seconds:7.3f} s  {seconds / ours:6.2f} x kvtui  {seconds / expected * 1e6:7.1f} µs/real")


def main() -> None:
    """Fills the table, reads it in each way, prints times and ratios, and empties the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--reals", type=int, default=10)
    parser.add_argument("--growth", type=int, nargs="*", default=GROWTH, help="real servers, size by size; none: not")
    parser.add_argument("--only-growth", action="store_true")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.alone)
        return
    if not options.only_growth:
        compare(options.services, options.reals)
    if options.growth:
        growth(options.growth, options.reals)


if __name__ == "__main__":
    main()
