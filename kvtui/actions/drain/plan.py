"""Drain: a real server gets weight 0 and empties; undrain: it gets its weight back.

Facts (keepalived.md 4, measured): weight 0 set in the kernel outlives a reload unless that real server's configured
weight changes; its next health check down→up and a restart of keepalived give the configured weight back. Where the
config has FILE_CHECK for it, the number in that file is set instead: it outlives all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.actions.drain.by_file import kernel_weights, key, to_drain, to_undrain
from kvtui.actions.drain.active_drains import RELEASED, RELEASED_IN, network_of
from kvtui.actions.drain.drain_progress import Emptying, Expected
from kvtui.actions.drain.drain_warnings import QUIESCENT, hazards
from kvtui.actions.core.ipvsadm_text import edit, inside
from kvtui.actions.core.plan import Change, Grade, Plan, Remark, Verb
from kvtui.actions.core.runner import Action
from kvtui.actions.core.backend import MACHINE, Site
from kvtui.actions.steps.sysctl import SetSysctl
from kvtui.actions.steps.weight import SetWeight, service_name, target_to_json
from kvtui.actions.drain.targets import Target, UnknownTarget, find, parse_service
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.observation import RealServerState
from kvtui.model.units import ago

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kvtui.actions.drain.check_files import CheckKnob
    from kvtui.actions.drain.by_file import ByFile
    from kvtui.actions.drain.active_drains import Drain
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.network import Network
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation

    Key = tuple[ServiceKey, tuple[str, int]]

ROUNDS = 10
"""Most steps of a slow drain."""
OUTLIVES = (
    "a reload keeps it drained unless its configured weight changes; a health check that fails and passes again, "
    "or a restart of keepalived, gives the weight back: kvtui notices and offers the drain again"
)


def plan_drain(
    observation: Observation,
    real: tuple[str, int | None],
    service: str | None = None,
    *,
    wait: float | None = None,
    over: float = 0.0,
    fix_persistence: bool = False,
    sysctls: Mapping[str, int] | None = None,
    checks: Sequence[CheckKnob] = (),
    notes: Sequence[str] = (),
    site: Site = MACHINE,
) -> Action:
    """Drain a real server. Pure.

    One that has weight 0 already is not touched; when that is all, the action has no steps: it succeeds (exit code 0;
    with ``wait`` it waits), so that a script may ask twice.

    Args:
        observation: the node.
        real: canonical address, and port or None.
        service: ``--service``; None for every virtual server that has it.
        wait: seconds to wait until it is empty; None does not wait.
        over: seconds over which the weight goes down; 0 is at once.
        fix_persistence: set expire_quiescent_template to 1 where a persistent service needs it.
        sysctls: ``read_sysctls`` of the same namespace; empty when unknown.
        checks: ``check_knobs``: files to drain by, where they can.
        notes: more to say, such as ``state_note``.
        site: where it is done.

    Raises:
        UnknownTarget: there is no such real server, or more than one.
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
    by_file = {key(t) for f in files for t in f.targets}
    by_weight = [t for t in todo if key(t) not in by_file]
    weights = kernel_weights(observation)
    lowering, pauses = _lower(network, by_weight, files, weights, over)
    steps = (*fixes, *lowering)
    remarks = [r for f in files for r in f.remarks()]
    remarks += [*_already(targets), *_slowness(todo, over), *(Remark(Grade.NOTE, n) for n in notes)]
    keepalived = observation.snapshot.chosen_keepalived
    hand = [inside(f"sysctl -w {QUIESCENT}=1", keepalived)] if fix else []
    hand += [f.knob.by_hand(f.value) for f in files]
    hand += [inside(edit(t.virtual, t.real, 0), keepalived) for t in by_weight]
    plan = Plan(
        verb=Verb.DRAIN,
        target=_target_name(targets),
        summary=_summary("drain", targets) if todo else f"{_target_name(targets)} is drained already",
        changes=_changes(todo, files, fix=fix),
        steps=tuple(s.describe() for s in steps),
        effects=_effects(todo, files, wait=wait, fix=fix),
        remarks=(*hazards(observation, todo, persistence_fixed=fixed, by_file=by_file), *remarks),
        by_hand=tuple(hand),
    )
    expected = tuple(Expected(t.virtual.key, t.real, 0) for t in targets)
    emptying = Emptying(network, expected, wait=wait, persistence_fixed=fixed, read=site.table)
    return Action(plan, site.steps(steps), emptying.verify, pauses=(0.0,) * len(fixes) + pauses)


def _lower(
    network: Network, by_weight: Sequence[Target], files: Sequence[ByFile], weights: Mapping[Key, int], over: float
) -> tuple[tuple[Step, ...], tuple[float, ...]]:
    """Weights in equal steps, all virtual servers together, and the pause after each step."""
    ways = [abs(f.value - f.knob.value) for f in files]
    highest = max((*(t.real.weight for t in by_weight), *ways), default=0)
    rounds = min(ROUNDS, highest) if over > 0 else 1
    now = dict(weights)
    numbers = {f.knob.path: f.knob.value for f in files}
    steps: list[Step] = []
    pauses: list[float] = []
    for number in range(1, rounds + 1):
        for f in files:
            old, new = numbers[f.knob.path], f.knob.value + round((f.value - f.knob.value) * number / rounds)
            if new != old:
                step = f.knob.step(network, old, new, now)
                steps.append(step)
                pauses.append(0.0)
                now |= {e.target: e.after for e in step.effects}
                numbers[f.knob.path] = new
        for t in by_weight:
            weight = round(t.real.weight * (rounds - number) / rounds)
            if weight < now[key(t)]:
                steps.append(SetWeight(network, *key(t), now[key(t)], weight))
                pauses.append(0.0)
                now[key(t)] = weight
        if number < rounds:
            pauses[-1] = over / (rounds - 1)
    return tuple(steps), tuple(pauses)


def _slowness(todo: Sequence[Target], over: float) -> list[Remark]:
    ones = [t.name for t in todo if t.real.weight == 1]
    if over <= 0 or not ones:
        return []
    return [Remark(Grade.NOTE, f"weight 1 cannot go down in steps: {', '.join(ones)} goes to 0 in one")]


def _already(targets: Sequence[Target]) -> list[Remark]:
    remarks = []
    for t in targets:
        if t.real.weight > 0:
            continue
        text = f"{t.name} has weight 0 already"
        if t.view.state is RealServerState.FAILED:
            text += (
                ": its health check fails (inhibit_on_failure); when it passes again keepalived gives the weight back, "
                "and it must be drained then"
            )
        remarks.append(Remark(Grade.NOTE, text))
    return remarks


def _changes(todo: Sequence[Target], files: Sequence[ByFile], *, fix: bool) -> tuple[Change, ...]:
    weights = tuple(Change(f"weight of {t.name}", str(t.real.weight), "0") for t in todo)
    return (*((Change(QUIESCENT, "0", "1"),) if fix else ()), *(f.change for f in files), *weights)


def _effects(todo: Sequence[Target], files: Sequence[ByFile], *, wait: float | None, fix: bool) -> tuple[str, ...]:
    if not todo:
        return ()
    active = sum(t.real.active for t in todo)
    effects = [
        f"no new connection reaches {_target_name(todo)} from then on; its {active} active ones go on until they end",
        "forwarding method, thresholds and tunnel stay as they are",
        *(f.outlives for f in files),
    ]
    by_file = [t for f in files for t in f.targets]
    if rest := [t for t in todo if t not in by_file]:
        effects.append(f"{', '.join(t.name for t in rest)}: {OUTLIVES}" if files else OUTLIVES)
    if fix:
        effects.append(
            f"{QUIESCENT} is the whole namespace's: clients of every persistent service leave real servers of weight 0"
        )
    if wait is not None:
        effects.append(f"then it waits until they are gone, at most {ago(wait)}; Ctrl+C meanwhile puts the weight back")
    return tuple(effects)


def plan_undrain(
    observation: Observation,
    real: tuple[str, int | None],
    service: str | None = None,
    *,
    known: Sequence[Drain] = (),
    checks: Sequence[CheckKnob] = (),
    site: Site = MACHINE,
) -> Action:
    """Give a real server its weight back. Pure.

    The weight is the one before the drain, as journaled, else the configured one, else this is refused. Where there is
    nothing to write, the drain is forgotten all the same, and it succeeds.

    Args:
        observation: the node.
        real: canonical address, and port or None.
        service: ``--service``; None for every virtual server that has it.
        known: ``drains(journal.entries())``.
        checks: ``check_knobs``: what a file drains is given back by the file.
        site: where it is done.

    Raises:
        UnknownTarget: there is no such real server, neither in the kernel nor in the journal.
    """
    network = network_of(observation)
    mine = {(d.service, d.real): d for d in known if d.network.is_same(network)}
    asked = tuple(d for d in mine.values() if _is_meant(d.service, d.real, real, service))
    try:
        targets = find(observation, real, service)
    except UnknownTarget:
        if not asked:
            raise
        return _forget(network, asked, checks)
    weights = kernel_weights(observation)
    files = to_undrain(checks, targets, mine)
    by_file = {key(t) for f in files for t in f.targets}
    steps: list[Step] = [f.knob.step(network, f.knob.value, f.value, weights) for f in files]
    expected = [Expected(t.virtual.key, t.real, f.weight(t)) for f in files for t in f.targets]
    remarks = [r for f in files for r in f.remarks()]
    for t in targets:
        if key(t) in by_file:
            remarks += _dead(t, t.view.configured_weight)
            continue
        drain = mine.get((t.virtual.key, t.real.key))
        weight = drain.weight if drain else t.view.configured_weight
        remarks += _weight_remarks(t, drain, weight)
        if t.real.weight == 0 and weight:
            steps.append(SetWeight(network, *key(t), 0, weight))
            expected.append(Expected(t.virtual.key, t.real, weight))
    raising = tuple(steps)
    steps += _sysctl_back(asked, mine.values())
    keepalived = observation.snapshot.chosen_keepalived
    by_key = {key(t): t for t in targets}
    written = [(by_key[e.service, e.before.key], e.weight) for e in expected]
    plan = Plan(
        verb=Verb.UNDRAIN,
        target=_target_name(targets),
        summary=_summary("undrain", targets) if raising else f"{_target_name(targets)} has its weight already",
        changes=(*(f.change for f in files), *(Change(f"weight of {t.name}", "0", str(w)) for t, w in written)),
        steps=tuple(s.describe() for s in steps),
        effects=(f"new connections reach {_target_name(targets)} again at once",) if raising else (),
        remarks=tuple(remarks),
        by_hand=(
            *(f.knob.by_hand(f.value) for f in files),
            *(inside(edit(t.virtual, t.real, w), keepalived) for t, w in written if key(t) not in by_file),
        ),
    )
    released = tuple(target_to_json(target) for target in by_key)
    facts = ((RELEASED, released), (RELEASED_IN, network.to_json()))
    emptying = Emptying(network, tuple(expected), facts=facts, read=site.table)
    return Action(plan, site.steps(steps), emptying.verify)


def _weight_remarks(t: Target, drain: Drain | None, weight: int | None) -> list[Remark]:
    if t.real.weight > 0:
        return [Remark(Grade.NOTE, f"{t.name} has weight {t.real.weight} already: there is nothing to give back")]
    if not weight:
        text = (
            f"which weight {t.name} had is not known: no drain of it is in the journal, and the config "
            + ("has weight 0 for it" if weight == 0 else "does not have it")
            + "; set it by hand: "
            + edit(t.virtual, t.real, 1).replace("-w 1", "-w WEIGHT")
        )
        return [Remark(Grade.IMPOSSIBLE, text)]
    remarks = []
    configured = t.view.configured_weight
    if drain and configured is not None and configured != weight:
        text = f"{t.name} had weight {weight} before the drain and gets it back; the config says {configured}"
        remarks.append(Remark(Grade.NOTE, text))
    return remarks + _dead(t, weight)


def _dead(t: Target, weight: int | None) -> list[Remark]:
    if t.view.state is not RealServerState.FAILED:
        return []
    text = f"the health check of {t.name} fails: with weight {weight} clients would reach a dead server"
    return [Remark(Grade.UNSAFE, text)]


def _sysctl_back(given_back: Iterable[Drain], known: Iterable[Drain]) -> list[Step]:
    """The sysctl as it was before the drain, unless another drain still needs it."""
    back = {(d.service, d.real): d for d in given_back}
    sysctl = next((d.sysctl for d in back.values() if d.sysctl), None)
    needed = any(d.sysctl and (d.service, d.real) not in back for d in known)
    return [replace(sysctl, before=sysctl.after, after=sysctl.before)] if sysctl and not needed else []


def _forget(network: Network, asked: tuple[Drain, ...], checks: Sequence[CheckKnob]) -> Action:
    """The drained real servers are gone: keepalived gives them their weight if they come back, as a file says it."""
    numbers = {d.check.file.path: d.check.file for d in asked if d.check}
    files = [(k, numbers[k.path].before) for k in checks if k.path in numbers and k.value == numbers[k.path].after]
    steps = tuple(k.step(network, k.value, before, {}) for k, before in files)
    what = "nothing is written" if not steps else "the file alone is written"
    names = ", ".join(f"{endpoint(*d.real)} in {service_name(d.service)}" for d in asked)
    plan = Plan(
        verb=Verb.UNDRAIN,
        target=", ".join(dict.fromkeys(endpoint(*d.real) for d in asked)),
        summary=f"forget the drain of {names}",
        steps=tuple(s.describe() for s in steps),
        effects=(f"{what}: {names} is not in the kernel; if it comes back it has its configured weight",),
        by_hand=tuple(k.by_hand(before) for k, before in files),
    )
    released = tuple(target_to_json((d.service, d.real)) for d in asked)
    return Action(
        plan, steps, Emptying(network, (), facts=((RELEASED, released), (RELEASED_IN, network.to_json()))).verify
    )


def _is_meant(key: ServiceKey, drained: tuple[str, int], real: tuple[str, int | None], service: str | None) -> bool:
    """Whether a drain of the journal is what the operator named."""
    if drained[0] != real[0] or real[1] not in {None, drained[1]}:
        return False
    if service is None:
        return True
    wanted = parse_service(service)
    protocol, address, port, fwmark = key
    if protocol is Protocol.FWMARK or wanted.fwmark is not None:
        return wanted.fwmark == fwmark
    return wanted.address == address and wanted.port in {None, port} and wanted.protocol in {None, protocol}


def _target_name(targets: Sequence[Target]) -> str:
    return ", ".join(dict.fromkeys(endpoint(*t.real.key) for t in targets))


def _summary(verb: str, targets: Sequence[Target]) -> str:
    places = ", ".join(dict.fromkeys(service_name(t.virtual.key) for t in targets))
    return f"{verb} {_target_name(targets)} in {places}"
