"""The commands about kvtui itself: ``config``, ``schema`` and ``completion``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from kvtui.cli.commands import ActionCommand
from kvtui.cli.completion.scripts import SCRIPTS, Shell
from kvtui.cli.config_layer import as_toml, effective_values
from kvtui.cli.output import Format, encode, info, write
from kvtui.model.text import plain

config = typer.Typer(help="The settings, and where each value comes from.", no_args_is_help=True, rich_markup_mode=None)


@config.command(cls=ActionCommand)
def show(context: typer.Context) -> None:
    """Show every setting, its value, and its origin: an option, a variable, a line of a file, or the default.

    Exit code: 1 if a file has an entry that kvtui cannot use. Example: kvtui config show
    """
    from kvtui.presenters.keymap import keymap  # noqa: PLC0415 - only this command needs it

    invocation = context.obj
    settings = invocation.config
    values = list(effective_values(settings, context.find_root()))
    problems = [*settings.problems, *keymap(settings.keys).problems]
    if invocation.form.is_text:
        from kvtui.cli.look import table  # noqa: PLC0415 - JSON does without

        rows = [(v.setting.key, as_toml(v.value, v.setting.kind), v.origin) for v in values]
        rows += [(f"keys.{name}", f'"{plain(str(c.value))}"', c.where) for name, c in settings.keys.items()]
        write(table(("SETTING", "VALUE", "FROM"), [*rows]))
        for problem in problems:
            info(problem)
    else:
        document = {
            "settings": [
                {
                    "key": v.setting.key,
                    "value": list(v.value) if isinstance(v.value, tuple) else v.value,
                    "from": v.origin,
                    "help": v.setting.help,
                }
                for v in values
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
