"""Half an hour of the terminal UI with a failover a minute: memory, descriptors and CPU do not grow."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.lab.screen import terminal_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node
    from tests.ui.pseudo_terminal import PseudoTerminal

MINUTES = int(os.environ.get("KVTUI_LONG_RUN_MINUTES", "30"))
WARM_UP = max(2, MINUTES // 6)
"""Minutes until the caches are full."""
MAX_GROWTH_KB = 10_000
SCREENS = {"2": "INSTANCE / PEER", "3": "VIRTUAL / REAL", "5": "FINDING", "7": "all kinds", "1": "OWNER"}


class Usage(NamedTuple):
    """A process' memory (KB), descriptors, threads and CPU time."""

    resident: int
    fds: int
    threads: int
    cpu: int


def usage(pid: int) -> Usage:
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    times = (proc / "stat").read_text().rpartition(")")[2].split()
    fds = len(list((proc / "fd").iterdir()))
    return Usage(int(status["VmRSS"].split()[0]), fds, int(status["Threads"]), int(times[11]) + int(times[12]))


def shows_owner(terminal: PseudoTerminal, owner: Node) -> None:
    def is_shown() -> bool:
        return any(line.startswith("10.4.0.50") and line.split()[1] == owner.address for line in terminal.lines)

    terminal.until(is_shown, f"{owner.address} owns 10.4.0.50")


@contextmanager
def crash_reports() -> Iterator[None]:
    """Prints kvtui's crash reports if the test fails: the guest's /tmp is lost."""
    before = set(Path("/tmp").glob("kvtui-crash-*"))
    try:
        yield
    except AssertionError:
        for report in set(Path("/tmp").glob("kvtui-crash-*")) - before:
            print(report.read_text())
        raise


@pytest.mark.long
@pytest.mark.lab(timeout=60 * MINUTES + 900, seconds=60 * MINUTES + 60)
def test_half_an_hour_with_a_failover_a_minute(cluster: Cluster) -> None:
    best, second = cluster.node("node-c"), cluster.node("node-b")
    seen: list[Usage] = []
    with crash_reports(), terminal_on(cluster.node("node-a")) as terminal:
        shows_owner(terminal, best)
        for minute in range(MINUTES):
            end = time.monotonic() + 60
            if best.running():
                best.stop()
            else:
                best.start()
            shows_owner(terminal, best if best.running() else second)
            for key, heading in SCREENS.items():
                terminal.press_until(key, heading)
                terminal.press_until("?", "Esc close")
                terminal.press_until("esc", "Esc close", shown=False)
            terminal.quiet(end - time.monotonic())
            seen.append(usage(terminal.process.pid))
            print(f"minute {minute + 1}: {seen[-1]}", flush=True)
        terminal.press("q")
        assert terminal.ended() == 0
    first, last = seen[WARM_UP - 1], seen[-1]
    assert last.resident < first.resident + MAX_GROWTH_KB
    assert last.fds <= max(u.fds for u in seen[:WARM_UP])
    assert last.threads <= max(u.threads for u in seen[:WARM_UP])
    costs = [b.cpu - a.cpu for a, b in zip(seen[WARM_UP - 1 :], seen[WARM_UP:], strict=False)]
    half = len(costs) // 2
    assert sum(costs[half:]) < 1.5 * sum(costs[:half]) + 500, costs
