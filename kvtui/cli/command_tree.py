"""The command line as data, taken from the commands themselves: the manual page is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option or an argument.

    Attributes:
        names: of an option, such as ``-o`` and ``--output``; of an argument what stands for it: ``REAL[:PORT]``.
        usage: as ``--help`` writes it, such as ``-o, --output <text|json|yaml>``.
        help: what ``--help`` says, with environment variable and default.
        summary: the same without them.
    """

    names: tuple[str, ...]
    usage: str
    help: str
    summary: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or kvtui itself.

    Attributes:
        path: the words after ``kvtui``; empty for kvtui itself.
        help: its text, as ``--help`` has it.
        epilog: what comes after the options.
        options: in their order; ``--help`` is not among them.
        arguments: in their order.
        commands: below it.
    """

    path: tuple[str, ...]
    help: str
    epilog: str
    options: tuple[Parameter, ...]
    arguments: tuple[Parameter, ...]
    commands: tuple[Command, ...]

    @property
    def summary(self) -> str:
        """Its first paragraph on one line."""
        return " ".join(self.help.split("\n\n")[0].split())

    def all(self) -> Iterator[Command]:
        """This one and all below it."""
        yield self
        for command in self.commands:
            yield from command.all()


def command_tree() -> Command:
    """The whole command line; hidden commands and options are left out."""
    from typer.main import get_command  # noqa: PLC0415 - only generators need it

    from kvtui.cli.main import app  # noqa: PLC0415 - main imports this module's sibling

    return _command(get_command(app), ())


def _command(command: Any, path: tuple[str, ...]) -> Command:
    """Typer keeps its own copy of click and exports no type of it, hence Any."""
    import typer  # noqa: PLC0415 - only generators need it

    context = typer.Context(command, info_name=" ".join(("kvtui", *path)))
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    below = getattr(command, "commands", {})
    return Command(
        path,
        (command.help or "").strip(),
        command.epilog or "",
        tuple(_parameter(p, context) for p in shown if p.param_type_name == "option"),
        tuple(_parameter(p, context) for p in shown if p.param_type_name == "argument"),
        tuple(_command(c, (*path, name)) for name, c in below.items() if not c.hidden),
    )


def _parameter(parameter: Any, context: Any) -> Parameter:
    usage, text = parameter.get_help_record(context) or (parameter.name, "")
    option = parameter.param_type_name == "option"
    shown = parameter.metavar or parameter.name.upper()
    return Parameter(
        tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=len)) if option else (shown,),
        usage=usage if option else shown,
        help=" ".join(text.split()),
        summary=" ".join((parameter.help or "").split()),
    )
