"""The text of a plan: a refusal comes first and hides the prediction."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan
from kvtui.actions.core.plan_text import plan_text

PLAN = Plan(ActionKind.FAILOVER, "vips", "move it", steps=("write",), effects=("10.4.0.4 becomes master",))
NOTED = Note(NoteSeverity.NOTE, "it is edited")


def test_a_refusal_comes_first_and_hides_the_prediction() -> None:
    plan = replace(PLAN, notes=(NOTED, Note(NoteSeverity.IMPOSSIBLE, "it is a BACKUP")))
    assert plan_text(plan).splitlines() == [
        "move it",
        "REFUSED: it is a BACKUP",
        "Steps:",
        "  write",
        "note: it is edited",
    ]


def test_a_possible_plan_has_its_prediction() -> None:
    assert "What follows:\n  10.4.0.4 becomes master\n" in plan_text(PLAN)
