"""Requests dumps of a running keepalived: sends a signal and waits for the file.

Each request costs keepalived a line in its log, so requests are rare (``node.vrrp_layer``). The default action of
SIGUSR1 and SIGRTMIN+2 ends a process: the signal is sent only to the process that was found (pidfd, start time), and
only while it handles the signal, which it does not in its first moments.

Without a VRRP instance keepalived writes no keepalived.json, and an old file stays (measured on 2.2.7, after a reload
of an empty config); but it writes keepalived.data, without a VRRP Topology. So when no JSON comes, the data dump
decides. Without a VRRP child there are no instances.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.keepalived.dumps.data_text import parse_check_data, parse_vrrp_data
from kvtui.backend.keepalived.dumps.file import DumpError, Stamp, dump_files
from kvtui.backend.keepalived.dumps.json_dump import parse_json
from kvtui.backend.keepalived.dumps.merge import merge
from kvtui.backend.keepalived.dumps.stats_text import parse_stats
from kvtui.backend.keepalived.dumps.text import IncompleteDumpError
from kvtui.backend.linux import procfs
from kvtui.backend.linux.process import read_process
from kvtui.backend.linux.signals import SignalNotHandledError, is_same_process, send_signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import RealServerCheck, VrrpInstance

T = TypeVar("T")

TIMEOUT = 1.0  # seconds for one dump; 11–55 ms were measured for 200 instances
POLL_SECONDS = 0.01
START_TOLERANCE = 2.0  # seconds; start times are exact to about one
SAME_REQUEST_SECONDS = 5.0


class _Kind(Struct, Generic[T], frozen=True):
    """A kind of dump: the name of its file, the signal that requests it, and its parser."""

    name: str
    signal: int
    parse: Callable[[str], T]
    require_stable: bool = True  # whether only an unchanged stamp, twice in a row, shows that the file is whole


JSON = _Kind("keepalived.json", 36, parse_json, require_stable=False)  # SIGRTMIN + 2 on glibc
VRRP = _Kind("keepalived.data", signal.SIGUSR1, parse_vrrp_data)
CHECKS = _Kind("keepalived_check.data", signal.SIGUSR1, parse_check_data)
STATS = _Kind("keepalived.stats", signal.SIGUSR2, parse_stats)


class Dump(Struct, frozen=True):
    """A dump of keepalived's state."""

    instances: tuple[VrrpInstance, ...]
    checks: tuple[RealServerCheck, ...] | None  # None when not requested or not written, empty without a checker
    read_at: float  # when keepalived wrote it, in seconds since the epoch
    how: Literal["json", "data", "file"]
    """``data`` when the text dump was needed; ``file`` when an earlier file was read without a signal."""
    detail: str = ""  # what is missing and why


class DumpRequester:
    """Requests dumps of one keepalived; ``read`` blocks for up to some seconds: call it in a thread.

    The owner replaces ``keepalived`` after it looked up the processes again (the children may have changed).
    """

    def __init__(
        self, keepalived: Keepalived, *, signals: bool = True, timeout: float = TIMEOUT, proc: str = "/proc"
    ) -> None:
        self.keepalived = keepalived
        self.signals = signals
        self.timeout = timeout
        self._proc = proc

    def read(self, now: float, *, full: bool = False) -> Dump:
        """Requests a dump and reads it; ``now`` is in seconds since the epoch.

        ``full`` requests the text dump too, which alone has masters' addresses, track files, sync groups and checks.
        Raises DumpError without permission, without a dump in time, or when keepalived is stopped or ended.
        """
        if not self.signals:
            return self._existing(full=full)
        if not is_same_process(read_process(self.keepalived.pid, self._proc), self.keepalived):
            raise DumpError(f"keepalived {self.keepalived.pid} has ended")
        self._require_running()
        if self.keepalived.children.vrrp is None:
            why = "keepalived runs no VRRP child"
            if not full:
                return Dump((), None, now, "json", why)
            checks, written = self._ask(CHECKS) if self.keepalived.children.checker is not None else ((), time.time())
            return Dump((), checks, written, "data", why)
        if full or not self.keepalived.dumps_json:
            return self._ask_all()
        try:
            instances, written = self._ask(JSON)
        except _NoDumpError:
            return self._ask_all(json=False)
        return Dump(instances, None, written, "json")

    def _require_running(self) -> None:
        """Signals to a stopped process would wait there, and all be answered once it goes on."""
        children = self.keepalived.children
        for pid in (self.keepalived.pid, children.vrrp, children.checker):
            if pid is not None and procfs.vitals(pid, self._proc)[1] in {"T", "t"}:
                raise DumpError(f"keepalived's process {pid} is stopped (SIGSTOP) and does nothing: `kill -CONT {pid}`")

    def _ask_all(self, *, json: bool = True) -> Dump:
        """Requests the text dumps, then JSON, whose states are newer."""
        before = self._stamps(CHECKS)
        instances, written = self._ask(VRRP)
        checks: tuple[RealServerCheck, ...] | None = ()
        detail = ""
        if self.keepalived.children.checker is not None:
            try:
                written_checks, _ = self._await(CHECKS, before)
                checks = written_checks
            except _NoDumpError:
                checks, detail = None, "the checker did not write keepalived_check.data in time"
        if json and self.keepalived.dumps_json and instances:
            try:
                newer, written = self._ask(JSON)
                instances = merge(instances, newer)
            except _NoDumpError:
                detail = detail or "the JSON dump did not come in time"
        elif instances:
            with suppress(DumpError):  # then the counters are not known
                counters, _ = self._ask(STATS)
                instances = tuple(replace(one, counters=counters.get(one.name, {})) for one in instances)
        return Dump(instances, checks, written, "data", detail)

    def _ask(self, kind: _Kind[T]) -> tuple[T, float]:
        before = self._stamps(kind)
        _send(self.keepalived, kind.signal, self._proc)
        return self._await(kind, before)

    def _stamps(self, kind: _Kind[T]) -> dict[str, Stamp | None]:
        return {file.path: file.stamp() for file in dump_files(self.keepalived, kind.name)}

    def _await(self, kind: _Kind[T], before: dict[str, Stamp | None]) -> tuple[T, float]:
        """Waits for a new, whole file."""
        deadline = time.monotonic() + self.timeout
        seen: dict[str, Stamp] = {}
        while time.monotonic() < deadline:
            for file in dump_files(self.keepalived, kind.name):
                stamp = file.stamp()
                if stamp is None or stamp == before.get(file.path):
                    continue
                if kind.require_stable and stamp != seen.get(file.path):
                    seen[file.path] = stamp
                    continue
                try:
                    text, read = file.read()
                    if kind.require_stable and read != stamp:
                        continue
                    return kind.parse(text), read.modified_ns / 1e9
                except (FileNotFoundError, IncompleteDumpError):
                    continue
            time.sleep(POLL_SECONDS)
        raise _NoDumpError(f"keepalived {self.keepalived.pid} wrote no dump within {self.timeout:g} s: see its log")

    def _existing(self, *, full: bool) -> Dump:
        """Returns the newest dump that anybody requested since this keepalived started."""
        kinds = (JSON, VRRP) if self.keepalived.dumps_json else (VRRP,)
        found = sorted(
            (answer for kind in kinds if (answer := self._newest(kind)) is not None), key=lambda answer: answer[1]
        )
        if not found:
            why = "has no dump since keepalived started, and signals are switched off"
            raise DumpError(f"{self.keepalived.tmpdir} {why}")
        instances, written = found[-1]
        if full and written - found[0][1] <= SAME_REQUEST_SECONDS:
            instances = merge(found[0][0], instances)
        checks = self._newest(CHECKS) if full else None
        return Dump(instances, checks[0] if checks else None, written, "file", "an earlier dump; none was requested")

    def _newest(self, kind: _Kind[T]) -> tuple[T, float] | None:
        found = []
        for file in dump_files(self.keepalived, kind.name):
            with suppress(FileNotFoundError, IncompleteDumpError):
                text, stamp = file.read()
                written = stamp.modified_ns / 1e9
                if written >= self.keepalived.started - START_TOLERANCE:
                    found.append((kind.parse(text), written))
        return max(found, key=lambda answer: answer[1], default=None)


class _NoDumpError(DumpError):
    pass


def _send(keepalived: Keepalived, number: int, proc: str) -> None:
    try:
        send_signal(keepalived, number, proc)
    except ProcessLookupError as error:
        raise DumpError(f"keepalived {keepalived.pid} has ended") from error
    except SignalNotHandledError as error:
        raise DumpError(
            f"keepalived {keepalived.pid} does not handle signal {number} yet and would end: not sent"
        ) from error
    except PermissionError as error:
        raise DumpError(
            f"keepalived {keepalived.pid} cannot be signalled: run kvtui as root or with CAP_KILL"
        ) from error
