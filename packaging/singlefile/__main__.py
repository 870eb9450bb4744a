"""What the single file starts with: machine code in it is loaded from memory, so that nothing is ever unpacked."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import zipimport
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
OLDEST = (3, 11)


class MemoryExtensions:
    """Finds extension modules in the archive and loads them from a memory file: zipimport knows none (PEP 273)."""

    def __init__(self, archive: str) -> None:
        self._archive = zipimport.zipimporter(archive)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See ``importlib.abc.MetaPathFinder``."""
        del path, target
        try:
            code = self._archive.get_data(name.replace(".", os.sep) + SUFFIX)
        except OSError:  # not one of ours
            return None
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
        with os.fdopen(fd, "wb", closefd=False) as file:  # stays open: its path is the module's
            file.write(code)
        origin = f"/proc/self/fd/{fd}"
        loader = importlib.machinery.ExtensionFileLoader(name, origin)
        return importlib.util.spec_from_file_location(name, origin, loader=loader)


def main() -> None:
    """Run kvtui."""
    if sys.version_info < OLDEST:
        sys.exit(f"kvtui needs Python 3.11 or newer; this is {sys.version.split()[0]}: PYTHON {sys.argv[0]} …")
    sys.meta_path.insert(0, MemoryExtensions(sys.path[0]))
    from kvtui.__main__ import main as kvtui  # noqa: PLC0415 - only now can it be found

    kvtui()


if __name__ == "__main__":
    main()
