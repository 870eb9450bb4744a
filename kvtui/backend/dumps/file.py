"""A dump file in keepalived's folder, and whether it can be believed: /tmp is everybody's."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from kvtui.backend.linux.files import NotRegularFileError, open_regular, resolve_inside

LARGEST = 16 << 20  # bytes; a thousand instances make about 2 MB


class DumpUnavailable(Exception):  # noqa: N818 - a state of the source, shown as one
    """keepalived's own view cannot be had; the message says why and what would help. It never quotes a dump."""


class Stamp(Struct, frozen=True):
    """What changes when a file is written anew."""

    inode: int
    modified_ns: int
    size: int


class DumpFile(Struct, frozen=True):
    """A dump file.

    Attributes:
        root: prefix for keepalived's paths (``Keepalived.root``).
        path: inside keepalived's mount namespace.
        uid: keepalived's user; only files of that user or of root are believed.
    """

    root: str
    path: str
    uid: int

    def stamp(self) -> Stamp | None:
        """Its state now, or None when there is none.

        Raises:
            DumpUnavailable: the folder may not be looked into.
        """
        try:
            status = os.lstat(self._outside())
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except PermissionError as error:
            raise self._denied() from error
        return Stamp(status.st_ino, status.st_mtime_ns, status.st_size)

    def read(self) -> tuple[str, Stamp]:
        """Its text and state; bytes that are no UTF-8 are replaced.

        Raises:
            FileNotFoundError: there is none.
            DumpUnavailable: it may not be read, or is not a regular file of keepalived's user or of root.
        """
        try:
            fd = open_regular(self._outside(), follow=False)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError) as error:
            raise FileNotFoundError(2, f"{self.path} is not there") from error
        except PermissionError as error:
            raise self._denied() from error
        except NotRegularFileError as error:
            raise DumpUnavailable(f"{self.path} is no regular file, so it is not keepalived's: remove it") from error
        except OSError as error:
            raise DumpUnavailable(f"{self.path} cannot be opened: {error.strerror}") from error
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(fd)
            if status.st_uid not in {self.uid, 0}:
                raise DumpUnavailable(
                    f"{self.path} belongs to user {status.st_uid}, not to keepalived: not believed; remove it"
                )
            text = file.read(LARGEST).decode("utf-8", "replace")
        return text, Stamp(status.st_ino, status.st_mtime_ns, status.st_size)

    def _outside(self) -> str:
        """The folder's links are followed inside keepalived's root; a link at the end is not followed."""
        folder, _, name = self.path.rpartition("/")
        return f"{resolve_inside(self.root, folder or '/')}/{name}"

    def _denied(self) -> DumpUnavailable:
        return DumpUnavailable(
            f"{self.path} may not be read: run kvtui as root, or with CAP_SYS_PTRACE as user {self.uid}"
        )


def data_files(root: str, folder: str, kind: str, uid: int) -> list[DumpFile]:
    """Text dumps of a kind: ``keepalived.data``, and every ``keepalived.NAME.data`` (``data_use_instance``).

    Args:
        root: prefix for keepalived's paths.
        folder: its temporary folder.
        kind: ``keepalived`` or ``keepalived_check``.
        uid: keepalived's user.
    """
    try:
        names = [entry.name for entry in Path(resolve_inside(root, folder)).iterdir()]
    except OSError:
        names = []
    found = {name for name in names if name.startswith(f"{kind}.") and name.endswith(".data")} | {f"{kind}.data"}
    return [DumpFile(root, f"{folder.rstrip('/')}/{name}", uid) for name in sorted(found)]
