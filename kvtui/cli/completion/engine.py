"""Typer's completion engine, answering in plain lines that each of the three scripts can read.

The environment variable ``_KVTUI_LINE`` holds the command line up to the cursor. The answer has a line for each value,
``value TAB description``, or the single line ``TAB file`` where a file name is expected.
"""

from __future__ import annotations

import os
from typing import Any

# typer 0.28 keeps its copy of click here; pyproject.toml pins the version
from typer._click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

from kvtui.cli.completion.values import FILE

MAX_DESCRIPTION = 72
"""Characters: what fits beside a value on a terminal of 100 columns."""

CURSOR = "\0"
"""Marks the end of the line. The environment cannot hold this character, so it is not part of the line."""


class LineComplete(ShellComplete):
    """Click's way to add a shell ("Adding Support for a Shell" in its manual)."""

    name = "lines"
    source_template = ""  # the scripts are in ``scripts``

    def source_vars(self) -> dict[str, Any]:
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        *words, last = split_arg_string(os.environ.get("_KVTUI_LINE", "") + CURSOR)
        return words[1:], last.removesuffix(CURSOR)

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Returns the values as the shell sees the word: ``--output=json`` after ``--output=``."""
        found = super().get_completions(args, incomplete)
        option, equals, _value = incomplete.partition("=")
        if equals and option.startswith("--"):
            for item in found:
                item.value = f"{option}={item.value}"
        return found

    def format_completion(self, item: CompletionItem) -> str:
        """Returns a line. Typer's own classes import rich for this, which costs as much as typer itself."""
        if item.help == FILE:
            return f"\t{FILE}"
        return f"{item.value}\t{shorten(' '.join((item.help or '').split()))}"


def shorten(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else text[:MAX_DESCRIPTION].rsplit(" ", 1)[0] + " ..."


def register() -> None:
    add_completion_class(LineComplete, LineComplete.name)
