# ruff: noqa: INP001 - a script
"""Row 6: 5,000 VIPs in 50 instances of one real keepalived compared with 500 in 5: first frame, tick, keys, triage.

Runs inside the lab's kernel:

    python -m tests.lab.kernel --timeout 900 -- python -m benchmarks.bench_vips
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.bench_commands import run
from benchmarks.figures import report
from benchmarks.line import KVTUI, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

VIPS = 100
"""VIPs of one instance."""
FEW_INSTANCES, MANY_INSTANCES = 5, 50
"""Numbers of instances."""
KEYS = 60
ROUNDS = 5
TRIAGE = [*KVTUI, "triage", "--listen", "0"]
FOLDER = Path("/tmp/bench-vips")  # noqa: S108 - the lab's own


class Costs(NamedTuple):
    frame: float
    tick: float
    triage: float
    keys: list[float]


def conf(instances: int) -> str:
    blocks = []
    for number in range(1, instances + 1):
        vips = "\n".join(f"        10.{number}.0.{host}/32" for host in range(1, VIPS + 1))
        blocks.append(
            f"vrrp_instance VI_{number} {{\n    state MASTER\n    interface v0\n    virtual_router_id {number}\n"
            f"    priority 100\n    advert_int 1\n    virtual_ipaddress {{\n{vips}\n    }}\n}}\n"
        )
    return "".join(blocks)


@contextmanager
def keepalived(instances: int) -> Iterator[None]:
    """Runs keepalived until all its VIPs are on the interface."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "conf").write_text(conf(instances))
    pids = [f"--{name}={FOLDER}/{name}" for name in ("pid", "vrrp_pid", "checkers_pid")]
    with subprocess.Popen(["keepalived", "-n", "-P", "-f", str(FOLDER / "conf"), *pids]) as process:
        try:
            while True:
                shown = subprocess.run(["ip", "-4", "-o", "addr", "show", "v0"], capture_output=True, check=True).stdout
                if shown.count(b"\n") > instances * VIPS:  # its own address too
                    break
                time.sleep(2)
            yield
        finally:
            process.terminate()


def triage_cpu() -> float:
    """Returns the minimum of some rounds: the difference to no VIPs is a tenth of the value, and noise only adds."""
    return min(run(TRIAGE).cpu for _ in range(ROUNDS))


def measure(instances: int, seconds: float) -> Costs:
    with keepalived(instances):
        triage = triage_cpu()
        frames = []
        for _ in range(3):
            with Line(KVTUI) as line:
                line.until("10.1.0.1", "MASTER")
                frames.append(time.perf_counter() - line.began)
        with Line(KVTUI) as line:
            line.until("10.1.0.1", "MASTER")
            line.during(30)
            _, cpu = line.during(seconds)
            keys = sorted(1000 * line.key_seconds("\x1b[B") for _ in range(KEYS))
    return Costs(statistics.median(frames), cpu / seconds, triage, keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    for command in ("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"):
        subprocess.run(["ip", *command.split()], check=True)
    subprocess.run(["ip", "address", "add", "10.0.0.1/24", "dev", "v0"], check=True)
    run(TRIAGE)  # the first start reads from the disk
    empty = triage_cpu()
    few, many = measure(FEW_INSTANCES, options.seconds), measure(MANY_INSTANCES, options.seconds)
    times = MANY_INSTANCES / FEW_INSTANCES
    name = f"{MANY_INSTANCES * VIPS:,} VIPs in {MANY_INSTANCES} instances, × {FEW_INSTANCES * VIPS} in {FEW_INSTANCES}"
    report(6, f"{name}: first frame", many.frame / few.frame, times, detail=f"{many.frame:.2f}, {few.frame:.2f} s")
    of = f"{100 * many.tick:.1f}, {100 * few.tick:.1f} % of a core"
    report(6, f"{name}: ticks", many.tick / few.tick, times, detail=of)
    above = (many.triage - empty, few.triage - empty)
    report(6, f"{name}: triage", above[0] / above[1], times, detail=f"{above[0]:.2f}, {above[1]:.2f} s above none")
    p99, middle = many.keys[round(0.99 * (KEYS - 1))], statistics.median(many.keys)
    report(6, f"{name}: key → frame, p99", p99, None, unit="ms", detail=f"median {middle:.0f} ms, in the lab")


if __name__ == "__main__":
    main()
