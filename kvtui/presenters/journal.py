"""Entries of the journal: rows and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.recovery import Recovery
    from kvtui.actions.priority.overwritten import PriorityOverwrite

RESULT_TONES = {
    "done": Tone.GOOD,
    "undone": Tone.DIM,
    "put back": Tone.WARN,
    "unverified": Tone.WARN,
    "failed": Tone.BAD,
}


def who_text(entry: Entry) -> str:
    parts = (entry.who.get("user", "?"), entry.who.get("ssh_client") or entry.who.get("pod"))
    return " ".join(filter(None, parts))


def result_text(entry: Entry) -> str:
    return entry.result or f"INTERRUPTED {len(entry.done)}/{len(entry.steps)}"


def entry_cells(entry: Entry, overwrite: PriorityOverwrite | None = None) -> tuple[Cell, ...]:
    """Returns an entry's row; a priority that was overwritten since says so instead of its result."""
    at = datetime.fromtimestamp(entry.at).astimezone()
    result = Cell(plain(result_text(entry)), RESULT_TONES.get(entry.result or "", Tone.BAD))
    return (
        Cell(plain(entry.id)),
        Cell(f"{at:%m-%d %H:%M:%S}"),
        Cell(plain(who_text(entry))),
        Cell("OVERWRITTEN", Tone.WARN) if overwrite else result,
        Cell(plain(entry.summary), Tone.STRONG),
        Cell(plain(entry.reason)),
    )


def entry_text(entry: Entry, overwrite: PriorityOverwrite | None = None) -> str:
    at = datetime.fromtimestamp(entry.at).astimezone()
    reason = f"  because: {plain(entry.reason)}" if entry.reason else ""
    lines = [
        plain(entry.summary),
        f"{at:%Y-%m-%d %H:%M:%S}  by {plain(who_text(entry))}{reason}",
        f"Result: {result_text(entry)}",
    ]
    if entry.detail:
        lines.append(plain(entry.detail))
    if overwrite:
        lines.append(f"Since then {plain(overwrite.sentence)}.")
    if entry.result is None:
        lines.append("It was interrupted. u put back · c complete")
    return "\n".join([*lines, *fact_lines(entry.facts)])


def unfinished_text(recovery: Recovery) -> str:
    entry = recovery.entry
    by = entry.who.get("user", "an unknown user")
    lines = [f"{plain(entry.id)}, by {plain(by)}: {plain(entry.summary)}", "", plain(recovery.sentence), ""]
    lines += [f"  {s.state.value if s.state else 'unknown':<14} {plain(s.text)}" for s in recovery.steps if s.text]
    lines += ["", "u put back · c complete · x leave things as they are · Esc later (screen 8)"]
    return "\n".join(lines)


# --- facts: what the action saw before and after

INDENT = "  "


def fact_lines(facts: Mapping[str, object], indent: str = INDENT) -> Iterator[str]:
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
