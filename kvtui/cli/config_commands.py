"""``kvtui config``: what is configured, and where each value comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from kvtui.cli.config_layer import key_row, shown, written
from kvtui.cli.options import FormatOption  # noqa: TC001 - Typer reads the annotation
from kvtui.cli.output import Format, encode, info, write
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.model.config import Config

app = typer.Typer(
    name="config",
    help="What is configured, and where each value comes from.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def show(context: typer.Context, output: FormatOption = None) -> None:
    """Every setting, its value, and where that comes from: an option, a variable, a file's line, or the default.

    Exit code: 1 when something in a file is not used. Example: kvtui config show
    """
    invocation = context.obj
    config = invocation.config
    rows = list(shown(config, context.find_root()))
    problems = [*config.problems, *_key_problems(config)]
    if (output or invocation.form) is Format.TEXT:
        lines = [(r.setting.key, written(r.value, r.setting.kind), plain(r.origin)) for r in rows]
        write(_columns([*lines, *(key_row(name, keys) for name, keys in config.keys.items())]))
        for problem in problems:
            info(problem)
    else:
        document = {
            "settings": [
                {
                    "key": r.setting.key,
                    "value": list(r.value) if isinstance(r.value, tuple) else r.value,
                    "from": r.origin,
                    "help": r.setting.help,
                }
                for r in rows
            ],
            "keys": [{"id": k, "keys": c.value, "from": c.where} for k, c in config.keys.items()],
            "files": [{"path": path, "read": read} for path, read in config.files.items()],
            "problems": problems,
        }
        write(encode(document, output or invocation.form))
    raise typer.Exit(1 if problems else 0)


def _key_problems(config: Config) -> tuple[str, ...]:
    from kvtui.presenters.keymap import keymap  # noqa: PLC0415 - only this command needs it

    return keymap(config.keys).problems


def _columns(rows: list[tuple[str, str, str]]) -> str:
    table = [("SETTING", "VALUE", "FROM"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(2)]
    return "".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}\n" for a, b, c in table)


@app.command()
def path(context: typer.Context) -> None:
    """The files that are read, in the order of reading; the later one's word counts.

    Example: ${EDITOR:-vi} "$(kvtui config path | tail -n 1)"
    """
    del context
    from kvtui.backend.config_file import paths  # noqa: PLC0415 - it was imported at the start already

    write("".join(f"{p}\n" for p in paths(os.environ)))
