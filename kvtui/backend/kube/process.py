"""Starts the process that speaks to the API, reads what it sends, and starts it again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from kvtui.backend.kube.mirror import Mirror
from kvtui.backend.kube.timing import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.kube.discovery import ApiPlace
    from kvtui.backend.kube.timing import Timing
    from kvtui.model.kube import NamespacedName

MAX_LINE_BYTES = 256 << 20
"""200 objects; a ConfigMap has at most 1 MiB."""
MISSED = 4
"""Signs of life that may be missing."""
LIVED_WELL = 30.0
"""Seconds after which the end of the process is not taken for a failed start."""


class ApiProcess:
    """One API's process; ``changed`` is called in the event loop when something is worth a new snapshot."""

    def __init__(self, place: ApiPlace, timing: Timing, changed: Callable[[], None]) -> None:
        self._place, self._timing, self._changed = place, timing, changed
        self.mirror = Mirror()
        self.pid: int | None = None
        self.error = ""
        """Why there is nothing to show; a sentence, empty while it is being read."""
        self._targets: dict[str, NamespacedName | None] = {"configmap": None, "pod": None}
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.settled = asyncio.Event()
        """Everything that is needed was listed, or cannot be."""
        self.imported = asyncio.Event()
        """The process has imported the library, or cannot: how long that takes says nothing of the API."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="kube process")

    def set_targets(self, configmap: NamespacedName | None, pod: NamespacedName | None) -> None:
        """``pod``: the controller's own, or kvtui's beside it."""
        targets = {"configmap": configmap, "pod": pod}
        if targets != self._targets:
            self._targets = targets
            self.settled.clear()
            self._write(targets)

    def _write(self, what: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(msgspec.to_builtins(what)).encode() + b"\n")

    async def _run(self) -> None:
        backoff = Backoff(self._timing.first_pause, self._timing.max_pause)
        while True:
            began = time.monotonic()
            self.error = await self._once()
            self.mirror.end(self.error, time.time())
            self.imported.set()
            self.settled.set()
            self._changed()
            if time.monotonic() - began > LIVED_WELL:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _once(self) -> str:
        try:
            process = await self._spawn()
        except OSError as error:
            return f"the process that speaks to the Kubernetes API cannot be started: {error.strerror}"
        self._process, self.pid = process, process.pid
        self.mirror.begin()
        self._write({"place": self._place, "timing": self._timing})
        self._write(self._targets)
        try:
            sentence = await self._read(process)
        finally:
            self._process = self.pid = None
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # and an exec plugin that it runs
            await process.wait()
            if process.stdin is not None:
                process.stdin.close()
        code = process.returncode
        ended = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        return sentence or f"the process that speaks to the Kubernetes API {ended}; it is started again"

    async def _spawn(self) -> asyncio.subprocess.Process:
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "MALLOC_ARENA_MAX": "2",  # else each thread's memory is kept apart: 10 MB more
        }
        # -P: a `kubernetes.py` in the operator's current folder must not be run.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "kvtui.backend.kube.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what a plugin writes there may be secret
            env=environ,
            start_new_session=True,  # a plugin must not talk to the terminal that the UI draws on
            limit=MAX_LINE_BYTES,
        )

    async def _read(self, process: asyncio.subprocess.Process) -> str | None:
        """Takes in what it sends until it ends; returns the reason that it gave itself."""
        if process.stdout is None:
            return None
        sentence = None
        while True:
            try:
                async with asyncio.timeout(MISSED * self._timing.alive):
                    line = await process.stdout.readline()
            except TimeoutError:
                return "the process that speaks to the Kubernetes API hangs; it is started again"
            if not line:
                return sentence
            self.imported.set()
            fact = json.loads(line)
            if "error" in fact:
                sentence = str(fact["error"])
            elif self.mirror.take(fact):
                self._changed()
            if self.mirror.settled:
                self.settled.set()
            await asyncio.sleep(0)  # decoding took some milliseconds: the UI draws between two lines

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
