"""What can go wrong when a real server gets weight 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.actions.drain.targets import named
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.observation import ManagedBy
from kvtui.rules.servers.drained import FALLBACK, HASHING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from kvtui.actions.drain.targets import Target
    from kvtui.model.conf import ConfRealServer, ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation
    from kvtui.model.prediction import Traffic

QUIESCENT = "net.ipv4.vs.expire_quiescent_template"


def drain_warnings(
    observation: Observation,
    targets: Sequence[Target],
    *,
    persistence_fixed: bool,
    left: Mapping[ServiceKey, Traffic],
    by_file: Container[tuple[ServiceKey, tuple[str, int]]] = (),
) -> tuple[Note, ...]:
    """Every remark once. ``persistence_fixed``: the sysctl stops clients of a persistent service."""
    notes: list[Note] = []
    for target in targets:
        in_file = (target.virtual.key, target.real.key) in by_file
        together = {t.real.key for t in targets if t.virtual.key == target.virtual.key}
        found = left.get(target.virtual.key)
        if found is not None and found.sorry_server is not None:
            notes += _replaced(found)
        else:
            notes += _alone(target, together)
            notes += _quorum(observation, target, together, in_file=in_file)
        notes += _hashed(target)
        notes += _persistence(target, fixed=persistence_fixed)
        notes += _traffic(target)
        notes += () if in_file else _file_check(observation, target)
    notes += _other_nodes(observation, targets)
    return tuple(dict.fromkeys(notes))


def _alone(target: Target, together: set[tuple[str, int]]) -> Iterator[Note]:
    if not any(r.weight > 0 for r in target.virtual.real_servers if r.key not in together):
        yield Note(
            NoteSeverity.UNSAFE,
            f"{endpoint(*target.real.key)} is the last real server of {named(target.virtual)} that takes connections: "
            "new clients would be refused",
        )


def _replaced(found: Traffic) -> Iterator[Note]:
    """Keepalived counts a weight of 0 by a track file (measured with 2.2.7 and 2.3.3)."""
    if found.real_servers.now:
        yield Note(
            NoteSeverity.UNSAFE,
            f"{found.virtual_server} loses its quorum ({found.quorum}): keepalived puts the sorry server "
            f"{found.sorry_server} in and takes all real servers out, which ends their connections",
        )


def _hashed(target: Target) -> Iterator[Note]:
    """A hashing scheduler keeps asking the drained server (measured with sh and mh on Linux 6.1)."""
    scheduler = target.virtual.scheduler
    if scheduler in HASHING and FALLBACK not in target.virtual.flags:
        advice = "" if scheduler == "dh" else f"; with `-b {scheduler}-fallback` they would go to the others"
        yield Note(
            NoteSeverity.UNSAFE,
            f"{named(target.virtual)} is scheduled by {scheduler}, which refuses the clients whose hash leads to a "
            f"real server of weight 0{advice}",
        )


def _quorum(
    observation: Observation, target: Target, together: set[tuple[str, int]], *, in_file: bool
) -> Iterator[Note]:
    """Keepalived counts its own weights: it does not notice a drain in the kernel, but one by a file it does."""
    conf = _conf_virtual(observation, target)
    if conf is None or (conf.quorum or 1) <= 1:
        return
    left = sum(r.weight for r in target.virtual.real_servers if r.key not in together)
    if left < (conf.quorum or 1):
        yield Note(
            NoteSeverity.WARNING,
            f"weight {left} would be left in {named(target.virtual)}, less than its quorum {conf.quorum}; "
            + (
                "keepalived runs quorum_down"
                if in_file
                else "keepalived does not see a drain in the kernel, so it runs no quorum_down and puts no sorry "
                "server in"
            ),
        )


def _persistence(target: Target, *, fixed: bool) -> Iterator[Note]:
    timeout = target.virtual.persistence_timeout
    if timeout is None or fixed:
        return
    yield Note(
        NoteSeverity.WARNING,
        f"{named(target.virtual)} is persistent ({timeout} s) and {QUIESCENT} is 0: clients that were there in the "
        f"last {timeout} s keep coming to {endpoint(*target.real.key)}, each visit restarts the time; "
        "--fix-persistence sets it to 1, undrain restores it",
    )


def _traffic(target: Target) -> Iterator[Note]:
    if target.virtual.protocol is Protocol.UDP:
        yield Note(
            NoteSeverity.WARNING,
            f"{named(target.virtual)} is UDP: IPVS sees no end of a connection, only silence, so a client that keeps "
            "sending stays on the drained server",
        )
    if target.service_view.managed_by is ManagedBy.KUBE_PROXY:
        yield Note(
            NoteSeverity.WARNING,
            f"{named(target.virtual)} belongs to kube-proxy, which sets the weight again at its next sync: cordon the "
            "node, or make the pod unready, instead",
        )


def _file_check(observation: Observation, target: Target) -> Iterator[Note]:
    """Keepalived's own control, which outlives flaps (measured with 2.2.7)."""
    real = _conf_real(observation, target)
    if real is None or real.file_check is None:
        return
    conf = observation.snapshot.running or observation.snapshot.conf
    path = next((f.path for f in conf.track_files if f.name == real.file_check), None) if conf else None
    yield Note(
        NoteSeverity.NOTE,
        f"{endpoint(*real_key(target, real))} has FILE_CHECK with track file {real.file_check} ({path or 'no path'}), "
        "which would outlive health checks and reloads, but cannot be used: its path is unknown, it already has this "
        "value, or the check has weight 0 (then any value but 0 fails the check, which cuts connections without "
        "inhibit_on_failure)",
    )


def real_key(target: Target, real: ConfRealServer) -> tuple[str, int]:
    return (real.address, real.port or target.virtual.port or 0)


def _conf_virtual(observation: Observation, target: Target) -> ConfVirtualServer | None:
    conf = observation.snapshot.running or observation.snapshot.conf
    return next((v for v in conf.virtual_servers if v.key == target.virtual.key), None) if conf else None


def _conf_real(observation: Observation, target: Target) -> ConfRealServer | None:
    virtual = _conf_virtual(observation, target)
    same: Callable[[ConfRealServer], bool] = lambda r: not r.sorry and real_key(target, r) == target.real.key  # noqa: E731 - a predicate of this one search
    return next((r for r in virtual.real_servers if same(r)), None) if virtual else None


def _other_nodes(observation: Observation, targets: Sequence[Target]) -> Iterator[Note]:
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
