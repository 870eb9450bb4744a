from __future__ import annotations

from kvtui.actions.core.plan import Note, NoteSeverity, Plan
from kvtui.model.text import plain

MARKS = {
    NoteSeverity.NOTE: "note",
    NoteSeverity.WARNING: "WARNING",
    NoteSeverity.UNSAFE: "UNSAFE",
    NoteSeverity.IMPOSSIBLE: "REFUSED",
}


def plan_text(plan: Plan) -> str:
    """Returns a plan as text: what follows, warnings, changes, steps, notes, diff and equivalent commands."""
    return plan_head(plan) + plan_rest(plan)


def plan_head(plan: Plan) -> str:
    """Returns what must be read first. An impossible plan begins with its refusals, and nothing follows from it."""
    refused = [_note(n) for n in plan.notes if n.severity is NoteSeverity.IMPOSSIBLE]
    unsafe = [_note(n) for n in plan.notes if n.severity is NoteSeverity.UNSAFE]
    warnings = [_note(n) for n in plan.notes if n.severity is NoteSeverity.WARNING]
    follows = _section("What follows", plan.effects)
    return "".join([f"{plain(plan.summary)}\n", *(refused or follows), *unsafe, *warnings])


def plan_rest(plan: Plan) -> str:
    """Returns how it is done, what else to know, and the same by hand."""
    parts: list[str] = []
    if plan.changes:
        rows = [(f"  {c.what}", c.before, "->", c.after) for c in plan.changes]
        width = [max(len(plain(r[i])) for r in rows) for i in range(3)]
        lines = ["  ".join([*(plain(r[i]).ljust(width[i]) for i in range(3)), plain(r[3])]).rstrip() for r in rows]
        parts.append("\n".join(lines) + "\n")
    parts += _section("Steps", plan.steps)
    parts += [_note(n) for n in plan.notes if n.severity is NoteSeverity.NOTE]
    if plan.diff:
        parts.append("".join(f"  {plain(line)}\n" for line in plan.diff.splitlines()))
    parts += _section("Equivalent commands", plan.equivalent_commands)
    return "".join(parts)


def _note(note: Note) -> str:
    return f"{MARKS[note.severity]}: {plain(note.text)}\n"


def _section(title: str, lines: tuple[str, ...]) -> list[str]:
    return [f"{title}:\n", *(f"  {plain(line)}\n" for line in lines)] if lines else []
