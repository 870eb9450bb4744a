"""One process, by psutil; what psutil lacks comes from ``procfs``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
from msgspec import Struct

from kvtui.backend.linux import procfs

if TYPE_CHECKING:
    from collections.abc import Iterator


class Process(Struct, frozen=True):
    """The attributes of a process that any user may read.

    Attributes:
        pid: as seen from the /proc mount.
        zombie: it has ended and waits for its parent.
        started: seconds since the epoch; moves when the clock is set.
        start_ticks: clock ticks from boot to its start; with the PID this is its identity.
        argv: empty for a kernel thread or a zombie.
        uid: the effective one.
        ns_pids: its PIDs from the /proc mount's PID namespace down to its own.
        handled: bit ``n - 1`` is set when it blocks or catches signal ``n``.
    """

    pid: int
    parent: int
    comm: str
    zombie: bool
    started: float
    start_ticks: int
    argv: tuple[str, ...]
    uid: int
    ns_pids: tuple[int, ...]
    handled: int

    def handles(self, signal: int) -> bool:
        return bool(self.handled >> (signal - 1) & 1)


def list_pids(proc: str = "/proc") -> list[int]:
    with _proc_at(proc):
        return sorted(psutil.pids())


def boot_time(proc: str = "/proc") -> float:
    with _proc_at(proc):
        return float(psutil.boot_time())


def read_process(pid: int, proc: str = "/proc", booted: float | None = None) -> Process | None:
    """Returns the process, or None when it is gone or hidden (``hidepid``)."""
    booted = boot_time(proc) if booted is None else booted
    try:
        with _proc_at(proc), (found := psutil.Process(pid)).oneshot():
            zombie = found.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
            ticks = procfs.start_ticks(pid, proc)
            return Process(
                pid=pid,
                parent=found.ppid(),
                comm=_readable(found.name()),
                zombie=zombie,
                started=booted + ticks / procfs.CLOCK_TICKS,
                start_ticks=ticks,
                argv=() if zombie else tuple(_readable(word) for word in found.cmdline()),
                uid=found.uids().effective,
                ns_pids=procfs.ns_pids(pid, proc) or (pid,),
                handled=procfs.handled_signals(pid, proc),
            )
    except psutil.Error:
        return None


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    process = read_process(pid)
    return process is not None and not process.zombie


def read_variables(pid: int, names: tuple[str, ...], proc: str = "/proc") -> dict[str, str]:
    """Returns these variables of its initial environment (others may be secrets); none without CAP_SYS_PTRACE."""
    try:
        with _proc_at(proc):
            entries = psutil.Process(pid).environ()
    except psutil.Error:
        return {}
    return {name: _readable(entries[name]) for name in names if name in entries}


@contextmanager
def _proc_at(proc: str) -> Iterator[None]:
    """Lets psutil read a /proc that is mounted elsewhere: its own setting, put back for all others."""
    before, psutil.PROCFS_PATH = psutil.PROCFS_PATH, proc
    try:
        yield
    finally:
        psutil.PROCFS_PATH = before


def _readable(word: str) -> str:
    """Replaces surrogates, which psutil uses for invalid UTF-8 and no terminal can print."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
