"""``kvtui config``: the settings, and where each value comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from kvtui.cli.config_layer import as_toml, effective_values
from kvtui.cli.node_command import ActionCommand
from kvtui.cli.output import encode, info, write
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.model.config import Config

app = typer.Typer(
    name="config",
    help="The settings, and where each value comes from.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(cls=ActionCommand)
def show(context: typer.Context) -> None:
    """Show every setting, its value, and its origin: an option, a variable, a line of a file, or the default.

    Exit code: 1 if a file has an entry that kvtui cannot use. Example: kvtui config show
    """
    invocation = context.obj
    config = invocation.config
    values = list(effective_values(config, context.find_root()))
    problems = [*config.problems, *_key_problems(config)]
    if invocation.form.is_text:
        from kvtui.cli.tables import table  # noqa: PLC0415 - JSON does without

        rows = [(v.setting.key, as_toml(v.value, v.setting.kind), v.origin) for v in values]
        rows += [(f"keys.{name}", f'"{plain(str(c.value))}"', c.where) for name, c in config.keys.items()]
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
            "keys": [{"id": k, "keys": c.value, "from": c.where} for k, c in config.keys.items()],
            "files": [{"path": path, "read": read} for path, read in config.files.items()],
            "problems": problems,
        }
        write(encode(document, invocation.form))
    raise typer.Exit(1 if problems else 0)


def _key_problems(config: Config) -> tuple[str, ...]:
    from kvtui.presenters.keymap import keymap  # noqa: PLC0415 - only this command needs it

    return keymap(config.keys).problems


@app.command()
def path() -> None:
    """Print the config files in the order in which they are read; a later file overrides an earlier one.

    Example: ${EDITOR:-vi} "$(kvtui config path | tail -n 1)"
    """
    from kvtui.backend.config_file import paths  # noqa: PLC0415 - only this command needs it

    write("".join(f"{p}\n" for p in paths(os.environ)))
