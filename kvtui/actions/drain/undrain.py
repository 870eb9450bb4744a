from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan, PlannedChange
from kvtui.actions.core.runner import Action
from kvtui.actions.drain.active_drains import RELEASED, RELEASED_IN, network_of
from kvtui.actions.drain.check_files import ByFile, kernel_weights, to_undrain
from kvtui.actions.drain.drain_progress import DrainProgress, ExpectedWeight
from kvtui.actions.drain.outcome import what_is_left, with_outcome
from kvtui.actions.drain.plan import summary_line, target_name
from kvtui.actions.drain.targets import DrainTarget, UnknownTargetError, find, is_meant
from kvtui.actions.steps.weight import SetWeight, target_to_json
from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState
from kvtui.rules.ipvsadm import edit, inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.network import Network
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.drain.active_drains import Drain
    from kvtui.actions.drain.check_files import CheckFileControl
    from kvtui.model.ipvs import DestinationKey
    from kvtui.model.observation import Observation


def plan_undrain(
    observation: Observation,
    real: tuple[str, int | None],
    service: str | None = None,
    *,
    backend: ActionBackend,
    known: Sequence[Drain] = (),
    checks: Sequence[CheckFileControl] = (),
    watch: Watch | None = None,
) -> Action:
    """Returns the plan to restore the weight of a real server.

    The weight is the journaled one from before the drain, else the configured one; without either this is refused.
    Where there is nothing to write, it closes the drain and succeeds.

    Raises:
        UnknownTargetError: there is no such real server, neither in the kernel nor in the journal.
    """
    network = network_of(observation)
    mine = {d.target: d for d in known if d.network.is_same(network)}
    asked = tuple(d for d in mine.values() if is_meant(d.target, real, service))
    try:
        targets = find(observation, real, service)
    except UnknownTargetError:
        if not asked:
            raise
        return _forget(network, asked, checks)
    weights = kernel_weights(observation)
    files = to_undrain(checks, targets, mine)
    written = [(t, f.weight(t)) for f in files for t in f.targets]
    by_file = {t.key for t, _weight in written}
    steps: list[Step] = [f.control.step(network, f.control.value, f.value, weights) for f in files]
    notes = [r for f in files for r in f.notes()]
    for t in targets:
        if t.key in by_file:
            notes += _dead(t, t.view.configured_weight)
            continue
        drain = mine.get(t.key)
        weight = drain.weight if drain else t.view.configured_weight
        notes += _weight_notes(t, drain, weight)
        if t.real.weight == 0 and weight:
            steps.append(SetWeight(network, *t.key, 0, weight))
            written.append((t, weight))
    raising = tuple(steps)
    steps += _sysctl_back(asked, mine.values())
    keepalived = observation.snapshot.chosen_keepalived
    plan = Plan(
        kind=ActionKind.UNDRAIN,
        target=target_name(targets),
        summary=_summary(targets, asked, raising),
        changes=(*(f.change for f in files), *(PlannedChange(f"weight of {t.name}", "0", str(w)) for t, w in written)),
        steps=tuple(s.describe() for s in steps),
        effects=(f"new connections reach {target_name(targets)} again at once",) if raising else (),
        notes=tuple(notes),
        equivalent_commands=(
            *(f.command for f in files),
            *(inside(edit(t.virtual, t.real, w), keepalived) for t, w in written if t.key not in by_file),
        ),
    )
    expected = tuple(ExpectedWeight(t.virtual.key, t.real, weight) for t, weight in written)
    progress = DrainProgress(network, expected, facts=_released(network, (t.key for t in targets)), read=backend.table)
    action = Action(plan, backend.steps(steps), progress.verify)
    return with_outcome(action, observation, what_is_left(observation, raising), files, watch)


def _released(network: Network, targets: Iterable[DestinationKey]) -> tuple[tuple[str, object], ...]:
    return ((RELEASED, tuple(map(target_to_json, targets))), (RELEASED_IN, network.to_json()))


def _summary(targets: Sequence[DrainTarget], asked: Sequence[Drain], raising: Sequence[Step]) -> str:
    if raising:
        return summary_line("undrain", targets)
    if asked:
        return summary_line("close the drain of", targets)
    return f"{target_name(targets)} already has its weight"


def _weight_notes(t: DrainTarget, drain: Drain | None, weight: int | None) -> Iterator[Note]:
    configured = t.view.configured_weight
    if t.real.weight > 0 and drain:
        text = f"{t.name} was drained by {drain.user} ({drain.entry}), but something else gave it weight"
        text += f" {t.real.weight} since: the drain is closed; to drain it again: kvtui drain"
        yield Note(NoteSeverity.NOTE, text)
    elif t.real.weight > 0:
        yield Note(NoteSeverity.NOTE, f"{t.name} already has weight {t.real.weight}: nothing to restore")
    elif not weight:
        text = f"the weight of {t.name} before the drain is unknown: the journal has no drain of it, and the config"
        text += " has weight 0 for it" if weight == 0 else " does not have it"
        command = edit(t.virtual, t.real, 1).replace("-w 1", "-w WEIGHT")
        yield Note(NoteSeverity.IMPOSSIBLE, f"{text}; set it by hand: {command}")
    else:
        if drain and configured is not None and configured != weight:
            text = f"{t.name} had weight {weight} before the drain, which is restored; the config has {configured}"
            yield Note(NoteSeverity.NOTE, text)
        yield from _dead(t, weight)


def _dead(t: DrainTarget, weight: int | None) -> Iterator[Note]:
    if t.view.state is RealServerState.FAILED:
        text = f"the health check of {t.name} fails: with weight {weight} clients would reach a dead server"
        yield Note(NoteSeverity.UNSAFE, text)


def _sysctl_back(given_back: Sequence[Drain], known: Iterable[Drain]) -> list[Step]:
    """Returns the step that restores the sysctl, unless another drain still needs it."""
    sysctl = next((d.sysctl for d in given_back if d.sysctl), None)
    if sysctl is None or any(d.sysctl and d not in given_back for d in known):
        return []
    return [replace(sysctl, before=sysctl.after, after=sysctl.before)]


def _forget(network: Network, asked: tuple[Drain, ...], checks: Sequence[CheckFileControl]) -> Action:
    """Returns the plan for drained real servers that are gone: keepalived gives them their weight if they return."""
    done = {d.check.file.path: d.check.file for d in asked if d.check}
    files = [ByFile(k, done[k.path].before, ()) for k in checks if k.path in done and k.value == done[k.path].after]
    steps = tuple(f.control.step(network, f.control.value, f.value, {}) for f in files)
    what = "nothing is written" if not steps else "only the file is written"
    names = ", ".join(d.name for d in asked)
    plan = Plan(
        kind=ActionKind.UNDRAIN,
        target=", ".join(dict.fromkeys(endpoint(*d.real) for d in asked)),
        summary=f"close the drain of {names}",
        steps=tuple(s.describe() for s in steps),
        effects=(f"{what}: {names} is not in the kernel; if it returns it has its configured weight",),
        equivalent_commands=tuple(f.command for f in files),
    )
    progress = DrainProgress(network, (), facts=_released(network, (d.target for d in asked)))
    return Action(plan, steps, progress.verify)
