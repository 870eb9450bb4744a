"""Writing one file of keepalived: atomically, byte for byte, and only when nobody else changed it.

The texts themselves are nowhere but in the file: they hold passwords. The journal has their digests and the edit, so
that either text is made again from the other, and its digest proves it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kvtui.actions.core.step import Side, StepFailed
from kvtui.actions.core.daemon import Daemon
from kvtui.backend.conf.editor import EditError, set_priority
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json

_ESCAPED = re.compile(r"\\([0-7]{3})")
_DRAFT = ".kvtui-"
_VOLUME = re.compile(r"/volumes/kubernetes\.io~(\w[\w-]*)/([^/]+)|/volume-subpaths/([^/]+)/")


def digest(data: bytes) -> str:
    """sha256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class ReplaceFile:
    """A step: give one instance another priority in its file, every other byte as it was.

    Attributes:
        daemon: whose file.
        path: of the file, as keepalived names it.
        instance: name of the ``vrrp_instance``.
        priority: before and after.
        digests: of the file's bytes, before and after.
    """

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
        """In one line."""
        old, new = self.priority
        return f"write {self.path} with priority {new} instead of {old} for {self.instance}"

    def look(self) -> Side:
        """By the digest of the file."""
        try:
            found = digest(self._read())
        except OSError as error:
            raise StepFailed(f"{self.path} cannot be read: {error.strerror or error}") from error
        before, after = self.digests
        return Side.BEFORE if found == before else Side.AFTER if found == after else Side.NEITHER

    def do(self) -> None:
        """Write the new priority."""
        self._edit(self.priority[1], self.digests)

    def undo(self) -> None:
        """Write the old one: the very bytes that were there."""
        before, after = self.digests
        self._edit(self.priority[0], (after, before))

    def _edit(self, priority: int, digests: tuple[str, str]) -> None:
        try:
            data = self._read()
            if digest(data) != digests[0]:
                raise StepFailed(f"somebody changed {self.path} meanwhile: look again")
            edited = _bytes(set_priority(data.decode("utf-8", "surrogateescape"), self.instance, priority))
            if digest(edited) != digests[1]:
                raise StepFailed(f"{self.path} would not be as it was: change its priority to {priority} by hand")
            self._write(edited, data)
        except EditError as why:
            raise StepFailed(f"{self.path}: {why}") from why
        except OSError as error:
            raise StepFailed(f"{self.path} was not written: {self._reason(error)}") from error

    def _read(self) -> bytes:
        return Path(self.daemon.outside(self.path)).read_bytes()

    def _write(self, data: bytes, instead_of: bytes) -> None:
        write_atomically(self.daemon.outside(self.path), data, instead_of=instead_of)

    def _reason(self, error: OSError) -> str:
        if error.errno in (errno.EBUSY, errno.EROFS):
            return obstacle(self.daemon.pid, self.path) or str(error)
        return error.strerror or str(error)

    def to_json(self) -> Json:
        """For the journal; no text of the file."""
        return {
            "daemon": self.daemon.to_json(),
            "path": self.path,
            "instance": self.instance,
            "priority": list(self.priority),
            "digests": list(self.digests),
        }

    @classmethod
    def from_json(cls, data: Json) -> ReplaceFile:
        """From the journal."""
        before, after = data["priority"]
        digests = (str(data["digests"][0]), str(data["digests"][1]))
        daemon = Daemon.from_json(data["daemon"])
        return cls(daemon, str(data["path"]), str(data["instance"]), (int(before), int(after)), digests)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def write_atomically(path: str, data: bytes, *, create: bool = False, instead_of: bytes | None = None) -> None:
    """Replace a file: there is never a moment at which another reader finds it missing or half-written.

    Mode, owner and extended attributes (SELinux labels, ACLs) are those of the old file. The draft is hidden, so
    that no ``include *.conf`` takes it in.

    Args:
        path: of the file.
        data: its new bytes.
        create: also when it is not there yet, readable by everybody then.
        instead_of: what is in it; looked at once more when the draft is on disk, which may take a while: a controller
            that rewrites the file in place meanwhile would write into a file that nobody has any more.

    Raises:
        OSError: EBUSY when it is a mount of its own, EROFS, EACCES, ENOSPC, EAGAIN when somebody changed it meanwhile;
            then the old file is untouched.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}{_DRAFT}{secrets.token_hex(4)}")
    old = None if create and not target.exists() else target.stat()
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _require(target: Path, data: bytes) -> None:
    if target.read_bytes() != data:
        raise OSError(errno.EAGAIN, "somebody changed it meanwhile: look again")


def drafts_of(path: Path) -> list[Path]:
    """What writes that were cut short (kill -9) left beside a file.

    Raises:
        OSError: the folder cannot be read.
    """
    start = f".{path.name}{_DRAFT}"
    return [found for found in path.parent.iterdir() if found.name.startswith(start)]


def _copy_attributes(path: str, fd: int) -> None:
    """Where the file system has any; one that may not be set (another module's label) keeps no other from it."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listxattr(path)
    for name in names:
        with contextlib.suppress(OSError):
            os.setxattr(fd, name, os.getxattr(path, name))


def obstacle(pid: int, path: str) -> str | None:
    """Why the process's file cannot be replaced by a rename, and what to change instead; None when it can."""
    try:
        mounts = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # then writing it will tell
    return obstacle_in(mounts, path)


def obstacle_in(mountinfo: str, path: str) -> str | None:
    """The same from the text of ``/proc/PID/mountinfo`` (proc(5)): the last mount above the path counts."""
    best: tuple[str, str, set[str]] | None = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, super_fields = left.split(), right.split()
        if len(fields) < 6 or len(super_fields) < 3:
            continue
        source, point = _unescaped(fields[3]), _unescaped(fields[4])
        above = path == point or path.startswith(point.rstrip("/") + "/")
        if above and (best is None or len(point) >= len(best[1])):
            best = (source, point, {*fields[5].split(","), *super_fields[2].split(",")})
    if best is None:
        return None
    source, point, options = best
    if point != path and "ro" not in options:
        return None
    below = path[len(point) :]
    why = f"{path} is a mount of its own and cannot be replaced" if point == path else f"{path} is mounted read-only"
    return f"{why}: change {_instead(source + below)}"


def _instead(source: str) -> str:
    match = _VOLUME.search(source)
    if match is None:
        return f"the file that is mounted there, {source} on the host's file system, and then reload"
    name = match[2] or match[3]
    if match[1] == "configmap" or match[3]:
        return f"the ConfigMap (or other source) of the pod's volume '{name}' instead, and then reload"
    return f"the source of the pod's volume '{name}' instead, and then reload"


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda m: chr(int(m[1], 8)), text)
