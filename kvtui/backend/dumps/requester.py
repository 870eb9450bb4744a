"""Ask a running keepalived what it thinks, politely: a signal, then the file that it writes.

Every question costs keepalived a line in its log, so questions are seldom (``Dumper.due``). The default action of
SIGUSR1 and SIGRTMIN+2 ends a process: a signal is sent only to the very process that was found (a pidfd, its start
time), and only while it handles that signal, which it does not yet in its first moments.

Which answers mean "no instance": with no VRRP instance keepalived does not write keepalived.json, the old file stays
(measured on 2.2.7, after a reload of an empty config); but it does write keepalived.data, without a VRRP Topology. So
when no JSON comes, the data dump is asked for, and its word counts. Without a VRRP child there are no instances at
all.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct

from kvtui.backend.dumps.data_text import parse_check_data, parse_vrrp_data
from kvtui.backend.dumps.file import DumpFile, DumpUnavailable, Stamp, data_files
from kvtui.backend.dumps.json_dump import parse_json
from kvtui.backend.dumps.merge import merge
from kvtui.backend.dumps.text import Incomplete
from kvtui.backend.linux.process import read_process
from kvtui.backend.linux.signals import SignalNotHandledError, is_same_process, send_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import RealServerCheck, VrrpInstance

T = TypeVar("T")

JSON_SIGNAL = 36  # SIGRTMIN + 2 on glibc
INTERVAL = 30.0  # seconds between questions
URGENT_INTERVAL = 2.0
TIMEOUT = 1.0  # seconds until an answer must be there; 11–55 ms were measured for 200 instances
PAUSE = 0.01
START_TOLERANCE = 2.0  # seconds; starting times are known to about one
SAME_MOMENT = 5.0  # seconds; files of one question


class Dump(Struct, frozen=True):
    """What keepalived said.

    Attributes:
        instances: its VRRP instances.
        checks: its checker's view; None when it was not asked for (or could not be had), empty without a checker.
        read_at: when keepalived wrote it (seconds since the epoch).
        how: ``json``; ``data`` when the text dump was needed; ``file`` when an earlier file was read, nothing asked.
        detail: what is missing and why, a sentence; empty when nothing is.
    """

    instances: tuple[VrrpInstance, ...]
    checks: tuple[RealServerCheck, ...] | None
    read_at: float
    how: Literal["json", "data", "file"]
    detail: str = ""


class Dumper:
    """Asks one keepalived; ``read`` blocks up to some seconds and belongs in a thread.

    ``keepalived`` may be set anew when its processes were looked up again (its children may have changed).
    """

    def __init__(
        self,
        keepalived: Keepalived,
        *,
        signals: bool = True,
        interval: float = INTERVAL,
        timeout: float = TIMEOUT,
        proc: str = "/proc",
    ) -> None:
        """Asks nothing yet.

        Args:
            keepalived: whom to ask, as ``processes.find`` found it.
            signals: False: never signal, only read the files that are there.
            interval: seconds between questions that are not urgent.
            timeout: seconds to wait for each answer.
            proc: where proc is mounted.
        """
        self.keepalived = keepalived
        self.signals = signals
        self.interval = interval
        self.timeout = timeout
        self._proc = proc
        self._asked_at: float | None = None

    def due(self, now: float, *, urgent: bool = False) -> bool:
        """Whether it may be asked again: every ``interval``, or every 2 s when something changed (``urgent``)."""
        if self._asked_at is None or now < self._asked_at:  # never, or the clock was set back
            return True
        return now - self._asked_at >= (URGENT_INTERVAL if urgent else self.interval)

    def read(self, now: float, *, full: bool = False) -> Dump:
        """Ask and read the answer.

        Args:
            now: seconds since the epoch; ``due`` counts from here.
            full: also ask for the text dump, which alone has masters' addresses, track files, sync groups and checks.

        Raises:
            DumpUnavailable: it may not be signalled or read, did not answer, or is gone.
        """
        self._asked_at = now
        if not self.signals:
            return self._existing(full=full)
        if not is_same_process(read_process(self.keepalived.pid, self._proc), self.keepalived):
            raise DumpUnavailable(f"keepalived {self.keepalived.pid} is gone: look for it again")
        if self.keepalived.children.vrrp is None:
            checks, written = self._ask_checks() if full else (None, now)
            return Dump((), checks, written, "data" if full else "json", "keepalived runs no VRRP child")
        if full or not self.keepalived.dumps_json:
            return self._ask_all()
        try:
            instances, written = self._ask_json()
        except _NoAnswer:
            return self._ask_all(json=False)
        return Dump(instances, None, written, "json")

    # --- asking

    def _ask_json(self) -> tuple[tuple[VrrpInstance, ...], float]:
        files = [self._file("keepalived.json")]
        return self._ask(JSON_SIGNAL, files.copy, parse_json)

    def _ask_all(self, *, json: bool = True) -> Dump:
        """The text dumps, then JSON where there is some: the newest word on states is the most exact one."""
        before = _stamps(self._check_files())
        instances, written = self._ask(signal.SIGUSR1, self._vrrp_files, parse_vrrp_data, require_stable=True)
        checks: tuple[RealServerCheck, ...] | None = ()
        detail = ""
        if self.keepalived.children.checker is not None:
            try:
                checks, _ = self._await(self._check_files, before, parse_check_data, require_stable=True)
            except _NoAnswer:
                checks, detail = None, "the checker did not write keepalived_check.data in time"
        if json and self.keepalived.dumps_json and instances:
            try:
                newer, written = self._ask_json()
                instances = merge(instances, newer)
            except _NoAnswer:
                detail = detail or "the JSON dump did not come in time"
        return Dump(instances, checks, written, "data", detail)

    def _ask_checks(self) -> tuple[tuple[RealServerCheck, ...], float]:
        if self.keepalived.children.checker is None:
            return (), time.time()
        return self._ask(signal.SIGUSR1, self._check_files, parse_check_data, require_stable=True)

    def _ask(
        self,
        number: int,
        files: Callable[[], list[DumpFile]],
        parse: Callable[[str], T],
        *,
        require_stable: bool = False,
    ) -> tuple[T, float]:
        """Signal, then wait for a new file."""
        before = _stamps(files())
        _send(self.keepalived, number, self._proc)
        return self._await(files, before, parse, require_stable=require_stable)

    def _await(
        self,
        files: Callable[[], list[DumpFile]],
        before: dict[str, Stamp | None],
        parse: Callable[[str], T],
        *,
        require_stable: bool,
    ) -> tuple[T, float]:
        """The first file that is new and whole; ``calm``: and of the same size twice in a row."""
        deadline = time.monotonic() + self.timeout
        seen: dict[str, Stamp] = {}
        while time.monotonic() < deadline:
            for file in files():
                stamp = file.stamp()
                if stamp is None or stamp == before.get(file.path):
                    continue
                if require_stable and stamp != seen.get(file.path):
                    seen[file.path] = stamp
                    continue
                try:
                    text, read = file.read()
                    if require_stable and read != stamp:
                        continue
                    return parse(text), read.modified_ns / 1e9
                except (FileNotFoundError, Incomplete):
                    continue
            time.sleep(PAUSE)
        raise _NoAnswer(f"keepalived {self.keepalived.pid} did not answer within {self.timeout:g} s: see its log")

    # --- only looking

    def _existing(self, *, full: bool) -> Dump:
        """What was dumped before, by whomever, since this keepalived started."""
        found = [
            answer
            for files, parse in (
                ([self._file("keepalived.json")] if self.keepalived.dumps_json else [], parse_json),
                (self._vrrp_files(), parse_vrrp_data),
            )
            if (answer := self._newest(files, parse)) is not None
        ]
        if not found:
            raise DumpUnavailable(
                f"no dump since keepalived started is in {self.keepalived.tmpdir}, and signals are switched off"
            )
        found.sort(key=lambda answer: answer[1])
        instances, written = found[-1]
        if full and written - found[0][1] <= SAME_MOMENT:
            instances = merge(found[0][0], instances)
        checks = self._newest(self._check_files(), parse_check_data) if full else None
        return Dump(
            instances, checks[0] if checks else None, written, "file", "an earlier dump; keepalived was not asked"
        )

    def _newest(self, files: Iterable[DumpFile], parse: Callable[[str], T]) -> tuple[T, float] | None:
        """The newest whole file that is not older than keepalived."""
        found = []
        for file in files:
            try:
                text, stamp = file.read()
                if stamp.modified_ns / 1e9 >= self.keepalived.started - START_TOLERANCE:
                    found.append((parse(text), stamp.modified_ns / 1e9))
            except (FileNotFoundError, Incomplete):
                continue
        return max(found, key=lambda answer: answer[1]) if found else None

    def _file(self, name: str) -> DumpFile:
        folder = self.keepalived.tmpdir.rstrip("/")
        return DumpFile(self.keepalived.root, f"{folder}/{name}", self.keepalived.uid)

    def _vrrp_files(self) -> list[DumpFile]:
        return data_files(self.keepalived.root, self.keepalived.tmpdir, "keepalived", self.keepalived.uid)

    def _check_files(self) -> list[DumpFile]:
        return data_files(self.keepalived.root, self.keepalived.tmpdir, "keepalived_check", self.keepalived.uid)


class _NoAnswer(DumpUnavailable):
    """It was asked and wrote nothing new in time."""


def _stamps(files: Iterable[DumpFile]) -> dict[str, Stamp | None]:
    return {file.path: file.stamp() for file in files}


def _send(keepalived: Keepalived, number: int, proc: str) -> None:
    """The signal, to that process and no other, and only while it handles it."""
    try:
        send_signal(keepalived, number, proc)
    except ProcessLookupError as error:
        raise DumpUnavailable(f"keepalived {keepalived.pid} is gone: look for it again") from error
    except SignalNotHandledError as error:
        raise DumpUnavailable(
            f"keepalived {keepalived.pid} does not handle signal {number} (yet), which would end it: not sent"
        ) from error
    except PermissionError as error:
        raise DumpUnavailable(
            f"keepalived {keepalived.pid} may not be asked: run kvtui as root or with CAP_KILL"
        ) from error
