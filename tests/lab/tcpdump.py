"""Reads the priorities of a node's adverts from tcpdump."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.lab.node import Node


class Tcpdump:
    """Captures the priorities of one node's adverts."""

    def __init__(self, node: Node) -> None:
        argv = ["tcpdump", "-nn", "-l", "-v", "-i", "eth0", f"ip proto 112 and src {node.address}"]
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", node.netns, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        assert "listening on" in self._process.stderr.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> list[int]:
        """Ends the capture and returns the priorities."""
        self._process.terminate()
        out, _ = self._process.communicate(timeout=120)
        self.seen = getattr(self, "seen", []) + [int(p) for p in re.findall(r"prio (\d+)", out)]
        return self.seen


def next_priority(node: Node) -> int:
    """Returns the priority in the node's next advert."""
    argv = ["timeout", "5", "tcpdump", "-nn", "-v", "-c", "1", "-i", "eth0", f"ip proto 112 and src {node.address}"]
    text = node.exec(argv, check=True).stdout
    return int(text.partition("prio ")[2].partition(",")[0])
