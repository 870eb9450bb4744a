"""The connections to other nodes, in parallel, none of which waits for another.

Each is a process that prints a node's reports, started again with a back-off when it ends or hangs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.backend.remote import reach
from kvtui.model.cluster import NO_KVTUI, ClusterNode, NodeState, Report
from kvtui.model.ip import canonical
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.model.settings import ClusterSettings

_LOG = logging.getLogger(__name__)

SCHEMA = 1
"""The schema of the public JSON that this kvtui speaks (``presenters.contract``); one more or less is understood."""
MAX_LINE_BYTES = 64 << 20
"""A report of 100,000 real servers."""
MAX_ERROR_BYTES = 4096
FIRST_ANSWER_TIMEOUT = 120.0
"""Seconds from the start of the process to the first report: connection, login, the start of Python. A node whose CPU
has no time for it would never answer if each attempt ended too early; ssh itself finds hosts that are gone."""
LATE_AFTER = 5.0
"""Seconds without a report after which what is shown is old; a report comes at least every second."""
SILENCE_TIMEOUT = 30.0
"""Seconds without a report after which the connection is made anew."""
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 30.0
"""Seconds between two attempts: doubled each time."""
STARTING_SECONDS = 0.3
"""A connection that begins counts as one of those that begin at the same time for this long."""
END_TIMEOUT = 1.0
COMMAND_NOT_FOUND = 127
MAX_STARTING = 32
"""Connections that begin at the same time: more would only wait for this machine's CPU."""
NOT_FOUND = ("kvtui was not found there", "executable file not found")
"""In what a shell and a container's runtime say."""
LIMITS = {
    "": "an older kvtui: config, IPVS table and hearing cannot be compared",
    NO_KVTUI: "no kvtui there: read by exec, without adverts, findings and actions (kubectl kvtui --debug-image)",
}
"""Version of kvtui on a node → what it lacks."""


class NodeLink:
    """The connection to one node.

    Args:
        argv: a command that prints a report a line.
        without_kvtui: a command that does so where there is no kvtui; tried when ``argv`` says that there is none.
        starting: bounds how many connections begin at the same time.
        changed: called after each report and each change of the state.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        starting: asyncio.Semaphore,
        changed: Callable[[], None],
        without_kvtui: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self._argv, self._without_kvtui = argv, without_kvtui
        self._starting, self._changed = starting, changed
        self._line: bytes | None = None
        """The latest one, until it is decoded."""
        self._arrived: float | None = None
        self._report: Report | None = None
        self.error = ""
        self._connected = False

    def pods(self) -> Pods | None:
        """Returns the latest line of a DaemonSet; None where no new one has come, and where it is something else."""
        line, self._line = self._line, None
        try:
            return None if line is None else msgspec.json.decode(line, type=Pods)
        except msgspec.MsgspecError as error:
            self.error = plain(str(error), 120)
            return None

    def node(self) -> ClusterNode:
        """Returns what is known now. Reports are decoded here, so that those that nobody looks at cost nothing."""
        if self._line is not None:
            self._decode(self._line)
            self._line = None
        age = None if self._arrived is None else time.monotonic() - self._arrived
        state, detail = self._state(age)
        return ClusterNode(self.name, state, detail, age if self._report else None, self._report)

    def _state(self, age: float | None) -> tuple[NodeState, str]:
        if self.error:
            return NodeState.FAILED, self.error
        if age is None or self._report is None:
            return NodeState.CONNECTING, "no answer yet"
        if age > LATE_AFTER:
            return NodeState.LATE, f"no report for {age:.0f} s: the node, its kvtui or the network hangs"
        return NodeState.LIVE, LIMITS.get(self._report.comparison.kvtui or "", "")

    def _decode(self, line: bytes) -> None:
        try:
            report = msgspec.json.decode(line, type=Report, strict=False)
        except msgspec.MsgspecError as error:
            first = plain(line[:60].decode(errors="replace"))
            self.error = f'its answer is not kvtui\'s JSON ({plain(str(error), 120)}); it begins with "{first}"'
            return
        if abs(report.schema - SCHEMA) > 1:
            self.error = (
                f"it speaks schema {report.schema}, this kvtui understands {SCHEMA - 1} to {SCHEMA + 1}: "
                f"update the {'other' if report.schema < SCHEMA else 'own'} kvtui"
            )
            return
        self._report, self.error = _with_valid_addresses(report), ""

    # --- the process

    async def run(self) -> None:
        """Connects again and again until it is cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._connected = False
            error = await self._attempt()
            if self._without_kvtui and any(sign in error for sign in NOT_FOUND):
                self._argv, self._without_kvtui = self._without_kvtui, None
                continue
            self.error = error
            _LOG.info("node %s: %s", self.name, error)
            self._changed()
            pause = FIRST_PAUSE_SECONDS if self._connected else min(MAX_PAUSE_SECONDS, pause * 2)
            await asyncio.sleep(pause)

    async def _attempt(self) -> str:
        """Reads until the process ends or hangs. Returns why it ended."""
        async with self._starting:
            try:
                process = await reach.start(self._argv, MAX_LINE_BYTES)
            except OSError as error:
                return error.strerror or str(error)
            errors = asyncio.create_task(_tail(process.stderr))
            reading = asyncio.create_task(self._read(process.stdout))
            try:
                await asyncio.wait({reading}, timeout=STARTING_SECONDS)
            except asyncio.CancelledError:
                await end_process(process, reading, errors)
                raise
        try:
            why = await reading
            if why is None:
                await asyncio.wait({errors}, timeout=END_TIMEOUT)
        finally:
            await end_process(process, reading, errors)
        return why or _ended(process.returncode, errors.result() if errors.done() and not errors.cancelled() else b"")

    async def _read(self, stdout: asyncio.StreamReader | None) -> str | None:
        """Returns None at the end of the output, else what is wrong."""
        if stdout is None:
            raise RuntimeError("the process was started without a pipe")
        limit = FIRST_ANSWER_TIMEOUT
        while True:
            try:
                async with asyncio.timeout(limit):
                    line = await stdout.readline()
            except TimeoutError:
                what = "no report" if self._connected else "no answer"
                return f"{what} within {limit:.0f} s: the node or its kvtui hangs; connecting again"
            except ValueError:
                return f"a report has more than {MAX_LINE_BYTES >> 20} MiB"
            if not line:
                return None
            if not line.lstrip().startswith(b"{"):
                continue  # what a login prints
            limit = SILENCE_TIMEOUT
            self._line, self._arrived = line, time.monotonic()
            self.error, self._connected = "", True
            self._changed()


def _with_valid_addresses(report: Report) -> Report:
    """Elections compare addresses as numbers: anything else counts as unknown."""
    if report.vrrp_instances is None:
        return report
    valid = [i if canonical(i.address or "") else replace(i, address=None) for i in report.vrrp_instances]
    return replace(report, vrrp_instances=tuple(valid))


async def _tail(stderr: asyncio.StreamReader | None) -> bytes:
    kept = b""
    while stderr is not None and (chunk := await stderr.read(MAX_ERROR_BYTES)):
        kept = (kept + chunk)[-MAX_ERROR_BYTES:]
    return kept


def _ended(code: int | None, errors: bytes) -> str:
    lines = [plain(line, 200) for line in errors.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1].removeprefix("kvtui: ") if lines else ""
    if code == COMMAND_NOT_FOUND:
        return f"kvtui was not found there ({last or 'exit code 127'}): install it, or set cluster.command"
    return last or f"the connection ended with exit code {code}"


async def end_process(process: asyncio.subprocess.Process, *readers: asyncio.Task[Any]) -> None:
    """Ends the process and those that it started, and waits until its pipes are closed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        _done, pending = await asyncio.wait({asyncio.ensure_future(process.wait()), *readers}, timeout=END_TIMEOUT)
        if not pending:
            return
    for reader in readers:
        reader.cancel()


class PodHost(Struct, frozen=True):
    """A pod as a host, and whether it has kvtui."""

    host: str
    kvtui: bool = True


class Pods(Struct, frozen=True):
    """What ``kube.daemonset`` prints: pods by the names of their nodes, nodes without one, how many more lack one."""

    pods: dict[str, PodHost] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unnamed: int = 0


class Links:
    """The connections to the nodes of the settings; ``start`` and ``close`` in the same event loop."""

    def __init__(
        self, settings: ClusterSettings, arguments: Sequence[str], connect_timeout: int = reach.CONNECT_TIMEOUT
    ) -> None:
        self._settings, self._arguments, self._connect_timeout = settings, arguments, connect_timeout
        self._changed: Callable[[], None] = lambda: None
        self._starting = asyncio.Semaphore(MAX_STARTING)
        self._links: dict[str, NodeLink] = {}
        self._tasks: dict[NodeLink, asyncio.Task[None]] = {}
        self._found: dict[str, Pods] = {}

    @property
    def pods(self) -> dict[str, str]:
        """Node → host, of the pods that DaemonSets have now."""
        return {node: place.host for found in self._found.values() for node, place in found.pods.items()}

    def start(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        for host in self._settings.hosts:
            if host.startswith(reach.DAEMONSET):
                argv = reach.daemonset(self._settings, host)
                self._run(NodeLink(host, argv, self._starting, partial(self._take, host)))
            else:
                self._follow(host, host, has_kvtui=True)

    def _follow(self, name: str, host: str, *, has_kvtui: bool) -> None:
        argv = reach.argv(self._settings, host, self._arguments, connect_timeout=self._connect_timeout)
        other = reach.without_kvtui(self._settings, host)
        if other is not None and not has_kvtui:
            argv, other = other, None
        self.run(name, argv, other)

    def run(self, name: str, argv: Sequence[str], without_kvtui: Sequence[str] | None = None) -> None:
        """Follows a node by a command that prints its reports."""
        self._run(NodeLink(name, argv, self._starting, self._changed, without_kvtui))

    def _run(self, link: NodeLink) -> None:
        self._links[link.name] = link
        self._tasks[link] = asyncio.create_task(link.run())

    def _take(self, daemonset: str) -> None:
        """Follows the pods that a DaemonSet has now. While the API does not answer, those that it had go on."""
        if (found := self._links[daemonset].pods()) is not None:
            before = self._found.get(daemonset, Pods()).pods
            for node, place in before.items():
                if found.pods.get(node) != place:
                    self._tasks[self._links.pop(node)].cancel()
            self._found[daemonset] = found
            for node, place in found.pods.items():
                if node not in self._links:
                    self._follow(node, place.host, has_kvtui=place.kvtui)
        self._changed()

    def nodes(self) -> tuple[ClusterNode, ...]:
        links = [link for name, link in self._links.items() if name not in self._found or link.error]
        missing = [
            ClusterNode(node, NodeState.MISSING, f"{daemonset} has no pod on this node")
            for daemonset, found in self._found.items()
            for node in (*found.missing, *[f"({found.unnamed} more)"] * bool(found.unnamed))
        ]
        return (*(link.node() for link in links), *missing)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
