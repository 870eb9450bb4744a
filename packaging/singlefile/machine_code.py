"""Lets Python import machine code from the single file: a zip has no file that a process could map."""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from typing import Any

ARCHIVE: Any = __loader__  # the zipimporter of this archive


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
