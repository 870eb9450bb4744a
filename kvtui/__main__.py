"""``kvtui`` and ``python -m kvtui``: connects the command line and the terminal UI, which do not import each other."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation


def main() -> None:
    gc.set_threshold(100_000, 10, 10)  # what a command makes has few cycles; the terminal UI sets its own
    from kvtui.cli.main import run  # noqa: PLC0415 - this module must be importable without typer

    sys.exit(run(_terminal_ui))


def _terminal_ui(invocation: Invocation) -> None:
    from msgspec.structs import replace  # noqa: PLC0415 - completion does without

    from kvtui.terminal import run  # noqa: PLC0415 - textual takes 0.2 s to import

    run(replace(invocation, at_once=True).observer(triage=True), invocation.ui())


if __name__ == "__main__":
    main()
