"""A command on a node that keeps printing, such as ``ip monitor`` or ``kvtui --watch``."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.node import Node


class Follow:
    """Runs a command that keeps printing, and stores each line with the time at which it was read."""

    def __init__(self, node: Node, argv: list[str]) -> None:
        self._lines: list[tuple[float, str]] = []
        argv = ["ip", "netns", "exec", node.netns, *argv]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append((time.monotonic(), line))

    def lines(self) -> list[tuple[float, str]]:
        """Returns the time and text of each line so far."""
        return list(self._lines)

    def documents(self) -> list[dict[str, Any]]:
        """Parses each line as JSON."""
        return [json.loads(text) for _at, text in self._lines]

    def when(self, condition: Callable[[dict[str, Any]], bool]) -> float | None:
        """Returns when the first matching document was read."""
        return next((at for at, text in self.lines() if condition(json.loads(text))), None)

    def stop(self) -> None:
        """Kills the command."""
        self._process.kill()
        self._process.wait()
        self._thread.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
