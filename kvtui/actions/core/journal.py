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
from kvtui.backend.linux.files import read_open
from kvtui.backend.linux.private_folder import open_own_file, open_private_folder
from kvtui.rules.phrases import plural

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path


LOCK = struct.Struct("@hhqqi4x")  # struct flock: type, whence, start, length, pid
LOCK_FILE = "lock"
MAX_LOCK_BYTES = 64 << 10
MAX_BYTES = 32 << 20
"""Of the journal: what is older is not read."""
MAX_DEPTH = 20
"""Of lists and objects in an event; kvtui writes 8."""
MAX_LINE_CHARACTERS = 4 << 20
"""A drain of a thousand real servers takes 0.3 MB."""

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
        """The id of the action that it undoes, finishes or leaves."""
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
    def __init__(self, path: Path | None = None) -> None:
        self.folder = path or folder()
        self.file = self.folder / JOURNAL
        self.passed_over = 0
        """Lines of the last reading that are not kvtui's, cannot be read, are too long or too deep."""
        self._mine = False
        self._carried_out: str | None = None
        """Id of the action that this very process carries out."""

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Locks the node for one action; raises JournalLockedError, or JournalError when the folder is not writable."""
        try:
            with open_private_folder(str(self.folder), make=True) as place:
                handle = open_own_file(place, LOCK_FILE, os.O_RDWR | os.O_CREAT)
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
        """Writes who holds the lock and for what: for people only, the lock does not rest on it."""
        text = json.dumps({"who": operator(), "what": what, "at": time.time()}).encode()
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, text, 0)
        except OSError as error:
            raise JournalError(f"{self.folder / LOCK_FILE} cannot be written: {error.strerror}") from error

    def busy(self) -> bool:
        """Whether an action is being carried out now; asking takes no lock and writes nothing."""
        if self._mine:
            return True
        try:
            handle = self._opened(LOCK_FILE)
        except OSError:
            return False
        try:
            asked = LOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            return bool(LOCK.unpack(fcntl.fcntl(handle, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK)
        finally:
            os.close(handle)

    def _holder(self) -> str:
        try:
            held = json.loads(read_open(self._opened(LOCK_FILE), LOCK_FILE, MAX_LOCK_BYTES))
            who = " ".join(map(str, held["who"].values()))
            since = datetime.fromtimestamp(held["at"], UTC).strftime("%H:%M:%S UTC")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
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
            with open_private_folder(str(self.folder), make=True) as place:
                handle = open_own_file(place, JOURNAL, os.O_RDWR | os.O_APPEND | os.O_CREAT)
                try:
                    new = os.fstat(handle).st_size == 0
                    text = _repair(handle) + line.encode()
                    if os.write(handle, text) < len(text):  # the disk is full; the next line repairs
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(handle)
                finally:
                    os.close(handle)
                if new:  # it is on disk only when its folder's entry is
                    os.fsync(place)
        except OSError as error:
            raise JournalError(f"{self.file} cannot be written: {error.strerror}") from error

    def entries(self) -> tuple[Entry, ...]:
        """Returns every action, oldest first; counts the lines that are no events in ``passed_over``.

        Raises JournalError when the journal is there and cannot be read.
        """
        found: dict[str, Entry] = {}
        passed_over = 0
        for line in filter(None, self._text().split("\n")):
            try:
                _apply(found, _event(line))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, ValidationError, RecursionError):
                passed_over += 1
        self.passed_over = passed_over
        return tuple(found.values())

    def _opened(self, name: str) -> int:
        with open_private_folder(str(self.folder)) as place:
            return open_own_file(place, name, os.O_RDONLY)

    def _text(self) -> str:
        try:
            handle = self._opened(JOURNAL)
            try:
                size = os.fstat(handle).st_size
                data = os.pread(handle, MAX_BYTES, max(0, size - MAX_BYTES))
            finally:
                os.close(handle)
            return data.decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise JournalError(f"{self.file} cannot be read: {error.strerror}") from error

    def entry(self, identity: str) -> Entry | None:
        return next((e for e in self.entries() if e.id == identity), None)

    def unfinished(self) -> tuple[Entry, ...]:
        """Returns the actions that began and never ended, and that nobody carries out any more.

        Whoever acts holds the lock and has begun last; when the caller itself holds it, nobody else acts.
        """
        open_ends = tuple(e for e in self.entries() if e.result is None and e.id != self._carried_out)
        return open_ends[:-1] if self.busy() and not self._mine else open_ends

    def undoable(self) -> Entry | None:
        """Returns what ``kvtui undo`` without an id means: the newest action that is in force and changed something."""
        return next((e for e in reversed(self.entries()) if e.in_force and e.steps and not e.other), None)


def _repair(handle: int) -> bytes:
    """Returns a newline when the last line is incomplete (power loss, full disk): then only that line is lost."""
    size = os.fstat(handle).st_size
    return b"" if not size or os.pread(handle, 1, size - 1) == b"\n" else b"\n"


def new_id(now: float, taken: Container[str] = ()) -> str:
    """Returns one that sorts by time, is short enough to type, and is not taken."""
    while True:
        identity = datetime.fromtimestamp(now, UTC).strftime("%m%d-%H%M%S-") + secrets.token_hex(1)
        if identity not in taken:
            return identity


def passed_over_note(journal: Journal) -> str:
    """Returns what to say of lines that the last reading passed over; empty when there were none."""
    if not journal.passed_over:
        return ""
    return f"passed over {plural(journal.passed_over, 'line')} of {journal.file}: not written by kvtui, or damaged"


def _event(line: str) -> Json:
    if len(line) > MAX_LINE_CHARACTERS:
        raise ValueError("the line is too long")
    event = json.loads(line)
    if not isinstance(event, dict) or event["event"] not in {"begin", "step", "end"}:
        raise ValueError("it is not an event of kvtui")
    _require_shallow(event, MAX_DEPTH)
    return event


def _require_shallow(value: object, left: int) -> None:
    if left < 0:
        raise ValueError("it is too deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _require_shallow(each, left - 1)


def _apply(found: dict[str, Entry], event: Json) -> None:
    identity = event["id"]
    if event["event"] == "begin":
        found[identity] = convert(event, Entry)
    elif event["event"] == "step":
        found[identity] = replace(found[identity], done=(*found[identity].done, int(event["index"])))
    else:
        result, detail = str(event["result"]), str(event["detail"])
        found[identity] = replace(found[identity], result=result, detail=detail, facts=event.get("facts") or {})
        for other, resolution in event.get("closes") or ():
            if other in found:
                words = f"{RESOLUTIONS.get(resolution, resolution)} by {identity}"
                found[other] = replace(found[other], result=str(resolution), detail=words)
