"""The command line as data, read from the Typer application: the manual page is made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from msgspec import Struct
from typer.main import get_command

from kvtui.cli.commands import NodeCommand
from kvtui.cli.main import application

if TYPE_CHECKING:
    from collections.abc import Iterator


class Parameter(Struct, frozen=True):
    """An option or an argument; of an argument the name is its placeholder: ``REAL[:PORT]``."""

    names: tuple[str, ...]
    usage: str
    help: str
    """As in ``--help``, with environment variable and default."""
    summary: str


class Command(Struct, frozen=True):
    """A command, or kvtui itself, whose path is empty; without hidden commands and options, and without ``--help``."""

    path: tuple[str, ...]
    help: str
    epilog: str
    options: tuple[Parameter, ...]
    global_options: tuple[Parameter, ...]
    """Options of kvtui itself that may also follow the command."""
    arguments: tuple[Parameter, ...]
    commands: tuple[Command, ...]

    @property
    def summary(self) -> str:
        return " ".join(self.help.split("\n\n")[0].split())

    def all(self) -> Iterator[Command]:
        yield self
        for command in self.commands:
            yield from command.all()


def command_tree() -> Command:
    return _command(get_command(application()), (), None)


def _command(command: Any, path: tuple[str, ...], parent: Any) -> Command:
    """Takes ``Any``, because Typer keeps its own copy of click and exports no type of it."""
    context = typer.Context(command, info_name=path[-1] if path else "kvtui", parent=parent)
    visible = [p for p in command.params if not getattr(p, "hidden", False)]
    common = command.global_options(context) if isinstance(command, NodeCommand) else ()
    subcommands = getattr(command, "commands", {})
    return Command(
        path,
        (command.help or "").strip(),
        command.epilog or "",
        tuple(_parameter(p, context) for p in visible if p.param_type_name == "option"),
        tuple(_parameter(p, context.find_root()) for p in common),
        tuple(_parameter(p, context) for p in visible if p.param_type_name == "argument"),
        tuple(_command(c, (*path, name), context) for name, c in subcommands.items() if not c.hidden),
    )


def _parameter(parameter: Any, context: Any) -> Parameter:
    usage, text = parameter.get_help_record(context) or (parameter.name, "")
    option = parameter.param_type_name == "option"
    placeholder = parameter.metavar or parameter.name.upper()
    return Parameter(
        tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=len)) if option else (placeholder,),
        usage=usage if option else placeholder,
        help=" ".join(text.split()),
        summary=" ".join((parameter.help or "").split()),
    )
