"""``kvtui`` and ``python -m kvtui``: connects the command line and the terminal UI, which do not import each other."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation


def main() -> None:
    gc.set_threshold(100_000, 10, 10)  # what a command makes has few cycles; the terminal UI sets its own
    from kvtui.backend import lazy_modules  # noqa: PLC0415 - this module must be importable without anything

    lazy_modules.install()
    from kvtui.cli.main import run  # noqa: PLC0415 - as above

    _exit(run(_terminal_ui))


def _terminal_ui(invocation: Invocation) -> None:
    from msgspec.structs import replace  # noqa: PLC0415 - completion does without

    from kvtui.terminal import run  # noqa: PLC0415 - textual takes 0.2 s to import

    run(replace(invocation, at_once=True).observer(triage=True), invocation.ui())


def _exit(code: int) -> NoReturn:
    """Ends the process without taking every module and object apart, which is a fifth of the CPU of ``kvtui ipvs``.

    What ``atexit`` has registered runs as always, and a thread that Python would wait for is waited for.
    """
    if all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to run them before os._exit
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it, or it is closed
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
