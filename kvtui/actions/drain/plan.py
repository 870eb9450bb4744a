"""Drain: a real server gets weight 0 and empties.

Facts (keepalived.md 4, measured): weight 0 set in the kernel outlives a reload unless that real server's configured
weight changes; its next health check down→up and a restart of keepalived give the configured weight back. Where the
config has FILE_CHECK for it, the number in that file is set instead: it outlives all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan, PlannedChange
from kvtui.actions.core.runner import Action
from kvtui.actions.drain.active_drains import network_of
from kvtui.actions.drain.check_files import kernel_weights, to_drain
from kvtui.actions.drain.drain_progress import DrainProgress, ExpectedWeight
from kvtui.actions.drain.outcome import QUIESCENT, drain_warnings, what_is_left, with_outcome
from kvtui.actions.drain.targets import DrainTarget, find
from kvtui.actions.steps.sysctl import SetSysctl
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.ipvs import endpoint, service_name
from kvtui.model.observation import RealServerState
from kvtui.model.units import ago
from kvtui.rules.ipvsadm import edit, inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.network import Network
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.drain.check_files import ByFile, CheckFileControl
    from kvtui.model.ipvs import DestinationKey
    from kvtui.model.observation import Observation

MAX_ROUNDS = 10  # maximum steps of a slow drain
OUTLIVES = (
    "a reload keeps it drained unless its configured weight changes; a health check that fails and passes again, "
    "or a restart of keepalived, restores the weight: kvtui notices and offers the drain again"
)


def plan_drain(
    observation: Observation,
    real: tuple[str, int | None],
    service: str | None = None,
    *,
    backend: ActionBackend,
    wait: float | None = None,
    over: float = 0.0,
    fix_persistence: bool = False,
    sysctls: Mapping[str, int] | None = None,
    checks: Sequence[CheckFileControl] = (),
    extra_notes: Sequence[str] = (),
    watch: Watch | None = None,
) -> Action:
    """Returns the plan to drain a real server.

    One that already has weight 0 is not changed. Then the action has no steps and succeeds (with ``wait`` it waits), so
    that a script may ask twice.

    Raises:
        UnknownTargetError: there is no such real server, or more than one.
    """
    targets = find(observation, real, service)
    network = network_of(observation)
    todo = [t for t in targets if t.real.weight > 0]
    quiescent = (sysctls or {}).get(QUIESCENT, 0)
    persistent = any(t.virtual.persistence_timeout is not None for t in todo)
    fix = fix_persistence and persistent and not quiescent
    fixed = fix or bool(quiescent)
    fixes: tuple[Step, ...] = (SetSysctl(network, "expire_quiescent_template", 0, 1),) if fix else ()
    files = to_drain(checks, todo)
    by_file = {t.key for f in files for t in f.targets}
    by_weight = [t for t in todo if t.key not in by_file]
    lowering, pauses = _lower(network, by_weight, files, kernel_weights(observation), over)
    steps = (*fixes, *lowering)
    left = what_is_left(observation, steps)
    notes = [r for f in files for r in f.notes()]
    notes += (Note(NoteSeverity.NOTE, n) for n in (*_already(targets), *_slowness(todo, over), *extra_notes))
    keepalived = observation.snapshot.chosen_keepalived
    plan = Plan(
        kind=ActionKind.DRAIN,
        target=target_name(targets),
        summary=summary_line("drain", targets) if todo else f"{target_name(targets)} is already drained",
        changes=(
            *((PlannedChange(QUIESCENT, "0", "1"),) if fix else ()),
            *(f.change for f in files),
            *(PlannedChange(f"weight of {t.name}", str(t.real.weight), "0") for t in todo),
        ),
        steps=tuple(s.describe() for s in steps),
        effects=_effects(todo, files, wait=wait, fix=fix),
        notes=(*drain_warnings(observation, todo, persistence_fixed=fixed, left=left, by_file=by_file), *notes),
        equivalent_commands=(
            *((inside(f"sysctl -w {QUIESCENT}=1", keepalived),) if fix else ()),
            *(f.command for f in files),
            *(inside(edit(t.virtual, t.real, 0), keepalived) for t in by_weight),
        ),
    )
    expected = tuple(ExpectedWeight(t.virtual.key, t.real, 0) for t in targets)
    replaced = frozenset(service for service, t in left.items() if t.sorry_server)
    progress = DrainProgress(
        network, expected, wait=wait, persistence_fixed=fixed, replaced=replaced, read=backend.table
    )
    action = Action(plan, backend.steps(steps), progress.verify, pauses=(0.0,) * len(fixes) + pauses)
    return with_outcome(action, observation, left, files, watch)


def _lower(
    network: Network,
    by_weight: Sequence[DrainTarget],
    files: Sequence[ByFile],
    weights: Mapping[DestinationKey, int],
    over: float,
) -> tuple[tuple[Step, ...], tuple[float, ...]]:
    """Returns steps that lower the weights evenly, all virtual servers together, and the pause after each step."""
    lengths = [abs(f.value - f.control.value) for f in files]
    highest = max((*(t.real.weight for t in by_weight), *lengths), default=0)
    rounds = min(MAX_ROUNDS, highest) if over > 0 else 1
    now = dict(weights)
    numbers = {f.control.path: f.control.value for f in files}
    steps: list[Step] = []
    pauses: list[float] = []
    for number in range(1, rounds + 1):
        for f in files:
            old, new = numbers[f.control.path], f.control.value + round((f.value - f.control.value) * number / rounds)
            if new != old:
                step = f.control.step(network, old, new, now)
                steps.append(step)
                now |= {e.target: e.after for e in step.effects}
                numbers[f.control.path] = new
        for t in by_weight:
            weight = round(t.real.weight * (rounds - number) / rounds)
            if weight < now[t.key]:
                steps.append(SetWeight(network, *t.key, now[t.key], weight))
                now[t.key] = weight
        pauses += [0.0] * (len(steps) - len(pauses))
        if number < rounds:
            pauses[-1] = over / (rounds - 1)
    return tuple(steps), tuple(pauses)


def _slowness(todo: Sequence[DrainTarget], over: float) -> list[str]:
    ones = ", ".join(t.name for t in todo if t.real.weight == 1)
    return [f"weight 1 cannot go down in steps: {ones} goes to 0 in one"] if over > 0 and ones else []


def _already(targets: Sequence[DrainTarget]) -> Iterator[str]:
    fails = (
        ": its health check fails (inhibit_on_failure); when it passes again keepalived restores the weight: "
        "drain it then"
    )
    for t in targets:
        if t.real.weight == 0:
            yield f"{t.name} already has weight 0{fails if t.view.state is RealServerState.FAILED else ''}"


def _effects(todo: Sequence[DrainTarget], files: Sequence[ByFile], *, wait: float | None, fix: bool) -> tuple[str, ...]:
    if not todo:
        return ()
    active = sum(t.real.active for t in todo)
    connections = "1 active connection continues" if active == 1 else f"{active} active connections continue"
    effects = [
        f"no new connection reaches {target_name(todo)} from then on; {connections}",
        "forwarding method, thresholds and tunnel stay as they are",
        *(f.outlives for f in files),
    ]
    by_file = [t for f in files for t in f.targets]
    if rest := [t for t in todo if t not in by_file]:
        effects.append(f"{', '.join(t.name for t in rest)}: {OUTLIVES}" if files else OUTLIVES)
    if fix:
        effects.append(
            f"{QUIESCENT} applies to the whole namespace: persistent clients leave all real servers of weight 0"
        )
    if wait is not None:
        effects.append(
            f"then kvtui waits until they are gone, at most {ago(wait)}; Ctrl+C meanwhile restores the weight"
        )
    return tuple(effects)


def target_name(targets: Sequence[DrainTarget]) -> str:
    return ", ".join(dict.fromkeys(endpoint(*t.real.key) for t in targets))


def summary_line(kind: str, targets: Sequence[DrainTarget]) -> str:
    places = ", ".join(dict.fromkeys(service_name(t.virtual.key) for t in targets))
    return f"{kind} {target_name(targets)} in {places}"
