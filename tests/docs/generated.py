"""Writes docs/keys.md, commands.md, configuration.md and the blocks of lab.md: ``python -m tests.docs.generated``.

The sources are those of ``--help``, of the help on the screen and of ``kvtui config``.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.cli.command_tree import command_tree
from kvtui.model.config import SETTINGS
from kvtui.presenters.keymap import key_name
from kvtui.presenters.keys import COMMON, PANELS, SCOPES
from tests.docs.findings_page import wrapped
from tests.lab.story.lab import HELP
from tests.lab.story.tour import STEPS, step_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.cli.command_tree import Command
    from kvtui.presenters.keys import Key

DOCS = Path(__file__).parents[2] / "docs"
NOTE = "Generated from `{}` by `python -m tests.docs.generated`: do not edit."
MAN = runpy.run_path(str(DOCS.parent / "packaging" / "man" / "generate.py"))
"""The manual page has the texts that are in no registry."""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yields the lines of a table; a `|` in a cell is escaped."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def keys_page() -> Iterator[str]:
    """Yields docs/keys.md."""
    yield from ("# Keys", "", NOTE.format("kvtui/presenters/keys.py"), "")
    yield from ("The name is what `[keys]` in the [configuration](configuration.md) takes.", "")
    titles = {COMMON: "On every screen", PANELS: "In a panel"}
    listed: dict[str, list[Key]] = {}
    for scope, keys in SCOPES:
        listed.setdefault(scope, []).extend(key for key in keys if key.help)
    for scope, found in listed.items():
        name = scope.removesuffix("Screen").replace("Ipvs", "IPVS")
        yield from (f"## {titles.get(scope, f'On the {name} screen')}", "")
        yield from table(("key", "what", "name"), ((f"`{key_name(k.keys)}`", k.help, f"`{k.id}`") for k in found))


def commands_page() -> Iterator[str]:
    """Yields docs/commands.md."""
    kvtui = command_tree()
    commands = [command for command in kvtui.all() if command.path and not command.commands]
    yield from ("# Commands", "", NOTE.format("kvtui/cli"), "")
    links = ((f"[`kvtui {' '.join(c.path)}`](#kvtui-{'-'.join(c.path)})", c.summary) for c in commands)
    yield from table(("command", "what"), links)
    yield from ("## Exit codes", "", *table(("code", "meaning"), MAN["EXIT_STATUS"]))
    yield from ("## Options of kvtui", "")
    where = "They come before the command, or after a command that they concern."
    yield f"{where} If an option is given twice, the last counts."
    yield from ("", *_parameters(kvtui))
    for command in commands:
        yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    name = f"kvtui {' '.join(command.path)}"
    yield from (f"## {name}", "")
    for paragraph in command.help.split("\n\n"):
        text, example, typed = " ".join(paragraph.split()).partition("Example: ")
        yield from ((text.strip(), "") if text.strip() else ())
        yield from (("```console", f"$ {typed}", "```", "") if example else ())
    yield from _parameters(command)


def _parameters(command: Command) -> Iterator[str]:
    found = [*command.arguments, *command.options]
    if found:
        yield from table(("argument or option", "what"), ((f"`{p.usage}`", p.help) for p in found))


def configuration_page() -> Iterator[str]:
    """Yields docs/configuration.md."""
    yield from ("# Configuration", "", NOTE.format("kvtui/model/config.py"), "")
    yield from MAN["CONFIGURATION"].split("\n\n")
    yield from ("", "```toml", *MAN["CONFIG_EXAMPLE"].splitlines(), "```", "")
    rows = (
        (
            f"`{s.key}`",
            s.help,
            f"one of {', '.join(s.choices)}" if s.choices else s.shape or s.kind.value,
            "nothing" if s.default in {None, ()} else str(s.default).lower(),
            f"`{s.variable}`" if s.variable else "",
        )
        for s in SETTINGS
    )
    yield from table(("setting", "what", "value", "default", "variable"), rows)
    yield from ("## Other variables", "", *_named("variable", MAN["ENVIRONMENT"]))
    yield from ("## Files", "", *_named("file", MAN["FILES"]))


def _named(what: str, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return table((what, "what"), ((f"`{name}`", text) for name, text in pairs))


def lab_page() -> Iterator[str]:
    """Yields docs/lab.md; its blocks are the help and the tour of `lab`."""
    blocks = {"help": HELP, "tour": "\n\n".join(step_text(number + 1) for number in range(len(STEPS)))}
    text = (DOCS / "lab.md").read_text(encoding="utf-8")
    for name, block in blocks.items():
        marks = re.compile(rf"(<!-- lab: {name} -->\n```text\n).*?(```\n)", re.DOTALL)
        text = marks.sub(lambda m, block=block: f"{m[1]}{block}\n{m[2]}", text)  # type: ignore[misc]
    yield text


PAGES = {
    "keys.md": keys_page,
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "lab.md": lab_page,
}


def page(name: str) -> str:
    """Returns the text of a page."""
    prose = re.compile(r"[^|#`\s].*")
    lines = (wrapped(line) if prose.fullmatch(line) else line for line in PAGES[name]())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def main() -> None:
    """Writes all of them."""
    for name in PAGES:
        (DOCS / name).write_text(page(name), encoding="utf-8")
        sys.stdout.write(f"{DOCS / name}\n")


if __name__ == "__main__":
    main()
