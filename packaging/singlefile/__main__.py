"""What the single file starts with."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - that is what it is here for
    sys.exit(
        f"kvtui needs Python 3.11 or newer; this is {sys.version.split()[0]}. Name another: python3.11 {sys.argv[0]}"
    )

import os
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from zipimport import zipimporter

ARCHIVE = zipimporter(sys.path[0])


class MachineCode:
    """Finds modules with machine code in the archive: each is loaded from memory, since a zip has no file to map.

    Nothing is written: the file is anonymous memory (memfd_create(2)), so it works where nothing can be written and
    where /tmp is mounted noexec.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module's spec; None where the archive has no such file for this Python and machine."""
        del path, target
        for suffix in EXTENSION_SUFFIXES:
            try:
                code = ARCHIVE.get_data(os.path.join(ARCHIVE.archive, *name.split(".")) + suffix)  # noqa: PTH118
            except OSError:
                continue
            memory = os.memfd_create(name)
            with os.fdopen(os.dup(memory), "wb") as file:
                file.write(code)
            loader = ExtensionFileLoader(name, f"/proc/self/fd/{memory}")
            return spec_from_file_location(name, loader.path, loader=loader)
        return None


sys.meta_path.append(MachineCode)  # asked last: for what zipimport does not find

from kvtui.__main__ import main  # noqa: E402

main()
