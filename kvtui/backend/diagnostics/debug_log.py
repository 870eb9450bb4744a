"""The debug log: ``--debug`` and ``KVTUI_DEBUG=FILE``. Without them nothing is logged."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.diagnostics.crash_report import versions
from kvtui.backend.diagnostics.private_file import folders, open_private
from kvtui.backend.diagnostics.redact import redact

if TYPE_CHECKING:
    from io import TextIOWrapper

VARIABLE = "KVTUI_DEBUG"
MAX_FILE_BYTES = 1_000_000
OLD_FILES = 2
MAX_RECORD_CHARACTERS = 8_000
FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(threadName)s %(name)s: %(message)s"


class PrivateRotatingHandler(RotatingFileHandler):
    """A rotating log that only its owner reads. A full disk stops the log, not kvtui."""

    def _open(self) -> TextIOWrapper:
        descriptor = open_private(Path(self.baseFilename))
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Drops the record: there is no better place to say so."""


class RedactingFormatter(logging.Formatter):
    """Masks secrets in the whole record, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record)[:MAX_RECORD_CHARACTERS])


def start(state: Path) -> Path:
    """Logs to the file that ``KVTUI_DEBUG`` names, else to ``kvtui-debug.log`` in one of ``folders``.

    Raises OSError when it cannot be written.
    """
    if named := os.environ.get(VARIABLE):
        return _start(Path(named))
    *first, last = folders(state)
    for folder in first:
        with suppress(OSError):
            return _start(folder / "kvtui-debug.log")
    return _start(last / "kvtui-debug.log")


def _start(path: Path) -> Path:
    handler = PrivateRotatingHandler(path, maxBytes=MAX_FILE_BYTES, backupCount=OLD_FILES)
    handler.setFormatter(RedactingFormatter(FORMAT, "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(handler)  # libraries' warnings too
    log = logging.getLogger("kvtui")
    log.setLevel(logging.DEBUG)
    log.info("%s: %s", versions(), " ".join(sys.argv[1:]))
    return Path(handler.baseFilename)
