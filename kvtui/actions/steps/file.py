"""Writes one file of keepalived: atomically, byte for byte, and only when nothing else changed it.

The texts hold passwords, so that the journal has only their digests and the edit: either text is rebuilt from the
other, and its digest proves it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.checks.obstacle import obstacle
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError, StepState
from kvtui.backend.conf.editor import EditError, set_priority

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json

_TEMP_INFIX = ".kvtui-"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class ReplaceFile(Struct, frozen=True):
    """A step: give one instance another priority in its file, every other byte as it was."""

    kind: ClassVar[str] = "file"

    daemon: Daemon
    path: str
    instance: str
    priority: tuple[int, int]
    digests: tuple[str, str]

    @classmethod
    def plan(cls, daemon: Daemon, path: str, text: str, instance: str, priority: tuple[int, int]) -> ReplaceFile:
        """The step for a file that has ``text`` now.

        Raises:
            EditError: the priority cannot be changed in this text; says what to do.
        """
        edited = set_priority(text, instance, priority[1])
        return cls(daemon, path, instance, priority, (digest(_bytes(text)), digest(_bytes(edited))))

    def describe(self) -> str:
        old, new = self.priority
        return f"write {self.path} with priority {new} instead of {old} for {self.instance}"

    def describe_undo(self) -> str:
        return f"restore priority {self.priority[0]} of {self.instance} in {self.path}"

    def state(self) -> StepState:
        try:
            found = digest(self._read())
        except OSError as error:
            raise StepError(f"{self.path} cannot be read: {error.strerror or error}") from error
        before, after = self.digests
        return StepState.PENDING if found == before else StepState.APPLIED if found == after else StepState.CONFLICT

    def do(self) -> None:
        self._edit(self.priority[1], self.digests)

    def undo(self) -> None:
        before, after = self.digests
        self._edit(self.priority[0], (after, before))

    def _edit(self, priority: int, digests: tuple[str, str]) -> None:
        try:
            data = self._read()
            if digest(data) != digests[0]:
                raise StepError(f"{self.path} was changed by something else: check it and try again")
            edited = _bytes(set_priority(data.decode("utf-8", "surrogateescape"), self.instance, priority))
            if digest(edited) != digests[1]:
                raise StepError(f"{self.path} would differ from the original: set its priority to {priority} by hand")
            self._write(edited, data)
        except EditError as why:
            raise StepError(f"{self.path}: {why}") from why
        except OSError as error:
            raise StepError(f"{self.path} was not written: {self._reason(error)}") from error

    def _read(self) -> bytes:
        return Path(self.daemon.outside(self.path)).read_bytes()

    def _write(self, data: bytes, instead_of: bytes) -> None:
        write_atomically(self.daemon.outside(self.path), data, instead_of=instead_of)

    def _reason(self, error: OSError) -> str:
        if error.errno in (errno.EBUSY, errno.EROFS):
            return obstacle(self.daemon.pid, self.path) or str(error)
        return error.strerror or str(error)

    def to_json(self) -> Json:
        return {
            "daemon": self.daemon.to_json(),
            "path": self.path,
            "instance": self.instance,
            "priority": list(self.priority),
            "digests": list(self.digests),
        }

    @classmethod
    def from_json(cls, data: Json) -> ReplaceFile:
        before, after = data["priority"]
        digests = (str(data["digests"][0]), str(data["digests"][1]))
        daemon = Daemon.from_json(data["daemon"])
        return cls(daemon, str(data["path"]), str(data["instance"]), (int(before), int(after)), digests)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def write_atomically(path: str, data: bytes, *, create: bool = False, instead_of: bytes | None = None) -> None:
    """Replace a file: there is never a moment at which another reader finds it missing or half-written.

    Mode, owner and extended attributes (SELinux labels, ACLs) are those of the old file. The temp file is hidden, so
    that no ``include *.conf`` takes it in.

    ``create``: also when it is not there yet, readable by everybody then. ``instead_of``: its present bytes, compared
    again when the temp file is on disk: a controller may have rewritten the file in place meanwhile.

    Raises:
        OSError: EBUSY when it is a mount of its own, EROFS, EACCES, ENOSPC, EAGAIN when something else changed it;
            then the old file is untouched.
    """
    target = Path(path)
    temp = target.with_name(f".{target.name}{_TEMP_INFIX}{secrets.token_hex(4)}")
    old = None if create and not target.exists() else target.stat()
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            if old is None:
                os.fchmod(fd, 0o644)
            else:
                os.fchown(fd, old.st_uid, old.st_gid)
                os.fchmod(fd, old.st_mode & 0o7777)
                _copy_attributes(path, fd)
            rest = data
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        if instead_of is not None:
            _require(target, instead_of)
        temp.replace(target)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _require(target: Path, data: bytes) -> None:
    if target.read_bytes() != data:
        raise OSError(errno.EAGAIN, "it was changed by something else: check it and try again")


def temp_files_of(path: Path) -> list[Path]:
    """Returns the temp files that interrupted writes (kill -9) left beside a file.

    Raises:
        OSError: the folder cannot be read.
    """
    start = f".{path.name}{_TEMP_INFIX}"
    return [found for found in path.parent.iterdir() if found.name.startswith(start)]


def _copy_attributes(path: str, fd: int) -> None:
    """Where the file system has any; one that may not be set (another module's label) keeps no other from it."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listxattr(path)
    for name in names:
        with contextlib.suppress(OSError):
            os.setxattr(fd, name, os.getxattr(path, name))
