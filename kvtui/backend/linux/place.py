"""A file's name in a folder that is held open: what is read and written there cannot be led elsewhere meanwhile."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import posixpath
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kvtui.backend.linux.files import MAX_TEXT_BYTES, read_open, reopen_regular
from kvtui.backend.linux.rooted import MAX_LINKS, closing_fd, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMP_INFIX = ".kvtui-"


@contextmanager
def open_place(path: str, root: str = "") -> Iterator[Place]:
    """Opens the folder of a file, which need not exist. A link at its end is followed, inside the root.

    Arguments as in ``rooted.open_path``. Raises OSError: the folder cannot be reached.
    """
    for _ in range(MAX_LINKS):
        folder, name = posixpath.split(path)
        with closing_fd(open_folder(folder or ("/" if root else "."), root)) as fd:
            target = _link(fd, name)
            if target is None:
                yield Place(fd, name, path)
                return
        path = posixpath.join(folder, target)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _link(folder: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.EINVAL}:  # EINVAL: not a link
            raise
        return None


class Place:
    """Where a file is; ``open_place`` makes it."""

    def __init__(self, folder: int, name: str, path: str) -> None:
        self._folder, self._name, self._path = folder, name, path

    def stat(self) -> os.stat_result:
        """Raises OSError: it is not there, or is no regular file."""
        state = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", self._path)
        return state

    def read(self, limit: int = MAX_TEXT_BYTES) -> bytes:
        """Raises OSError: it is not there, is no regular file, or is too large."""
        return read_open(self._open(), self._path, limit)

    def _open(self) -> int:
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        with closing_fd(os.open(self._name, flags, dir_fd=self._folder)) as handle:
            return reopen_regular(handle, self._path)

    def unlink(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)

    def keep_as(self, name: str) -> None:
        """Gives the file a second name beside its own: the first of ``name``, ``name-2`` … that is free."""
        for number in itertools.count(1):
            found = name if number == 1 else f"{name}-{number}"
            with contextlib.suppress(FileExistsError):
                os.link(self._name, found, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
                return

    def write(self, data: bytes, *, create: bool = False, instead_of: bytes | None = None) -> None:
        """Replaces the file: there is never a moment at which another reader finds it missing or half-written.

        Mode, owner and extended attributes (SELinux labels, ACLs) are those of the old file. The temp file is hidden,
        so that no ``include *.conf`` takes it in.

        Args:
            data: its new bytes.
            create: also when it is not there yet, readable by everybody then.
            instead_of: its present bytes, compared again when the temp file is on disk: a controller may have
                rewritten the file in place meanwhile.

        Raises OSError: EBUSY when it is a mount of its own, EROFS, EACCES, ENOSPC, EAGAIN when something else changed
        it; then the old file is untouched.
        """
        temp = f".{self._name}{TEMP_INFIX}{secrets.token_hex(4)}"
        old: os.stat_result | None = None
        try:
            old = self.stat()
        except FileNotFoundError:
            if not create:
                raise
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(temp, flags, 0o600, dir_fd=self._folder)
        try:
            with closing_fd(fd):
                self._copy_metadata(fd, old)
                rest = data
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.fsync(fd)
            if instead_of is not None:
                self._require(instead_of)
            os.rename(temp, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temp, dir_fd=self._folder)
            raise
        os.fsync(self._folder)

    def _require(self, data: bytes) -> None:
        if self.read() != data:
            raise OSError(errno.EAGAIN, "it was changed by something else: check it and try again")

    def _copy_metadata(self, fd: int, old: os.stat_result | None) -> None:
        if old is None:
            os.fchmod(fd, 0o644)
            return
        os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, old.st_mode & 0o7777)
        with closing_fd(self._open()) as source, contextlib.suppress(OSError):  # a file system may have none
            for name in os.listxattr(source):
                with contextlib.suppress(OSError):  # one that may not be set: another module's label
                    os.setxattr(fd, name, os.getxattr(source, name))

    def temp_files(self) -> list[str]:
        """Returns the names of those that interrupted writes (kill -9) left; raises OSError."""
        start = f".{self._name}{TEMP_INFIX}"
        return [name for name in os.listdir(self._folder) if name.startswith(start)]  # noqa: PTH208 - a descriptor

    def remove_temp_files(self) -> None:
        for name in self.temp_files():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)
