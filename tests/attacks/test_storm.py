"""10,000 adverts a second of many routers: the terminal UI responds, does not grow, and counts lost adverts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.lab.poll import poll
from tests.ui.pseudo_terminal import PROJECT, PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(os.geteuid()), reason="only root opens raw sockets in a namespace of its own")

RATE = 10_000
MAX_GROWTH_KB = 10_000
STORM = f"""
import os, random, socket, struct, sys, time
def advert(vrid, priority):
    message = bytes([0x21, vrid, priority, 1, 0, 1, 0, 0]) + socket.inet_aton("10.4.0.50") + bytes(8)
    total = sum(struct.unpack("!10H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return message[:6] + struct.pack("!H", total ^ 0xFFFF) + message[8:]
senders = []
for host in range(1, 9):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    s.bind((f"127.0.0.{{host}}", 0))
    senders.append(s)
count, began = 0, time.monotonic()
while True:
    random.choice(senders).sendto(advert(random.randrange(1, 256), random.randrange(256)), ("127.0.0.1", 0))
    count += 1
    if count % 100 == 0:
        elapsed = time.monotonic() - began
        with open(sys.argv[1] + ".new", "w") as counts:
            counts.write(f"{{count}} {{elapsed}}")
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(max(0.0, count / {RATE} - elapsed))
"""


@pytest.fixture
def network() -> Iterator[list[str]]:
    """A command that runs another one in new network, PID and mount namespaces."""
    line = "ip link set lo up; exec sleep 3600"
    with subprocess.Popen(["unshare", "-n", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", line]) as holder:
        first = poll(lambda: psutil.Process(holder.pid).children(), 60, "the namespaces")[0]
        poll(lambda: first.name() == "sleep", 60, "the loopback")
        yield ["nsenter", "-t", str(first.pid), "-n", "-p", "-m"]
        holder.kill()


def inside(command: subprocess.Popen[Any]) -> psutil.Process:
    """Returns the process that `nsenter` started."""
    return poll(lambda: psutil.Process(command.pid).children(), 60, "its child")[0]


def sent(file: Path) -> tuple[int, float]:
    count, elapsed = file.read_text().split()
    return int(count), float(elapsed)


@pytest.mark.long
def test_a_storm_of_10_000_adverts_a_second(network: list[str], tmp_path: Path) -> None:
    counts = tmp_path / "sent"
    status = [
        *network,
        sys.executable,
        "-m",
        "kvtui",
        "--no-kube",
        "-o",
        "json",
        "status",
        "--watch",
        "--interval",
        "1",
    ]
    with (
        subprocess.Popen([*network, sys.executable, "-S", "-c", STORM, str(counts)]) as storm,
        subprocess.Popen(status, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as watch,
        PseudoTerminal("--no-kube", prefix=network) as terminal,
    ):
        poll(counts.exists, 60, "the storm")
        terminal.shows("VIPs")
        sizes = []
        for _ in range(5):
            for key in ("2", "7", "1"):
                terminal.press(key)
                terminal.press_until("?", "Esc close")
                terminal.press_until("esc", "Esc close", shown=False)
            terminal.quiet(2)
            sizes.append(inside(terminal.process).memory_info().rss >> 10)
        inside(watch).suspend()  # the socket's buffer fills at once
        time.sleep(2)
        inside(watch).resume()
        watch.send_signal(signal.SIGCONT)  # nsenter stops with its child
        assert watch.stdout is not None
        detail = ""
        for document in map(json.loads, watch.stdout):
            detail = next(s["detail"] for s in document["sources"] if s["name"] == "adverts")
            if "adverts lost" in detail:
                break
        count, elapsed = sent(counts)
        print(f"{count / elapsed:.0f} adverts a second for {elapsed:.0f} s; RSS {sizes} kB; {detail}")
        assert count > 20 * RATE
        assert int(detail.split()[0]) > 0
        assert max(sizes[2:]) < sizes[1] + MAX_GROWTH_KB
        terminal.press("q")
        assert terminal.ended() == 0
        for process in (watch, storm):
            inside(process).kill()
