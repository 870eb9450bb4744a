from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.election_context import election_context
from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan
from kvtui.actions.core.runner import Action, Verification
from kvtui.actions.core.step_kinds import readable_steps
from kvtui.actions.priority.config_line import find_instance
from kvtui.actions.priority.methods import LOWEST, MAX_TRACKED, OWNER, MethodChooser
from kvtui.actions.priority.track_files import track_file_controls
from kvtui.actions.priority.verifier import PriorityVerifier
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.rules.vrrp.consequences import consequences
from kvtui.rules.vrrp.prediction_text import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.priority.methods import PriorityMethod
    from kvtui.model.observation import Observation
    from kvtui.rules.vrrp.consequence import Consequence


def plan_priority(
    observation: Observation,
    preflight: Preflight,
    instance: str,
    value: int,
    watch: Watch,
    backend: ActionBackend,
    *,
    use_track_file: bool | None = None,
) -> Action:
    """Returns the plan to change a priority.

    Raises:
        UnknownInstanceError: there is none of that name.
    """
    election = election_context(observation, instance)
    maximum = MAX_TRACKED if use_track_file else OWNER
    if not LOWEST <= value <= maximum:
        return _refused(instance, value, f"priority {value} is not between {LOWEST} and {maximum}")
    chooser = MethodChooser(preflight, election, backend)
    method = chooser.choose(value, use_track_file=use_track_file)
    summary = f"priority of {instance}: {method.now} → {value}, by {method.name}"
    return _action(observation, chooser, method, summary, value, watch)


def plan_reset(
    observation: Observation,
    preflight: Preflight,
    instance: str,
    entries: Iterable[Entry],
    watch: Watch,
    backend: ActionBackend,
) -> Action:
    """Returns the plan to restore the priority that the instance had before kvtui changed it.

    Raises:
        UnknownInstanceError: there is none of that name.
    """
    election = election_context(observation, instance)
    done = [e.steps for e in entries if e.in_force and e.verb in (ActionKind.PRIORITY, ActionKind.FAILOVER)]
    steps = [step for made in done for step in readable_steps(made, SetTrackValue.kind, ReplaceFile.kind)]
    for control in track_file_controls(preflight, instance, backend):
        numbers = [(s.before, s.after) for s in steps if isinstance(s, SetTrackValue) and s.path == control.path]
        number = _origin(control.value, numbers)
        if number == control.value:
            continue
        wanted = max(LOWEST, min(MAX_TRACKED, (election.view.priority or 0) + number * control.weight))
        chooser = MethodChooser(preflight, election, backend)
        method = chooser.by_track_file(control, number, wanted)
        summary = f"restore priority {wanted} of {instance}, by {method.name}"
        return _action(observation, chooser, method, summary, wanted, watch)
    found = find_instance(preflight.conf, instance)
    now = found.priority if found else None
    changes = [s.priority for s in steps if isinstance(s, ReplaceFile) and s.instance == instance]
    origin = None if now is None else _origin(now, changes)
    if origin is None or origin == now:
        why = f"the journal has no change of {instance} that led to its priority {now}: nothing to reset"
        return _refused(instance, now or 0, why)
    return plan_priority(observation, preflight, instance, origin, watch, backend, use_track_file=False)


def _action(
    observation: Observation, chooser: MethodChooser, method: PriorityMethod, summary: str, value: int, watch: Watch
) -> Action:
    election, steps = chooser.election, method.part.steps
    expected = consequences(observation, method.change)
    predictions = tuple(c.prediction for c in expected)
    mine = next((c for c in expected if c.prediction.instance == election.view.name), None)
    effects = (*sentences(predictions), _wire(election, method, mine))
    plan = method.part.plan(ActionKind.PRIORITY, election.view.name, summary, effects, predictions)
    files = tuple(s for s in steps if isinstance(s, ReplaceFile))
    verifier = PriorityVerifier(
        observation, chooser.preflight, election, value, expected, mine, watch, files, chooser.backend
    )
    return Action(plan, steps, verifier, vips=HeldVips.of(observation, chooser.backend))


def _refused(instance: str, value: int, why: str) -> Action:
    async def nothing(_say: Callable[[str], None]) -> Verification:
        return Verification(ok=False, detail=why)

    notes = (Note(NoteSeverity.IMPOSSIBLE, why),)
    return Action(Plan(ActionKind.PRIORITY, instance, f"priority of {instance}: {value}", notes=notes), (), nothing)


def _origin(now: int, changes: list[tuple[int, int]]) -> int:
    """Follows back the changes (before, after) that led to the present value, as long as each leads to the next."""
    for before, after in reversed(changes):
        if after != now:
            return now
        now = before
    return now


def _wire(election: ElectionContext, method: PriorityMethod, mine: Consequence | None) -> str:
    if not method.part.steps or mine is None:
        return "nothing changes on the wire"
    priority = f"priority {mine.effective.text}" if mine.effective else "another priority"
    if not election.is_master:
        return f"a backup is silent: {priority} shows on the wire once this node is master"
    kept = "; MASTER state and VIPs are kept" if mine.prediction.state.then == election.view.state.value else ""
    return f"adverts have {priority} after at most one with the old one{kept}"
