"""Runs kvtui commands on other nodes and reads their JSON.

``HeldCommands`` plan, wait, and hold what they did (``hold.py``) until a commit for all or none. The stdin of each is a
pipe. A small process of its own passes the commit on to all pipes. It waits for one byte; when kvtui ends before it
wrote that byte, even by kill -9, all pipes end and every node puts back.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.remote import reach
from kvtui.backend.remote.hold import ABORT, BEAT_SECONDS, COMMIT, GO, HELD, PLANNED
from kvtui.backend.remote.links import MAX_LINE_BYTES, end_process
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.settings import ClusterSettings

MAX_SECONDS = 4000.0
"""kvtui gives up a command that takes longer; a drain that waits has its own time limit, by default 300 s."""
COORDINATED = "--coordinated"
"""Hidden option of an action that waits for ``go`` and ``commit``. A kvtui that acts at once does not know it."""
OTHER_VERSION = "its kvtui does not know this kind of action over all nodes: install the same version on every node"
PASS_ON = f"""
import os, sys
if os.read(0, 1):
    for pipe in map(int, sys.argv[1:]):
        try:
            os.write(pipe, {COMMIT + bytes([10])!r})
        except OSError:
            pass
"""


class Answer(Struct, frozen=True):
    """What a command printed; ``document`` is None if the node gave none, then ``error`` says why."""

    node: str
    code: int | None = None
    document: dict[str, Any] | None = None
    error: str = ""


async def run_command(settings: ClusterSettings, node: str, arguments: Sequence[str]) -> Answer:
    """Runs kvtui with these arguments there; it must print one JSON document."""
    argv = reach.argv(settings, node, arguments, connect_timeout=reach.ACTION_CONNECT_TIMEOUT)
    try:
        process = await reach.start(argv)
    except OSError as error:
        return Answer(node, error=error.strerror or str(error))
    try:
        async with asyncio.timeout(MAX_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        return Answer(node, error=f"no answer within {MAX_SECONDS:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer_of(node, process.returncode, out, err)


def answer_of(node: str, code: int | None, out: bytes, err: bytes) -> Answer:
    begin = out.find(b"{")  # a login may print something before
    try:
        document = msgspec.json.decode(out[begin:] if begin >= 0 else b"")
    except msgspec.DecodeError:
        lines = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
        return Answer(node, code, None, plain(lines[-1] if lines else f"exit code {code}"))
    return Answer(node, code, document if isinstance(document, dict) else None)


class HeldCommands:
    """One command on each of these nodes; used in one event loop."""

    def __init__(self, settings: ClusterSettings, nodes: Sequence[str]) -> None:
        self._settings = settings
        self._pipes = {node: os.pipe() for node in nodes}
        pipes = [write for _read, write in self._pipes.values()]
        self._passer = subprocess.Popen(
            [sys.executable, "-ISc", PASS_ON, *map(str, pipes)],
            bufsize=0,
            stdin=subprocess.PIPE,
            pass_fds=pipes,
            start_new_session=True,
        )
        assert self._passer.stdin is not None  # noqa: S101 - made with a pipe
        self._to_passer = self._passer.stdin
        self._running: dict[str, asyncio.Task[Answer]] = {}
        self._planned: dict[str, asyncio.Future[bytes]] = {}
        self._held: dict[str, asyncio.Future[Any]] = {}
        self._beating = asyncio.create_task(self._beat())

    async def plan(self, node: str, arguments: Sequence[str], seconds: float) -> Answer:
        """Starts kvtui there. Returns its plan, with which it waits; its answer, or an error, if none comes in time."""
        planned = self._planned[node] = asyncio.get_running_loop().create_future()
        self._held[node] = asyncio.get_running_loop().create_future()
        task = self._running[node] = asyncio.create_task(self._run(node, arguments))
        await asyncio.wait({task, planned}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            answer = task.result()
            return replace(answer, error=OTHER_VERSION) if COORDINATED in answer.error else answer
        if planned.done():
            return answer_of(node, 0, planned.result(), b"")
        return Answer(node, error=f"no plan within {seconds:g} s: the node or its kvtui hangs")

    async def start(self, node: str) -> Answer | None:
        """Lets it do what it planned. Returns None once it holds what it did; its answer if it ends before."""
        os.write(self._pipes[node][1], GO + b"\n")
        task = self._running[node]
        await asyncio.wait({task, self._held[node]}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None

    async def _run(self, node: str, arguments: Sequence[str]) -> Answer:
        argv = reach.argv(self._settings, node, arguments, connect_timeout=reach.ACTION_CONNECT_TIMEOUT)
        try:
            process = await reach.start(argv, MAX_LINE_BYTES, self._pipes[node][0])
        except OSError as error:
            return Answer(node, error=error.strerror or str(error))
        assert process.stdout is not None  # noqa: S101 - reach.start gives it pipes
        assert process.stderr is not None  # noqa: S101 - as above
        reading = asyncio.create_task(self._read(node, process.stdout))
        errors = asyncio.create_task(process.stderr.read())
        try:
            return answer_of(node, await process.wait(), await reading, await errors)
        finally:
            await end_process(process, reading, errors)

    async def _read(self, node: str, stdout: asyncio.StreamReader) -> bytes:
        out = b""
        while line := await stdout.readline():
            if line.startswith(PLANNED.encode()) and not self._planned[node].done():
                self._planned[node].set_result(line)
                continue
            if line.strip() == HELD.encode() and not self._held[node].done():
                self._held[node].set_result(None)
            out += line
        return out

    def busy(self) -> list[str]:
        """Returns the nodes that have neither done their part nor ended."""
        return [node for node, task in self._running.items() if not (task.done() or self._held[node].done())]

    async def commit(self, seconds: float) -> list[Answer]:
        """Makes final what all nodes hold; returns their answers, which say so of a node that gives none in time."""
        with suppress(BrokenPipeError):
            self._to_passer.write(b"!")
        self._end_passer()
        if self._passer.returncode:  # it was killed: perhaps not all nodes have the commit, and their answers tell
            self._write(ABORT)
        await asyncio.wait(self._running.values(), timeout=seconds)
        late = f"no answer within {seconds:g} s of the commit: the node or its kvtui hangs"
        return [t.result() if t.done() else Answer(node, error=late) for node, t in self._running.items()]

    async def abort(self, seconds: float) -> list[Answer]:
        """Makes all nodes put back; returns the answers of those that say so in time."""
        self._write(ABORT)
        holding = [task for task in self._running.values() if not task.done()]
        if not holding:
            return []
        done, _ = await asyncio.wait(holding, timeout=seconds)
        return [task.result() for task in done]

    async def close(self) -> None:
        """Ends all connections: what still holds something then puts it back."""
        self._beating.cancel()
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        for pipe in self._pipes.values():
            for end in pipe:
                os.close(end)
        self._end_passer()

    def _end_passer(self) -> None:
        self._to_passer.close()
        self._passer.wait()

    async def _beat(self) -> None:
        while True:
            self._write(b"")
            await asyncio.sleep(BEAT_SECONDS)

    def _write(self, word: bytes) -> None:
        for _read, write in self._pipes.values():
            os.write(write, word + b"\n")  # this process keeps the other end open: it never breaks
