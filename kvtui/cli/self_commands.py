"""The commands about kvtui itself: ``schema`` and ``completion``."""

from __future__ import annotations

from typing import Annotated

import typer

from kvtui.cli.completion.scripts import SCRIPTS, Shell
from kvtui.cli.output import Format, encode, write


def schema() -> None:
    """Print the JSON Schema of `kvtui status -o json`.

    The other views print parts of that document. $defs has the schemas of render, trace, cluster, and of what
    reload, drain and the other actions print.

    Example: kvtui schema | jq '."$defs".render'
    """
    from kvtui.presenters.schema import schema as build  # noqa: PLC0415 - only this command needs it

    write(encode(build(), Format.JSON))


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the completion script of a shell.

    It completes commands, options, and names of this node.

    Example: eval "$(kvtui completion bash)"
    """
    write(SCRIPTS[shell])
