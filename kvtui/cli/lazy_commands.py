"""The command line without the commands that nobody typed: typer builds each of them anew at every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer.models import CommandInfo

HELP = frozenset({"-h", "--help"})


def lazy_commands(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """The same application with the commands that occur among the words; all of them where a list may be shown.

    A command that is to run is one of the words, so nothing can be missed. Building all takes 15 to 20 ms, as long
    as Python itself needs to start.

    Args:
        app: all of it.
        words: what was typed after ``kvtui``.
    """
    typed = frozenset(words)
    if typed & HELP:
        return app
    commands = [c for c in app.registered_commands if _name(c) in typed]
    groups = [g for g in app.registered_groups if g.typer_instance and str(g.typer_instance.info.name) in typed]
    if not commands and not groups:
        return app
    narrow = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=app.rich_markup_mode)
    narrow.info, narrow.registered_callback = app.info, app.registered_callback
    narrow.registered_commands, narrow.registered_groups = commands, groups
    return narrow


def _name(command: CommandInfo) -> str:
    callback = command.callback
    return command.name or (callback.__name__.replace("_", "-") if callback else "")
