"""Runs drains by the command line, and observes their effects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kvtui.actions.core.network import Network
from kvtui.backend.linux.namespaces import netns_inode
from kvtui.backend.node import Node as NodeSource
from kvtui.model.ipvs import Protocol
from kvtui.observer import Observer
from tests.lab import operate
from tests.lab.spec import NGINX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kvtui.model.observation import Observation
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node


WEB = (Protocol.TCP, NGINX.vip, 80, 0)


def kvtui(node: Node, state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs kvtui on that node with `--yes`, as user anna."""
    return operate.kvtui(node, state, "--yes", *arguments, SUDO_USER="anna")


def succeed(node: Node, state: Path, *arguments: str) -> str:
    """Runs kvtui, which must succeed, and returns what it printed."""
    ran = kvtui(node, state, *arguments)
    assert ran.returncode == 0, f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


def network(node: Node) -> Network:
    return Network(node.keepalived_pid, netns_inode(node.keepalived_pid))


HOLD = """
import socket, sys
held = socket.create_connection((sys.argv[1], 80), timeout=60)
def ask():
    held.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    return held.recv(4096).decode().rpartition("\\r\\n\\r\\n")[2].strip()
print(ask(), flush=True)
for _ in sys.stdin:
    print(ask(), flush=True)
"""


@contextmanager
def held_connection(cluster: Cluster) -> Iterator[subprocess.Popen[str]]:
    """Yields a client that keeps one connection open; each line on its stdin sends one more request."""
    argv = ["ip", "netns", "exec", cluster.network.client, sys.executable, "-I", "-S", "-c", HOLD, NGINX.vip]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        yield client
        client.kill()


def observe(node: Node) -> Observation:
    async def once() -> Observation:
        observer = Observer(NodeSource(pid=node.keepalived_pid))
        try:
            return await observer.observe()
        finally:
            await observer.close()

    return asyncio.run(once())
