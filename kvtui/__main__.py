"""``kvtui`` and ``python -m kvtui``: joins the two siblings, the command line and the terminal UI."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation


def main() -> None:
    """Run kvtui; ends with the exit code of design.md.

    Raises:
        SystemExit: always.
    """
    from kvtui.cli.main import run  # noqa: PLC0415 - `python -m kvtui` must be importable without typer

    sys.exit(run(_terminal_ui))


def _terminal_ui(invocation: Invocation) -> None:
    from dataclasses import replace  # noqa: PLC0415 - a TAB does without

    from kvtui.terminal import run  # noqa: PLC0415 - textual costs 0.2 s; only the terminal UI needs it

    run(replace(invocation, at_once=True).observer(triage=True), invocation.ui())


if __name__ == "__main__":
    main()
