"""Lets Python import machine code from the single file: a process cannot map a file in a zip."""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from typing import Any

ARCHIVE: Any = __loader__  # the zipimporter of this archive


class MachineCode:
    """Finds modules with machine code in the archive, and loads each from memory: no process can map a file in a zip.

    It writes no file: anonymous memory (memfd_create(2)) also works on a read-only file system and if /tmp is mounted
    noexec.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Returns the module's spec, or None if the archive has no such file for this Python and machine."""
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


sys.meta_path.append(MachineCode)  # comes last: finds only what zipimport does not find
