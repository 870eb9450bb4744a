# ruff: noqa: INP001, T201 - a script that prints its progress
"""Rows 3, 5 and 7 on this machine: start, 50,000 real servers of a fake kernel, an idle node with keepalived.

python -m benchmarks.bench_here [--seconds 30]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from benchmarks.bench_screen import Pieces
from benchmarks.figures import by_turns, report
from benchmarks.line import KVTUI, Line
from kvtui.app import KvtuiApp
from kvtui.backend.demo.source import Demo
from kvtui.model.settings import UiSettings
from kvtui.observer import Observer
from kvtui.terminal import tune_garbage_collector
from tests.kit import many_vips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.snapshot import Snapshot

STARTS = 7
KEYS = 200
CONF = """vrrp_instance VI_1 {
    state BACKUP
    interface v0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.4.0.50
    }
}
"""
NETWORK = (
    "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
    "ip address add 10.4.0.1/24 dev v0 && "
)


def state() -> dict[str, str]:
    return {"KVTUI_STATE_DIR": str(Path(tempfile.gettempdir()) / "kvtui-bench-state")}


def start() -> None:
    """Row 3."""

    def textual() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
        return time.perf_counter() - began

    def frame() -> float:
        with Line([sys.executable, "-m", "kvtui", "--demo"], state()) as line:
            line.until("10.2.", "MASTER")
            return time.perf_counter() - line.began

    frame()
    ratio, took, base = by_turns(frame, textual, STARTS)
    detail = f"{took:.3f} s, import textual.app {base:.3f} s, medians of {STARTS}"
    report(3, "first useful frame, here", ratio, 1.8, detail=detail)


def large() -> None:
    """Row 5: only the kernel is fake."""
    with Line([sys.executable, "-m", "benchmarks.fake_ipvs", "--services", "5000"], state()) as line:
        line.until("VIPs")
        line.type("3")
        line.until("wlc")
        line.during(30)
        keys = sorted(1000 * line.key_seconds("\x1b[B") for _ in range(KEYS))
        p99, middle = keys[round(0.99 * (len(keys) - 1))], statistics.median(keys)
        name = "IPVS screen at 1 Hz, 50,000 real servers, here"
        report(5, f"{name}: key → frame, p99", p99, 50, unit="ms", detail=f"median {middle:.0f} ms, {KEYS} keys")
        report(5, f"{name}: memory", line.resident(), 250, unit="MB", detail="with the fake kernel's own messages")


@contextmanager
def keepalived() -> Iterator[list[str]]:
    """Runs keepalived in its own network namespace; yields the command prefix to enter it."""
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "keepalived.conf"
        conf.write_text(CONF)
        pids = [f"--{name}={folder}/{name}" for name in ("pid", "vrrp_pid", "checkers_pid")]
        argv = ["unshare", "--net", "bash", "-c", NETWORK + 'exec "$@"', "-", "keepalived", "-n", "-P"]
        with subprocess.Popen(
            [*argv, "-f", str(conf), *pids], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                time.sleep(6)
                yield ["nsenter", f"--net=/proc/{process.pid}/ns/net"]
            finally:
                process.terminate()


def idle(seconds: float) -> None:
    """Row 7."""
    if os.geteuid():
        print("row 7 needs root, for a keepalived of its own")
        return
    with keepalived() as inside, Line([*inside, *KVTUI], state()) as line:
        line.until("10.4.0.50", "MASTER")
        line.during(15)
        before = line.wakeups()
        _, cpu = line.during(seconds)
        wakeups = (line.wakeups() - before) / seconds
        report(
            7, "idle with keepalived, here: CPU", 100 * cpu / seconds, 0.5, unit="%", detail=f"{line.resident():.0f} MB"
        )
        report(7, "idle with keepalived, here: wake-ups", wakeups, 5, unit="/s")


class ManyVips(Demo):
    """5,000 VIPs in 50 instances, all on this node."""

    def __init__(self) -> None:
        super().__init__()
        self._now = many_vips(50)

    async def read(self) -> Snapshot:
        self._now = replace(self._now, time=self._now.time + 1)
        return self._now


async def frames() -> None:
    """Row 6: how long the event loop does not answer a key; without a terminal."""
    app = KvtuiApp(Observer(ManyVips(), interval=1.0, triage=True), UiSettings())
    async with app.run_test(size=(80, 24)) as pilot:
        await asyncio.sleep(3)
        with Pieces() as pieces:
            for _ in range(20):
                await pilot.press("down")
            await asyncio.sleep(5)
    report(
        6, "5,000 VIPs in 50 instances, here: longest frame", 1000 * pieces.longest, 50, unit="ms", detail="CPU time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    start()
    idle(options.seconds)
    large()
    tune_garbage_collector()
    asyncio.run(frames())


if __name__ == "__main__":
    main()
