"""The commands about kvtui itself: ``config``, ``schema`` and ``completion``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kvtui.cli.commands import ActionCommand
from kvtui.cli.completion.shells import SCRIPTS, Shell
from kvtui.cli.output import Format, encode, info, write
from kvtui.model.config import SETTINGS, Config, Kind, Setting
from kvtui.model.settings import names
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

config = typer.Typer(help="The settings, and where each value comes from.", no_args_is_help=True, rich_markup_mode=None)


@config.command(cls=ActionCommand)
def show(context: typer.Context) -> None:
    """Show every setting, its value, and its origin: an option, a variable, a line of a file, or the default.

    Exit code: 1 if a file has an entry that kvtui cannot use. Example: kvtui config show
    """
    from kvtui.presenters.keymap import keymap  # noqa: PLC0415 - only this command needs it

    invocation = context.obj
    settings = invocation.config
    values = list(_effective_values(settings, context.find_root()))
    problems = [*settings.problems, *keymap(settings.keys).problems]
    if invocation.form.is_text:
        from kvtui.cli.look import table  # noqa: PLC0415 - JSON does without

        rows = [(setting.key, _as_toml(value, setting.kind), origin) for setting, value, origin in values]
        rows += [(f"keys.{name}", f'"{plain(str(c.value))}"', c.where) for name, c in settings.keys.items()]
        write(table(("SETTING", "VALUE", "FROM"), [*rows]))
        for problem in problems:
            info(problem)
    else:
        document = {
            "settings": [
                {"key": setting.key, "value": value, "from": origin, "help": setting.help}
                for setting, value, origin in values
            ],
            "keys": [{"id": k, "keys": c.value, "from": c.where} for k, c in settings.keys.items()],
            "files": [{"path": path, "read": read} for path, read in settings.files.items()],
            "problems": problems,
        }
        write(encode(document, invocation.form))
    raise typer.Exit(1 if problems else 0)


@config.command()
def path() -> None:
    """Print the config files in the order in which they are read; a later file overrides an earlier one.

    Example: ${EDITOR:-vi} "$(kvtui config path | tail -n 1)"
    """
    from kvtui.backend.config_file import paths  # noqa: PLC0415 - only this command needs it

    write("".join(f"{p}\n" for p in paths(os.environ)))


def _effective_values(config: Config, root: Any) -> Iterator[tuple[Setting, Any, str]]:
    """Yields every setting, its value, and its origin: an option, a variable, a line of a file, or "default".

    ``root`` is click's context of the global options (Typer exports no type of it).
    """
    options = {p.name: max(p.opts, key=len) for p in root.command.params}
    for setting in SETTINGS:
        configured = config.values.get(setting.key)
        value, origin = config.value(setting.key), configured.where if configured else "default"
        if setting.parameter in root.params:
            value = root.params[setting.parameter]
            value = not value if setting.inverse else value
            value = names(str(value or "")) if setting.kind is Kind.NAMES else value
            source = root.get_parameter_source(setting.parameter)
            name = source.name if source else ""
            origin = {"COMMANDLINE": options[setting.parameter], "ENVIRONMENT": setting.variable}.get(name, origin)
        yield setting, value, origin


def _as_toml(value: Any, kind: Kind) -> str:
    if value is None:
        return "-"
    if kind is Kind.FLAG:
        return "true" if value else "false"
    if kind is Kind.NUMBER:
        return f"{value:g}"
    if kind is Kind.NAMES:
        return "[" + ", ".join(f'"{plain(v)}"' for v in value) + "]"
    return f'"{plain(str(value))}"'


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


def add_to(app: typer.Typer) -> None:
    app.add_typer(config, name="config")
    app.command()(schema)
    app.command()(completion)
