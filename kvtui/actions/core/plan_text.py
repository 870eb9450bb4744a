"""A plan as plain text: what will change, how, what will happen, what to know, and the same by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.plan import Grade
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.actions.core.plan import Plan

MARKS = {Grade.NOTE: "note", Grade.WARNING: "WARNING", Grade.UNSAFE: "UNSAFE", Grade.IMPOSSIBLE: "REFUSED"}


def plan_text(plan: Plan) -> str:
    """What will change, how, what will happen, what to know, and the commands that would do the same.

    What cannot be done is refused first, and nothing is foretold of it.
    """
    refused = [r for r in plan.remarks if r.grade is Grade.IMPOSSIBLE]
    parts = [f"{plain(plan.summary)}\n", *(f"{MARKS[r.grade]}: {plain(r.text)}\n" for r in refused)]
    if plan.changes:
        rows = [(f"  {c.what}", c.before, "->", c.after) for c in plan.changes]
        width = [max(len(plain(r[i])) for r in rows) for i in range(3)]
        lines = ["  ".join([*(plain(r[i]).ljust(width[i]) for i in range(3)), plain(r[3])]).rstrip() for r in rows]
        parts.append("\n".join(lines) + "\n")
    parts += _section("It will", plan.steps)
    if not refused:
        parts += _section("Then", plan.effects)
    for remark in sorted((r for r in plan.remarks if r not in refused), key=lambda r: -r.grade):
        parts.append(f"{MARKS[remark.grade]}: {plain(remark.text)}\n")
    if plan.diff:
        parts.append("".join(f"  {plain(line)}\n" for line in plan.diff.splitlines()))
    parts += _section("By hand", plan.by_hand)
    return "".join(parts)


def _section(title: str, lines: tuple[str, ...]) -> list[str]:
    if not lines:
        return []
    return [f"{title}:\n", *(f"  {plain(line)}\n" for line in lines)]
