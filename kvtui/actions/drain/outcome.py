"""Predicts what follows from other weights for clients, and for VRRP instances, which a shared track file may move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.drain.targets import service_view
from kvtui.actions.steps.check_value import SetCheckValue
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.ipvs import service_name
from kvtui.model.observation import RealServerState
from kvtui.rules.servers.drained import sentences_of, traffic
from kvtui.rules.vrrp.consequences import Change, consequences, untouched
from kvtui.rules.vrrp.verdict import is_unchanged, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kvtui.actions.core.runner import Action, Verification
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.drain.check_files import ByFile
    from kvtui.actions.drain.targets import Key
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation
    from kvtui.model.prediction import Traffic
    from kvtui.rules.vrrp.consequence import Consequence

    Left = dict[ServiceKey, Traffic]


def with_outcome(
    action: Action, observation: Observation, left: Left, files: Sequence[ByFile], watch: Watch | None
) -> Action:
    """Returns the action with what follows from its weights; its verification then watches whether that comes.

    ``files`` are the track files that it writes. Without ``watch`` only the weights are verified.
    """
    moves = any(f.control.instances for f in files)
    expected: tuple[Consequence, ...] = ()
    if action.steps and moves:
        runs = observation.snapshot.effective_conf
        change = Change(runs, runs, {("file", f.control.name): f.value for f in files})
        expected = consequences(observation, change)
    elif action.steps:
        expected = untouched(observation, "weights of real servers do not count in its election")
    predictions = tuple(c.prediction for c in expected)
    moved = sentences(p for p in predictions if not is_unchanged(p)) if moves else ()
    first, rest = action.plan.effects[:1], action.plan.effects[1:]
    effects = (*moved, *first, *(line for t in left.values() for line in sentences_of(t)), *rest)
    plan = replace(action.plan, effects=effects, prediction=predictions, traffic=tuple(left.values()))
    if watch is None or not expected:
        return replace(action, plan=plan)

    async def verify(say: Callable[[str], None]) -> Verification:
        found = await action.verify(say)
        if found.ok is not True:
            return found
        verdict = await watch_outcome(observation, expected, watch, say)
        as_wanted = verdict.ok is True and verdict.as_predicted is not False
        return replace(
            found,
            ok=verdict.ok,
            detail=found.detail if as_wanted else f"{found.detail}; {verdict.detail}",
            as_predicted=verdict.as_predicted,
            observed=verdict.observed,
        )

    return replace(action, plan=plan, verify=verify)


def what_is_left(observation: Observation, steps: Iterable[Step]) -> Left:
    """Returns what is left for clients of each virtual server whose weights these steps set.

    Other real servers that share a track file change too.
    """
    weights: dict[Key, int] = {}
    in_file: set[Key] = set()
    for step in steps:
        if isinstance(step, SetCheckValue):
            weights |= {e.target: e.after for e in step.effects}
            in_file |= {e.target for e in step.effects}
        elif isinstance(step, SetWeight):
            weights[step.target] = step.after
    services = {service for service, _ in weights}
    runs, table = observation.snapshot.effective_conf, observation.snapshot.ipvs
    configured = runs.virtual_servers_by_key() if runs else {}
    found: Left = {}
    for virtual in (v for v in (table.virtual_servers if table else ()) if v.key in services):
        view = service_view(observation, virtual)
        failed = {r.key for r in view.real_servers if r.state is RealServerState.FAILED}
        mine = {real: weight for (service, real), weight in weights.items() if service == virtual.key}
        files = {real for service, real in in_file if service == virtual.key}
        name = service_name(virtual.key)
        found[virtual.key] = traffic(virtual, name, mine, configured.get(virtual.key), files, failed)
    return found
