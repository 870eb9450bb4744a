"""Predicts what follows from other weights: for clients, for VRRP instances that share a track file, and the risks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.actions.drain.targets import service_view
from kvtui.actions.steps.check_value import SetCheckValue
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.ipvs import Protocol, endpoint, service_name
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.rules.servers.drained import FALLBACK, HASHING, sentences_of, traffic
from kvtui.rules.vrrp.consequences import Change, consequences, untouched
from kvtui.rules.vrrp.prediction_text import is_unchanged, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from kvtui.actions.core.runner import Action, Verification
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.drain.check_files import ByFile
    from kvtui.actions.drain.targets import DrainTarget
    from kvtui.model.conf import ConfVirtualServer
    from kvtui.model.ipvs import DestinationKey, ServiceKey
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
        verification = await watch_outcome(observation, expected, watch, say)
        as_wanted = verification.ok is True and verification.as_predicted is not False
        return replace(
            found,
            ok=verification.ok,
            detail=found.detail if as_wanted else f"{found.detail}; {verification.detail}",
            as_predicted=verification.as_predicted,
            observed=verification.observed,
        )

    return replace(action, plan=plan, verify=verify)


def what_is_left(observation: Observation, steps: Iterable[Step]) -> Left:
    """Returns what is left for clients of each virtual server whose weights these steps set.

    Other real servers that share a track file change too.
    """
    weights: dict[DestinationKey, int] = {}
    in_file: set[DestinationKey] = set()
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


# --- warnings of what can go wrong when a real server gets weight 0

QUIESCENT = "net.ipv4.vs.expire_quiescent_template"


def drain_warnings(
    observation: Observation,
    targets: Sequence[DrainTarget],
    *,
    persistence_fixed: bool,
    left: Left,
    by_file: Container[DestinationKey] = (),
) -> tuple[Note, ...]:
    """Returns every warning once. ``persistence_fixed``: the sysctl stops clients of a persistent service."""
    notes: list[Note] = []
    for target in targets:
        in_file = target.key in by_file
        name = service_name(target.virtual.key)
        together = {t.real.key for t in targets if t.virtual.key == target.virtual.key}
        others = [r for r in target.virtual.real_servers if r.key not in together]
        found = left.get(target.virtual.key)
        if found is not None and found.sorry_server is not None:
            notes += _replaced(found)
        else:
            if not any(r.weight > 0 for r in others):
                text = f"{endpoint(*target.real.key)} is the last real server of {name} that takes connections"
                notes.append(Note(NoteSeverity.UNSAFE, f"{text}: new clients would be refused"))
            conf = _conf_virtual(observation, target)
            notes += _quorum(name, conf, sum(r.weight for r in others), in_file=in_file)
        notes += _hashed(target, name)
        if not persistence_fixed:
            notes += _persistence(target, name)
        notes += _traffic(target, name)
        notes += () if in_file else _file_check(observation, target)
    notes += _other_nodes(observation, targets)
    return tuple(dict.fromkeys(notes))


def _replaced(found: Traffic) -> Iterator[Note]:
    """Keepalived counts a weight of 0 by a track file (measured with 2.2.7 and 2.3.3)."""
    if found.real_servers.now:
        yield Note(
            NoteSeverity.UNSAFE,
            f"{found.virtual_server} loses its quorum ({found.quorum}): keepalived puts the sorry server "
            f"{found.sorry_server} in and takes all real servers out, which ends their connections",
        )


def _hashed(target: DrainTarget, name: str) -> Iterator[Note]:
    """A hashing scheduler keeps asking the drained server (measured with sh and mh on Linux 6.1)."""
    scheduler = target.virtual.scheduler
    if scheduler in HASHING and FALLBACK not in target.virtual.flags:
        advice = "" if scheduler == "dh" else f"; with `-b {scheduler}-fallback` they would go to the others"
        yield Note(
            NoteSeverity.UNSAFE,
            f"{name} is scheduled by {scheduler}, which refuses the clients whose hash leads to a real server of "
            f"weight 0{advice}",
        )


def _quorum(name: str, conf: ConfVirtualServer | None, left: int, *, in_file: bool) -> Iterator[Note]:
    """Keepalived counts its own weights: it does not notice a drain in the kernel, but one by a file it does."""
    quorum = (conf.quorum or 1) if conf else 1
    if quorum > 1 and left < quorum:
        then = "keepalived runs quorum_down"
        if not in_file:
            then = (
                "keepalived does not see a drain in the kernel, so it runs no quorum_down and puts no sorry server in"
            )
        yield Note(
            NoteSeverity.WARNING, f"weight {left} would be left in {name}, less than its quorum {quorum}; {then}"
        )


def _persistence(target: DrainTarget, name: str) -> Iterator[Note]:
    if (timeout := target.virtual.persistence_timeout) is not None:
        yield Note(
            NoteSeverity.WARNING,
            f"{name} is persistent ({timeout} s) and {QUIESCENT} is 0: clients that connected in the last {timeout} s "
            f"stay on {endpoint(*target.real.key)}, each new connection restarts the timeout; --fix-persistence sets "
            f"{QUIESCENT} to 1, undrain restores it",
        )


def _traffic(target: DrainTarget, name: str) -> Iterator[Note]:
    if target.virtual.protocol is Protocol.UDP:
        yield Note(
            NoteSeverity.WARNING,
            f"{name}: IPVS cannot see when a UDP flow ends, only that it is silent, so a client that keeps sending "
            "stays on the drained server",
        )
    if target.service_view.managed_by is ManagedBy.KUBE_PROXY:
        yield Note(
            NoteSeverity.WARNING,
            f"{name} belongs to kube-proxy, which sets the weight again at its next sync: cordon the node, or make the "
            "pod unready, instead",
        )


def _file_check(observation: Observation, target: DrainTarget) -> Iterator[Note]:
    """Keepalived's own control, which outlives flaps (measured with 2.2.7)."""
    conf, virtual = observation.snapshot.effective_conf, _conf_virtual(observation, target)
    real = virtual.regular_servers().get(target.real.key) if virtual else None
    if conf is None or real is None or real.file_check is None:
        return
    path = next((f.path for f in conf.track_files if f.name == real.file_check), None)
    yield Note(
        NoteSeverity.NOTE,
        f"{endpoint(*target.real.key)} has FILE_CHECK with track file {real.file_check} ({path or 'no path'}), "
        "which would outlive health checks and reloads, but cannot be used: its path is unknown, it already has this "
        "value, or the check has weight 0 (then any value but 0 fails the check, which cuts connections without "
        "inhibit_on_failure)",
    )


def _conf_virtual(observation: Observation, target: DrainTarget) -> ConfVirtualServer | None:
    conf = observation.snapshot.effective_conf
    return conf.virtual_servers_by_key().get(target.virtual.key) if conf else None


def _other_nodes(observation: Observation, targets: Sequence[DrainTarget]) -> Iterator[Note]:
    addresses = {t.virtual.address for t in targets}
    for vip in observation.vips or ():
        if vip.address not in addresses:
            continue
        if vip.present is False:
            owner = f", {vip.owner} does" if vip.owner and not vip.owner_is_self else ""
            yield Note(
                NoteSeverity.WARNING,
                f"this node does not hold {vip.address}{owner}: no traffic for it passes here; drain on the node that "
                "holds it too",
            )
        elif vip.present:
            yield Note(
                NoteSeverity.NOTE,
                f"a drain affects this node only: when {vip.address} moves, the other node sends connections to it "
                "again, unless it is drained there too",
            )
