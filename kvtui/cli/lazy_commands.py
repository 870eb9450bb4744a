"""Imports and builds only the command that was typed: Typer builds every registered command at each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer
    from typer.models import CommandInfo

HELP = frozenset({"-h", "--help"})


def _views(app: typer.Typer) -> None:
    from kvtui.cli import chain_commands, view_commands  # noqa: PLC0415 - only if one of them was typed
    from kvtui.cli.node_command import ClusterCommand, NodeCommand  # noqa: PLC0415 - as above

    for command in (*view_commands.VIEWS, chain_commands.trace, chain_commands.render, view_commands.triage):
        app.command(cls=NodeCommand)(command)
    app.command(cls=ClusterCommand)(view_commands.cluster)


def _actions(app: typer.Typer) -> None:
    from kvtui.cli import act_commands  # noqa: PLC0415 - as above
    from kvtui.cli.node_command import ActionCommand, NodeCommand  # noqa: PLC0415 - as above

    for command in act_commands.ACTING:
        app.command(cls=ActionCommand, epilog=act_commands.CODES)(command)
    app.command(cls=NodeCommand)(act_commands.journal)


def _config(app: typer.Typer) -> None:
    from kvtui.cli import config_commands  # noqa: PLC0415 - as above

    app.add_typer(config_commands.app)


def _self(app: typer.Typer) -> None:
    from kvtui.cli import self_commands  # noqa: PLC0415 - as above

    app.command()(self_commands.schema)
    app.command()(self_commands.completion)


PARTS: tuple[tuple[str, Callable[[typer.Typer], None]], ...] = (
    ("status vrrp vips ipvs top mappings trace render triage cluster", _views),
    ("reload check drain undrain priority failover undo journal", _actions),
    ("config", _config),
    ("schema completion", _self),
)
"""Names of commands, and what registers them, in the order of the help."""


def add_commands(app: typer.Typer, words: Sequence[str]) -> None:
    """Registers the commands that occur among the words; all of them if the command line may list them.

    To import and build all commands takes 30 ms, more than Python itself takes to start. Options alone start the
    terminal UI, which needs none.
    """
    typed = frozenset(words)
    wanted = [add for names, add in PARTS if not typed.isdisjoint(names.split())]
    if typed & HELP or not (wanted or all(word.startswith("-") for word in words)):
        for _, add in PARTS:
            add(app)
        return
    for add in wanted:
        add(app)
    app.registered_commands = [c for c in app.registered_commands if _name(c) in typed]


def _name(command: CommandInfo) -> str:
    callback = command.callback
    return command.name or (callback.__name__.replace("_", "-") if callback else "")
