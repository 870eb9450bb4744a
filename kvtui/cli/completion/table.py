"""What a completion script looks up: by a short key, lines of ``value TAB what it is``, or what kind of value it is.

=====================  ==========================================================================================
``c:PATH``             the commands below a command; PATH is empty for kvtui itself
``o:PATH``             its options
``p:PATH:WORD``        the path of the command WORD
``v:PATH:OPTION``      what an option takes; a flag has no such key
``a:PATH:N``           what its Nth argument is
=====================  ==========================================================================================

A kind of value: ``text`` (anything), ``file``, ``=kind`` (ask the node, see ``values``), or the lines of all choices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.cli.outline import outline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.cli.outline import Parameter

Table = dict[str, str]
LONGEST = 72
"""Characters of a description: beside a value on a terminal of 100 columns."""

HELP = ("-h", "--help")


def table() -> Table:
    """All that the scripts know."""
    found: Table = {}
    for command in outline().all():
        path = " ".join(command.path)
        below = [(c.path[-1], c.summary) for c in command.commands]
        if below:
            found[f"c:{path}"] = _lines(below)
        for name, _what in below:
            found[f"p:{path}:{name}"] = f"{path} {name}".strip()
        options = [(name, option.summary) for option in command.options for name in option.names]
        found[f"o:{path}"] = _lines([*options, *((name, "Show what it does and exit.") for name in HELP)])
        for option in command.options:
            found |= {f"v:{path}:{name}": _kind(option) for name in option.names if not option.flag}
        found |= {f"a:{path}:{n}": _kind(argument) for n, argument in enumerate(command.arguments)}
    return found


def _kind(parameter: Parameter) -> str:
    if parameter.choices:
        return _lines((choice, "") for choice in parameter.choices)
    if parameter.kind == "file":
        return "file"
    return f"={parameter.kind}" if parameter.kind else "text"


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{value}\t{shortened(what)}" for value, what in pairs)


def shortened(text: str) -> str:
    """A description that fits beside a value."""
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " ..."
