"""A dump file, trusted only if keepalived's user or root owns it: everybody can write to /tmp."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.linux.files import NotRegularFileError, open_regular
from kvtui.backend.linux.rooted import list_folder, stat_path

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

MAX_FILE_BYTES = 16 << 20  # a thousand instances take about 2 MB


class DumpError(Exception):
    """There is no dump to read; the message says why and what to do, and never quotes a dump."""


class Stamp(Struct, frozen=True):
    """Differs after each write of a file."""

    inode: int
    modified_ns: int
    size: int


class DumpFile(Struct, frozen=True):
    root: str
    path: str
    uid: int

    def stamp(self) -> Stamp | None:
        try:
            status = stat_path(self.path, self.root, follow=False)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except PermissionError as error:
            raise self._denied() from error
        return Stamp(status.st_ino, status.st_mtime_ns, status.st_size)

    def read(self) -> tuple[str, Stamp]:
        """Returns the text, with invalid UTF-8 replaced, and the stamp.

        Raises FileNotFoundError, and DumpError without permission or if no regular file of keepalived's user or root.
        """
        try:
            fd = open_regular(self.path, root=self.root, follow=False)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError) as error:
            raise FileNotFoundError(2, f"{self.path} does not exist") from error
        except PermissionError as error:
            raise self._denied() from error
        except NotRegularFileError as error:
            raise DumpError(f"{self.path} is not a regular file, so keepalived did not write it: remove it") from error
        except OSError as error:
            raise DumpError(f"{self.path} cannot be opened: {error.strerror}") from error
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(fd)
            if status.st_uid not in {self.uid, 0}:
                raise DumpError(
                    f"{self.path} belongs to user {status.st_uid}, not to keepalived, and is not trusted: remove it"
                )
            text = file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
        return text, Stamp(status.st_ino, status.st_mtime_ns, status.st_size)

    def _denied(self) -> DumpError:
        return DumpError(f"{self.path} cannot be read: run kvtui as root, or with CAP_SYS_PTRACE as user {self.uid}")


def dump_files(keepalived: Keepalived, name: str) -> list[DumpFile]:
    """Returns the dumps of that name; ``keepalived.data`` is ``keepalived.NAME.data`` with ``data_use_instance``."""
    names = {name}
    stem, kind = name.split(".")
    if kind == "data":
        with suppress(OSError):
            listed = list_folder(keepalived.tmpdir, keepalived.root)
            names |= {n for n in listed if n.startswith(f"{stem}.") and n.endswith(".data")}
    folder = keepalived.tmpdir.rstrip("/")
    return [DumpFile(keepalived.root, f"{folder}/{n}", keepalived.uid) for n in sorted(names)]
