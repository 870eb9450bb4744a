"""Runs a script of keepalived's once, with its user and in its namespaces, and no right more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from kvtui.backend.launcher.start import open_pipe, prepare, read_facts
from kvtui.backend.linux.signals import kill_descendants, signal_descendants
from kvtui.model.check import CheckResult
from kvtui.model.secrets import masked
from kvtui.model.text import plain

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from kvtui.backend.checks.identity import Identity
    from kvtui.model.check import Check

MAX_OUTPUT_BYTES = 4096  # of what a script prints; the rest is read and dropped
START_TIMEOUT = 20.0  # seconds until the launcher must have started the script
DRAIN = 0.2  # seconds to wait for the rest of the output after the end
GRACE = 2.0  # seconds between SIGTERM and SIGKILL, as keepalived gives them
END_TIMEOUT = 30.0  # seconds that what was killed has to end: on a busy node 2 were too few


async def run_script(check: Check, program: str, identity: Identity, known: frozenset[str]) -> CheckResult:
    """Runs it and waits for its end, at most its time limit; a cancellation kills it.

    ``program`` is an absolute path in keepalived's root; passwords in ``known`` are masked in the output.
    """
    with ExitStack() as files:
        with ExitStack() as ours:
            (status, status_end), (output, output_end) = (open_pipe(files, ours) for _ in range(2))
            try:
                argv = [program, *check.argv[1:]]
                launch = prepare(
                    files, identity.process, identity.rights, argv, identity.env, status=status_end, cwd="cwd"
                )
            except OSError as error:
                why = f"keepalived's namespaces cannot be opened: {error.strerror}; run as root"
                return CheckResult(check, None, why)
            process = await asyncio.create_subprocess_exec(*launch.words, **launch.options(output_end))
        run = _Run(process, status, output)
        await run.to_end(check.timeout)
        facts = run.facts
    lines = run.output.decode("utf-8", "replace").splitlines()
    text = "\n".join(masked(plain(line), known) for line in lines)
    return _result(check, facts, text, time.monotonic() - run.began, is_late=run.is_late)


class _Run:
    """One script, from its start to its end.

    ``status`` is the descriptor of the launcher's JSON lines, ``output`` that of what the script prints.
    """

    def __init__(self, process: Process, status: int, output: int) -> None:
        self._process, self._status, self._output = process, status, output
        self._lines = b""
        self._closed, self._started, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.began = time.monotonic()
        self.output = b""
        self.is_late = self._has_ended = False

    @property
    def facts(self) -> dict[str, Any]:
        with suppress(BlockingIOError):
            while data := os.read(self._status, 4096):
                self._lines += data
            self._has_ended = True
        return read_facts(self._lines)

    def _take_status(self) -> None:
        facts = self.facts
        if not self._started.is_set() and ("keeper" in facts or "error" in facts or self._has_ended):
            self.began = time.monotonic()
            self._started.set()
        if self._has_ended or "exit" in facts or "ended" in facts:
            self._ended.set()
            asyncio.get_running_loop().remove_reader(self._status)

    async def _start(self) -> None:
        """Waits until the script runs; the launcher's own time does not count."""
        waits = [asyncio.ensure_future(self._process.wait()), asyncio.ensure_future(self._started.wait())]
        try:
            await asyncio.wait(waits, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def to_end(self, timeout: float) -> None:
        """Waits, and kills the script after its time limit or when cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._output, self._read)
        loop.add_reader(self._status, self._take_status)
        try:
            await self._start()
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        except TimeoutError:
            self.is_late = True
        finally:
            await asyncio.shield(asyncio.ensure_future(self._end()))
            with suppress(TimeoutError):  # what it left in the background may hold the pipe
                await asyncio.wait_for(self._closed.wait(), DRAIN)
            for descriptor in (self._output, self._status):
                loop.remove_reader(descriptor)

    def _read(self) -> None:
        data = os.read(self._output, 65536)
        self.output = (self.output + data)[:MAX_OUTPUT_BYTES]
        if not data:
            self._closed.set()
            asyncio.get_running_loop().remove_reader(self._output)

    async def _end(self) -> None:
        """Ends the launcher; before that, of a script that did not end, all that it started: SIGTERM, then SIGKILL.

        keepalived does so with the script's process group alone, and leaves what a script that ended started.
        """
        keeper = self.facts.get("keeper")
        if not self._ended.is_set() and keeper is not None:
            await asyncio.to_thread(signal_descendants, keeper, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), GRACE)
            await asyncio.to_thread(kill_descendants, keeper)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), END_TIMEOUT)
        if keeper is not None and "ended" not in self.facts:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(keeper, signal.SIGKILL)  # the launcher waits for it, and ends
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), END_TIMEOUT)
        with suppress(ProcessLookupError):
            self._process.kill()  # its child dies with it (PR_SET_PDEATHSIG)
        await self._process.wait()


def _result(check: Check, facts: dict[str, Any], output: str, seconds: float, *, is_late: bool) -> CheckResult:
    code = facts.get("exit")
    passed: bool | None = None
    if is_late and (code is None or code < 0):
        passed, detail = False, f"it did not end within {check.timeout:g} s and was killed"
    elif "error" in facts:
        detail = f"{os.strerror(facts['error']).lower()} (to {facts['stage']})"
    elif code is None:
        detail = "the launcher ended early"
    elif code < 0:
        passed, detail = False, f"killed by {signal.Signals(-code).name}"
    else:
        passed = code == 0 or (check.dynamic and code > 1)
        weight = f", weight {code - 2}" if check.dynamic and code > 1 else ""
        late = f" after SIGTERM at its time limit of {check.timeout:g} s, which counts" if is_late else ""
        return CheckResult(check, passed, f"exit status {code}{weight}{late}", output, seconds, code)
    return CheckResult(check, passed, detail, output, seconds)
