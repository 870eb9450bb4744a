"""The processes around the nodes: real servers that answer with their own name, and a gentle client.

    services.py PLAN.json

One process forks all of them: a fork costs little in the lab, a new interpreter much. They end with it, and it ends
with its caller. Each real server can be killed by itself: its pid is in `<folder>/pids.json`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


def die_with_parent() -> None:
    """Leave no server behind when the one who started it is gone, see prctl(2)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def enter(netns: str) -> None:
    """Move this process into a named network namespace."""
    with open(f"/run/netns/{netns}") as namespace:  # noqa: PTH123 - its file descriptor is what is wanted
        if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {netns}")


def serve(name: str, port: int) -> None:
    """Answer every HTTP request with the server's own name; connections may be kept open."""
    body = f"{name}\n"
    head = f"HTTP/1.1 200 OK\r\nServer: {name}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=answer, args=(client, (head + body).encode()), daemon=True).start()


def answer(client: socket.socket, text: bytes) -> None:
    """Answer the requests of one connection, until it ends."""
    asked = b""
    with client, contextlib.suppress(OSError):
        while received := client.recv(4096):
            asked += received
            while b"\r\n\r\n" in asked:
                asked = asked.partition(b"\r\n\r\n")[2]
                client.sendall(text)


ANSWER_TIMEOUT = 5.0
"""Seconds: on a busy machine a kernel of the lab stands still for more than one."""


def ask(vip: str, port: int, source: str) -> str:
    """Make one HTTP request and return the name of the real server that answered."""
    with socket.create_connection((vip, port), timeout=ANSWER_TIMEOUT, source_address=(source, 0)) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {vip}\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(4096).decode().rpartition("\r\n\r\n")[2].strip()


def traffic(chosen: Path, rate: float, report: Path) -> None:
    """Ask each target of a file, which may change, in turn, a few times a second; count the answers in another."""
    counts: dict[str, int] = {"failed": 0}
    number = 0
    while True:
        targets: list[list[Any]] = json.loads(chosen.read_text())
        if not targets:
            time.sleep(1 / rate)
            continue
        vip, port, sources = targets[number % len(targets)]
        source = sources[(number // len(targets)) % len(sources)]
        number += 1
        began = time.monotonic()
        try:
            answerer = ask(vip, port, source)
            counts[answerer] = counts.get(answerer, 0) + 1
        except OSError as error:
            counts["failed"] += 1
            took = time.monotonic() - began
            print(f"{time.time():.1f}: no answer of {vip} to {source} after {took:.1f} s: {error!r}", file=sys.stderr)
        temp_file = report.with_suffix(".new")
        temp_file.write_text(json.dumps(counts))
        temp_file.replace(report)
        time.sleep(max(0.0, 1 / rate - (time.monotonic() - began)))


def fork(name: str, work: Callable[[], None]) -> int:
    """Run `work` in a child of that name."""
    child = os.fork()
    if child:
        return child
    die_with_parent()
    LIBC.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        work()
    finally:
        traceback.print_exc()  # it never returns, so there is an exception
        os._exit(1)


def main() -> None:
    """Start everything in the plan, say who is who, and wait."""
    die_with_parent()
    plan = json.loads(Path(sys.argv[1]).read_text())
    pids = {}
    for name, netns, port in plan["servers"]:

        def server(name: str = name, netns: str = netns, port: int = port) -> None:
            enter(netns)
            serve(name, port)

        pids[name] = fork(name, server)
    if plan["rate"]:

        def client() -> None:
            enter(plan["client"])
            while not Path(plan["folder"], "go").exists():
                time.sleep(0.2)
            folder = Path(plan["folder"])
            traffic(folder / "targets.json", plan["rate"], folder / "traffic.json")

        pids["traffic"] = fork("traffic", client)
    temp_file = Path(plan["folder"], "pids.new")
    temp_file.write_text(json.dumps(pids))
    temp_file.replace(Path(plan["folder"], "pids.json"))
    while True:
        os.wait()


if __name__ == "__main__":
    main()
