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
    """Returns an entry's row; it has OVERWRITTEN instead of its result when that happened to its priority."""
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
    lines += [plain(entry.detail)] if entry.detail else []
    lines += [f"Since then {plain(overwrite.sentence)}."] if overwrite else []
    lines += ["It was interrupted. u put back · c complete"] if entry.result is None else []
    return "\n".join([*lines, *fact_lines(entry.facts)])


def unfinished_text(recovery: Recovery) -> str:
    entry = recovery.entry
    by = entry.who.get("user", "an unknown user")
    lines = [f"{plain(entry.id)}, by {plain(by)}: {plain(entry.summary)}", "", plain(recovery.sentence), ""]
    lines += [f"  {s.state.value if s.state else 'unknown':<14} {plain(s.text)}" for s in recovery.steps if s.text]
    lines += ["", "u put back · c complete · x leave things as they are · Esc later (screen 8)"]
    return "\n".join(lines)


INDENT = "  "


def fact_lines(facts: Mapping[str, object], indent: str = INDENT) -> Iterator[str]:
    """Yields what an action saw before and after: a fact a line, one with parts of parts in several."""
    for name, value in facts.items():
        words = plain(str(name).replace("_", " "))
        match value:
            case Mapping() if any(map(_has_parts, value.values())):
                yield f"{indent}{words}:"
                yield from fact_lines(value, indent + INDENT)
            case list() | tuple() if any(map(_has_parts, value)):
                yield f"{indent}{words}:"
                yield from (f"{indent}{INDENT}{_text(part)}" for part in value)
            case _:
                yield f"{indent}{words}: {_text(value)}"


def _has_parts(value: object) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _text(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case float():
            return str(round(value, 2))
        case Mapping():
            return ", ".join(f"{plain(str(k).replace('_', ' '))} {_text(v)}" for k, v in value.items()) or "none"
        case list() | tuple():
            return ", ".join(map(_text, value)) or "none"
    return plain(str(value))
