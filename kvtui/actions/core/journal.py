"""The journal: what was done here, by whom, with what result. Append-only JSON lines, synced, locked.

Folder: see ``state_folder``. Only the lock (an open file description lock, fcntl(2)) says whether a kvtui acts now: it
ends with its process, however that ends, and holds across containers too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import secrets
import struct
import time
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, ValidationError, convert, field, to_builtins
from msgspec.structs import replace

from kvtui.actions.core.state_folder import JOURNAL, folder
from kvtui.actions.core.step import Json  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path


LOCK = struct.Struct("@hhqqi4x")  # struct flock: type, whence, start, length, pid


SEEN_LATER = frozenset({"done", "result", "detail", "facts"})
"""Fields of an entry that later events bring."""
RESOLUTIONS = {
    "undone": "undone",
    "put back": "put back",
    "left": "left as it was",
    "done": "finished",
    "failed": "restored without its VIPs",
}
"""What an action does to another one: the result of the other → in words."""


class JournalLockedError(RuntimeError):
    """Another kvtui acts on this node; the text says who, since when and what."""


class JournalError(OSError):
    """The journal cannot be read or written; then nothing is done."""


class Entry(Struct, frozen=True):
    """One action, from its events.

    Attributes:
        result: ``done``, ``unverified``, ``failed``, ``put back``, ``undone``, ``left``; None while it is not
            finished.
        process: PID and start time of the kvtui that runs it, to tell whether it still does.
        facts: of the verification, before and after.
        resolution: the result that the other action gets when this one is done; empty when there is no other.
        vips: the VIPs that were on this node before, see ``held_vips``.
    """

    id: str
    at: float
    verb: str
    target: str
    who: Mapping[str, str]
    reason: str
    summary: str
    steps: tuple[Json, ...]
    done: tuple[int, ...] = ()
    result: str | None = None
    detail: str = ""
    process: tuple[int, int] = (0, 0)
    undoes: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    finishes: str | None = None
    resolution: str = field(default="", name="closing")
    vips: Json | None = None

    @property
    def other(self) -> str | None:
        """Id of the action that it undoes, finishes or leaves."""
        return self.undoes or self.finishes

    @property
    def in_force(self) -> bool:
        return self.result in {"done", "unverified"}


def operator(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns who acts: the user behind sudo, the terminal, the SSH client, the pod; without what is unknown."""
    env = os.environ if env is None else env
    names = {
        "user": env.get("SUDO_USER") or env.get("USER") or env.get("LOGNAME") or _account(os.getuid()),
        "tty": _terminal(),
        "ssh_client": (env.get("SSH_CLIENT") or env.get("SSH_CONNECTION") or "").split(" ")[0],
        "pod": env.get("POD_NAME") or "",
        "host": os.uname().nodename,
    }
    return {k: v for k, v in names.items() if v}


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run as a user that its passwd does not have
        return f"uid {uid}"


def _terminal() -> str:
    try:
        return os.ttyname(0).removeprefix("/dev/")
    except OSError:
        return ""


class Journal:
    """The journal of one node."""

    def __init__(self, path: Path | None = None) -> None:
        self.folder = path or folder()
        self.file = self.folder / JOURNAL
        self._lock_file = self.folder / "lock"
        self._mine = False
        self._carried_out: str | None = None
        """Id of the action that this very process carries out."""

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Locks the node for one action.

        Raises:
            JournalLockedError: another kvtui holds the lock.
            JournalError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            handle = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise JournalError(
                f"the journal in {self.folder} cannot be written ({error.strerror}), so nothing is done: "
                "run kvtui as root, or set KVTUI_STATE_DIR"
            ) from error
        try:
            try:
                fcntl.fcntl(handle, fcntl.F_OFD_SETLK, LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            except (BlockingIOError, PermissionError):  # fcntl(2): EAGAIN or EACCES
                raise JournalLockedError(self._holder()) from None
            self._mine = True
            try:
                self._tell(handle, what)
                yield
            finally:
                self._mine, self._carried_out = False, None
        finally:
            os.close(handle)

    def _tell(self, handle: int, what: str) -> None:
        """Who holds it and for what: for people only, the lock does not rest on it."""
        text = json.dumps({"who": operator(), "what": what, "at": time.time()}).encode()
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, text, 0)
        except OSError as error:
            raise JournalError(f"{self._lock_file} cannot be written: {error.strerror}") from error

    def busy(self) -> bool:
        """Whether an action is being carried out now; asking takes no lock and writes nothing."""
        if self._mine:
            return True
        try:
            handle = os.open(self._lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            asked = LOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            return bool(LOCK.unpack(fcntl.fcntl(handle, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK)
        finally:
            os.close(handle)

    def _holder(self) -> str:
        try:
            held = json.loads(self._lock_file.read_text())
            who = " ".join(f"{v}" for v in held["who"].values())
            since = datetime.fromtimestamp(held["at"], UTC).strftime("%H:%M:%S UTC")
        except (OSError, ValueError, KeyError, TypeError):
            return "another kvtui is acting on this node; try again when it is done"
        return f'{who} is running "{held["what"]}" on this node since {since}; try again when it is done'

    def begin(self, entry: Entry) -> None:
        begun = {name: value for name, value in to_builtins(entry).items() if name not in SEEN_LATER}
        self._append({"event": "begin", **begun})
        if self._mine:
            self._carried_out = entry.id

    def step_done(self, identity: str, index: int) -> None:
        self._append({"event": "step", "id": identity, "at": time.time(), "index": index})

    def end(
        self,
        identity: str,
        result: str,
        detail: str,
        facts: Mapping[str, Any] | None = None,
        closes: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Closes other actions with it, each with its result, in one line: it tells all, or nothing."""
        event = {"event": "end", "id": identity, "at": time.time(), "result": result, "detail": detail}
        self._append({**event, "facts": dict(facts or {}), "closes": [list(c) for c in closes]})

    def _append(self, event: Json) -> None:
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=True) + "\n"
        try:
            new = not self.file.exists()
            handle = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                text = _repair(handle) + line.encode()
                if os.write(handle, text) < len(text):  # the disk is full; the next line repairs
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            finally:
                os.close(handle)
            if new:
                self._sync_folder()
        except OSError as error:
            raise JournalError(f"{self.file} cannot be written: {error.strerror}") from error

    def _sync_folder(self) -> None:
        """A new file is on disk only when its folder's entry is."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def entries(self) -> tuple[Entry, ...]:
        """Every action, oldest first; a line that is no event is passed over.

        Raises:
            JournalError: the journal is there and cannot be read.
        """
        found: dict[str, Entry] = {}
        for line in self._text().split("\n"):
            try:
                event = json.loads(line)
                _apply(found, event)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, ValidationError):
                continue
        return tuple(found.values())

    def _text(self) -> str:
        try:
            return self.file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise JournalError(f"{self.file} cannot be read: {error.strerror}") from error

    def entry(self, identity: str) -> Entry | None:
        return next((e for e in self.entries() if e.id == identity), None)

    def unfinished(self) -> tuple[Entry, ...]:
        """Actions that began and never ended, and that nobody carries out any more.

        Whoever acts holds the lock and has begun last; when the caller itself holds it, nobody else acts.
        """
        open_ends = tuple(e for e in self.entries() if e.result is None and e.id != self._carried_out)
        return open_ends[:-1] if self.busy() and not self._mine else open_ends

    def undoable(self) -> Entry | None:
        """What ``kvtui undo`` without an id means: the newest action that is in force and changed something."""
        found = [e for e in self.entries() if e.in_force and e.steps and not e.other]
        return found[-1] if found else None


def _repair(handle: int) -> bytes:
    """Returns a newline when the last line is incomplete (power loss, full disk): then only that line is lost."""
    size = os.fstat(handle).st_size
    return b"" if not size or os.pread(handle, 1, size - 1) == b"\n" else b"\n"


def new_id(now: float, taken: Container[str] = ()) -> str:
    """Sorts by time, is short enough to type, and is not taken."""
    while True:
        identity = datetime.fromtimestamp(now, UTC).strftime("%m%d-%H%M%S-") + secrets.token_hex(1)
        if identity not in taken:
            return identity


def _apply(found: dict[str, Entry], event: Json) -> None:
    identity = event["id"]
    if event["event"] == "begin":
        found[identity] = convert(event, Entry)
    elif event["event"] == "step":
        found[identity] = replace(found[identity], done=(*found[identity].done, int(event["index"])))
    elif event["event"] == "end":
        old = found[identity]
        result, detail = str(event["result"]), str(event["detail"])
        found[identity] = replace(old, result=result, detail=detail, facts=event.get("facts") or {})
        for other, resolution in event.get("closes") or ():
            if other in found:
                words = f"{RESOLUTIONS.get(resolution, resolution)} by {identity}"
                found[other] = replace(found[other], result=str(resolution), detail=words)
