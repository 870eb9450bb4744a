"""What an action saw before and after, from the journal's JSON, in lines that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

INDENT = "  "


def fact_lines(facts: Mapping[str, object], indent: str = INDENT) -> Iterator[str]:
    """The facts, a line each; what has parts of its own has them below it, further in.

    Args:
        facts: name → a number, a text, yes or no, or lists and mappings of those.
        indent: what each line begins with.
    """
    for name, value in facts.items():
        words = plain(str(name).replace("_", " "))
        if _in_one_line(value):
            yield f"{indent}{words}: {_said(value)}"
            continue
        yield f"{indent}{words}:"
        if isinstance(value, Mapping):
            yield from fact_lines(value, indent + INDENT)
        elif isinstance(value, list | tuple):
            yield from (f"{indent}{INDENT}{_said(part)}" for part in value)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _in_one_line(value: object) -> bool:
    return not any(isinstance(part, Mapping | list | tuple) for part in _parts(value))


def _said(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(round(value, 2))
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(str(k).replace('_', ' '))} {_said(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    return plain(str(value))
