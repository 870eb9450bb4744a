"""Predicts what an undo means for the VRRP instances, and watches whether that comes true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.core.preflight import Scope
from kvtui.actions.core.step_kinds import Reversed
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.kept_config import KeepConfig
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.backend.conf import reader
from kvtui.rules.servers.consequence import server_consequences
from kvtui.rules.vrrp.consequences import Change, consequences
from kvtui.rules.vrrp.prediction_text import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.definition import PlanRequest
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.runner import Action, Verification, Verify
    from kvtui.actions.core.step import Step
    from kvtui.rules.vrrp.consequence import Consequence


def with_outcome(action: Action, request: PlanRequest) -> Action:
    """Returns an undo with what follows from it, and a verification that watches whether it comes. Blocking."""
    mine = [s.step for s in action.steps if isinstance(s, Reversed)]
    keepalived = request.observation.snapshot.chosen_keepalived
    if keepalived is None or not any(isinstance(s, ReplaceFile | SetTrackValue | KeepConfig) for s in mine):
        return action
    change = _change(mine, request.backend.run_preflight(keepalived, scope=Scope.READ))
    if change is None:
        return action
    expected = consequences(request.observation, change)
    predictions = tuple(c.prediction for c in expected)
    servers = server_consequences(change.before, change.after, request.observation.snapshot.ipvs)
    plan = replace(action.plan, effects=(*sentences(predictions), *servers), prediction=predictions)
    return replace(action, plan=plan, verify=_verifier(action, request, expected))


def _change(steps: Sequence[Step], preflight: Preflight) -> Change | None:
    change = Change(preflight.running or preflight.conf, preflight.running or preflight.conf)
    for step in steps:
        if isinstance(step, ReplaceFile):
            change = Change(preflight.running, preflight.conf).with_priority(step.instance, step.priority[0])
        elif isinstance(step, SetTrackValue):
            name = next((f.name for f in (change.after.track_files if change.after else ()) if f.path == step.path), "")
            change = replace(change, results={**change.results, ("file", name): step.before})
        elif isinstance(step, KeepConfig):
            if not step.kept.exists():
                return None
            conf = reader.read(str(step.kept), config_id=preflight.keepalived.config_id, now=0.0)
            change = Change(preflight.running, conf)
    return change


def _verifier(action: Action, request: PlanRequest, expected: Sequence[Consequence]) -> Verify:
    async def verify(say: Callable[[str], None]) -> Verification:
        found = await action.verify(say)
        if found.ok is not True:
            return found
        verification = await watch_outcome(request.observation, expected, request.watch, say)
        detail = f"{found.detail}; {verification.detail}"
        return replace(verification, detail=detail, facts=found.facts, resolution=found.resolution)

    return verify
