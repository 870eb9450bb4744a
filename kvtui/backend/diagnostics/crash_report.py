"""What a person reads when kvtui crashes, and the file that a bug report needs."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from itertools import count
from traceback import TracebackException
from typing import TYPE_CHECKING

from kvtui import __version__
from kvtui.backend.diagnostics.private_file import folders, open_private
from kvtui.backend.diagnostics.redact import redact

if TYPE_CHECKING:
    from pathlib import Path

MAX_REPORT_CHARACTERS = 200_000
MAX_ERROR_CHARACTERS = 400
MAX_REPORTS = 10  # reports in a folder: kvtui that crashes in a loop does not fill the disk

actions_begun = 0


def action_begins() -> None:
    """Remembers that this process changes the node: a crash must not claim that it did not."""
    global actions_begun  # noqa: PLW0603 - a fact about this process
    actions_begun += 1


def save(error: BaseException, state: Path) -> str:
    """Writes a report, and returns the sentences for the person."""
    path = write(error, state)
    where = f"Report: {path}" if path else f"The report cannot be written to a file:\n{text(error)}"
    changed = (
        "An action had begun: `kvtui journal` shows whether it was put back."
        if actions_begun
        else "Your node was not changed."
    )
    return f"kvtui crashed; this is a bug. {changed}\n{one_line(error)}\n{where}"


def one_line(error: BaseException) -> str:
    """Returns type and message, without secrets."""
    what = "".join(TracebackException.from_exception(error).format_exception_only()).strip()
    return redact(what)[:MAX_ERROR_CHARACTERS]


def versions() -> str:
    return f"kvtui {__version__}, Python {sys.version.split()[0]}, Linux {os.uname().release}, uid {os.geteuid()}"


def text(error: BaseException) -> str:
    """Returns the report: version, command line and traceback, without the values of variables and without secrets."""
    trace = TracebackException.from_exception(error, capture_locals=False)
    return redact(
        f"{versions()}\n"
        f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} kvtui {' '.join(sys.argv[1:])}\n\n"
        f"{''.join(trace.format())}"
    )[-MAX_REPORT_CHARACTERS:]


def write(error: BaseException, state: Path | None) -> Path | None:
    """Writes a report into the state folder or another of ``folders``; None when none can be written."""
    name = time.strftime(f"kvtui-crash-%Y%m%d-%H%M%S-{os.getpid()}")
    report = text(error)
    for folder in folders(state):
        with suppress(OSError):
            path = next(p for n in count() if not (p := folder / f"{name}{f'-{n}' if n else ''}.txt").exists())
            descriptor = open_private(path, new=True)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(report)
            ours = [p for p in folder.glob("kvtui-crash-*.txt") if p.lstat().st_uid == os.geteuid()]
            for old in sorted(ours)[:-MAX_REPORTS]:
                old.unlink(missing_ok=True)
            return path
    return None
