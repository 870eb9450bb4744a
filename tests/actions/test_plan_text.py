"""A plan in words: what cannot be done is refused before anything else is said of it."""

from __future__ import annotations

from dataclasses import replace

from kvtui.actions.plan import Grade, Plan, Remark, Verb
from kvtui.actions.plan_text import plan_text

PLAN = Plan(Verb.FAILOVER, "vips", "move it", steps=("write",), effects=("10.4.0.4 becomes master",))
NOTED = Remark(Grade.NOTE, "it is edited")


def test_a_refusal_comes_first_and_nothing_is_foretold() -> None:
    plan = replace(PLAN, remarks=(NOTED, Remark(Grade.IMPOSSIBLE, "it is a BACKUP")))
    assert plan_text(plan).splitlines() == [
        "move it",
        "REFUSED: it is a BACKUP",
        "It will:",
        "  write",
        "note: it is edited",
    ]


def test_what_can_be_done_is_foretold() -> None:
    assert "Then:\n  10.4.0.4 becomes master\n" in plan_text(PLAN)
