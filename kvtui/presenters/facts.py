"""The facts of a journal entry (what the action saw before and after) as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

INDENT = "  "


def fact_lines(facts: Mapping[str, object], indent: str = INDENT) -> Iterator[str]:
    """Yields a line for each fact; nested values are indented.

    Args:
        facts: JSON values by name.
        indent: of each line.
    """
    for name, value in facts.items():
        words = plain(str(name).replace("_", " "))
        if _in_one_line(value):
            yield f"{indent}{words}: {_text(value)}"
            continue
        yield f"{indent}{words}:"
        if isinstance(value, Mapping):
            yield from fact_lines(value, indent + INDENT)
        elif isinstance(value, list | tuple):
            yield from (f"{indent}{INDENT}{_text(part)}" for part in value)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _in_one_line(value: object) -> bool:
    return not any(isinstance(part, Mapping | list | tuple) for part in _parts(value))


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(round(value, 2))
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(str(k).replace('_', ' '))} {_text(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return plain(str(value))
