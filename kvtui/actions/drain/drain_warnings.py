from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.model.ipvs import Protocol, endpoint, service_name
from kvtui.model.observation import ManagedBy
from kvtui.rules.servers.drained import FALLBACK, HASHING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from kvtui.actions.drain.targets import Key, Target
    from kvtui.model.conf import ConfVirtualServer
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
    by_file: Container[Key] = (),
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


def _hashed(target: Target, name: str) -> Iterator[Note]:
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


def _persistence(target: Target, name: str) -> Iterator[Note]:
    if (timeout := target.virtual.persistence_timeout) is not None:
        yield Note(
            NoteSeverity.WARNING,
            f"{name} is persistent ({timeout} s) and {QUIESCENT} is 0: clients that were there in the last {timeout} s "
            f"keep coming to {endpoint(*target.real.key)}, each visit restarts the time; --fix-persistence sets it to "
            "1, undrain restores it",
        )


def _traffic(target: Target, name: str) -> Iterator[Note]:
    if target.virtual.protocol is Protocol.UDP:
        yield Note(
            NoteSeverity.WARNING,
            f"{name} is UDP: IPVS sees no end of a connection, only silence, so a client that keeps sending stays on "
            "the drained server",
        )
    if target.service_view.managed_by is ManagedBy.KUBE_PROXY:
        yield Note(
            NoteSeverity.WARNING,
            f"{name} belongs to kube-proxy, which sets the weight again at its next sync: cordon the node, or make the "
            "pod unready, instead",
        )


def _file_check(observation: Observation, target: Target) -> Iterator[Note]:
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


def _conf_virtual(observation: Observation, target: Target) -> ConfVirtualServer | None:
    conf = observation.snapshot.effective_conf
    return conf.virtual_servers_by_key().get(target.virtual.key) if conf else None


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
