"""One process as /proc shows it (proc(5)). Every reader tolerates a process that ends meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from kvtui.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """What can be read of any process without rights.

    Attributes:
        pid: as seen from the /proc mount.
        parent: PID of its parent.
        comm: command name, at most 15 characters.
        zombie: it has ended and waits for its parent.
        started: seconds since the epoch, exact to about a second (btime has whole seconds).
        argv: command line; empty for a kernel thread or a zombie.
        uid: effective user id.
        ns_pids: its PIDs from the /proc mount's PID namespace down to its own.
        handled: bit ``n - 1`` is set when it blocks or catches signal ``n`` (keepalived reads its own from a
            signalfd, so they show in SigBlk; old ones caught them).
    """

    pid: int
    parent: int
    comm: str
    zombie: bool
    started: float
    argv: tuple[str, ...]
    uid: int
    ns_pids: tuple[int, ...]
    handled: int

    def handles(self, signal: int) -> bool:
        """Whether it blocks or catches the signal: if not, the signal's default action may end it."""
        return bool(self.handled >> (signal - 1) & 1)


def pids(proc: str = "/proc") -> list[int]:
    """All processes, by number."""
    return sorted(int(entry.name) for entry in Path(proc).iterdir() if entry.name.isdecimal())


def boot_time(proc: str = "/proc") -> float:
    """When the machine booted (``btime`` of /proc/stat), in seconds since the epoch; 0 when it is not said."""
    for line in text(f"{proc}/stat").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def read(pid: int, proc: str = "/proc", booted: float | None = None) -> Process | None:
    """The process, or None when it is gone.

    Args:
        pid: which.
        proc: where proc is mounted.
        booted: ``boot_time(proc)``, when the caller has it already.
    """
    before, _, after = text(f"{proc}/{pid}/stat").rpartition(")")
    fields = after.split()
    status = dict(line.split(":", 1) for line in text(f"{proc}/{pid}/status").splitlines() if ":" in line)
    if len(fields) < 20 or not status:
        return None
    booted = boot_time(proc) if booted is None else booted
    handled = _mask(status, "SigBlk") | _mask(status, "SigCgt")
    return Process(
        pid=pid,
        parent=int(fields[1]),
        comm=before.partition("(")[2],
        zombie=fields[0] in "ZX",
        started=booted + int(fields[19]) / os.sysconf("SC_CLK_TCK"),
        argv=argv(pid, proc),
        uid=int(status.get("Uid", "0 0").split()[1]),
        ns_pids=tuple(int(word) for word in status.get("NSpid", str(pid)).split()),
        handled=handled,
    )


def argv(pid: int, proc: str = "/proc") -> tuple[str, ...]:
    """Its command line; bytes that are no UTF-8 are replaced."""
    words = text(f"{proc}/{pid}/cmdline")
    return tuple(words.removesuffix("\0").split("\0")) if words else ()


def variables(pid: int, names: tuple[str, ...], proc: str = "/proc") -> dict[str, str]:
    """The named variables of its first environment; the others, which may be secrets, are never looked at.

    Empty when it is unreadable (needs CAP_SYS_PTRACE).
    """
    entries = (entry.partition("=") for entry in text(f"{proc}/{pid}/environ").split("\0"))
    return {name: value for name, _, value in entries if name in names}


def program(pid: int, proc: str = "/proc") -> str | None:
    """File name of the program it runs; empty when there is none (kernel threads); None when unreadable."""
    try:
        target = os.readlink(f"{proc}/{pid}/exe")  # noqa: PTH115 - hot path
    except PermissionError:
        return None
    except OSError:
        return ""
    return target.rpartition("/")[2].removesuffix(" (deleted)")


def sockets(pid: int, proc: str = "/proc") -> frozenset[str]:
    """Inode numbers of its open sockets; empty when unreadable (needs CAP_SYS_PTRACE)."""
    try:
        targets = [link(str(entry)) for entry in Path(f"{proc}/{pid}/fd").iterdir()]
    except OSError:
        return frozenset()
    return frozenset(target[8:-1] for target in targets if target.startswith("socket:["))


def _mask(status: dict[str, str], name: str) -> int:
    return int(status.get(name, "0").strip() or "0", 16)


def text(path: str) -> str:
    """A file's text, bytes that are no UTF-8 replaced; empty when it is gone or unreadable."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    # four system calls where a file object takes seven: every process is looked at every few seconds
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def link(path: str) -> str:
    """Where a symbolic link leads; empty when it is gone or unreadable."""
    try:
        return os.readlink(path)  # noqa: PTH115 - hot path
    except OSError:
        return ""
