"""The document of an action for ``-o json``: its plan, its outcome, and the journal's ID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import convert

from kvtui.model.prediction import Prediction, Traffic  # noqa: TC001 - msgspec reads the annotations
from kvtui.presenters.contract import Contract, Count

if TYPE_CHECKING:
    from kvtui.actions.core import plan as core
    from kvtui.actions.core import runner


class PlanChange(Contract, frozen=True):
    """A value that changes."""

    what: str
    before: str
    after: str


class Remark(Contract, frozen=True):
    """unsafe is refused without --force, impossible always."""

    grade: Literal["note", "warning", "unsafe", "impossible"]
    text: str


class Plan(Contract, frozen=True):
    """What an action would do, before anything is written.

    prediction has an object for every instance of this node, touched or not; it is null where nothing is predicted.
    traffic has an object for every virtual server whose weights change, null for an action that changes none.
    """

    verb: str
    target: str
    summary: str
    changes: list[PlanChange]
    steps: list[str]
    effects: list[str]
    prediction: list[Prediction] | None
    traffic: list[Traffic] | None
    remarks: list[Remark]
    diff: str
    by_hand: list[str]


class Outcome(Contract, frozen=True):
    """How the action ended; exit_code is that of the command, detail the sentence for an operator.

    result: done (and verified), dry-run, refused (or not confirmed), failed (and put back, if detail does not say
    otherwise), unverified (not seen in time), interrupted (and put back), usage (nothing to act on). as_predicted is
    null where nothing was predicted, observed where nothing was observed.
    """

    result: Literal["done", "dry-run", "refused", "failed", "unverified", "interrupted", "usage"]
    exit_code: Count
    detail: str
    as_predicted: bool | None
    observed: list[Prediction] | None


class Action(Contract, frozen=True):
    """What an action planned, and what came of it.

    plan is null where none could be made; journal is the entry's ID (kvtui journal, kvtui undo ID), null where nothing
    was begun.
    """

    plan: Plan | None
    outcome: Outcome
    journal: str | None


class NodesOutcome(Contract, frozen=True):
    """How an action over several nodes ended; exit_code as of an action on one."""

    exit_code: Count
    detail: str


class NodesAction(Contract, frozen=True):
    """What an action over several nodes planned, and what came of it (--all-nodes, failover --to).

    id is in the reason of each journal's entry. nodes has the latest document of each node's own kvtui, null where it
    gave none.
    """

    id: str
    outcome: NodesOutcome
    nodes: dict[str, Action | None]


def action_document(plan: core.Plan | None, outcome: runner.Outcome, *, dry_run: bool = False) -> Action:
    result: Any = "dry-run" if dry_run and outcome.code == 0 else outcome.code.name.lower()
    return Action(
        plan=_plan(plan) if plan else None,
        outcome=Outcome(
            result=result,
            exit_code=outcome.code.value,
            detail=outcome.detail,
            as_predicted=outcome.as_predicted,
            observed=list(outcome.observed) or None,
        ),
        journal=outcome.id or None,
    )


def _plan(plan: core.Plan) -> Plan:
    return Plan(
        verb=plan.kind.value,
        target=plan.target,
        summary=plan.summary,
        changes=convert(plan.changes, list[PlanChange], from_attributes=True),
        steps=list(plan.steps),
        effects=list(plan.effects),
        prediction=list(plan.prediction) or None,
        traffic=list(plan.traffic) or None,
        remarks=convert([{"grade": n.severity.name.lower(), "text": n.text} for n in plan.notes], list[Remark]),
        diff=plan.diff,
        by_hand=list(plan.equivalent_commands),
    )
