"""keepalived's processes: none, half of one, two of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceName
from kvtui.model.units import ago
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory


def not_running(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Nothing works without it."""
    if seen.snapshot.chosen is not None:
        return
    source = seen.snapshot.source(SourceName.KEEPALIVED)
    others = [str(k.pid) for k in seen.snapshot.keepalived]
    yield Finding(
        "keepalived-not-running",
        Severity.CRITICAL,
        f"keepalived does not run on {seen.snapshot.node.name}",
        (
            f"{source.detail} (processes)",
            *((f"in other network namespaces: PID {listed(others)} (processes)",) if others else ()),
        ),
        "kubectl -n NAMESPACE logs --previous POD  # or: journalctl -u keepalived; then start it again",
        seen.snapshot.node.name,
        tuple(v.address for v in seen.vips or ()),
    )


def two_trees(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Two keepalived in one network namespace: an old one that did not go (keepalived#1028)."""
    chosen = seen.snapshot.chosen_keepalived
    if chosen is None or chosen.netns is None:
        return
    rivals = [
        k for k in seen.snapshot.keepalived if k.pid != chosen.pid and k.netns == chosen.netns and _overlap(k, chosen)
    ]
    if not rivals:
        return
    both = sorted((chosen, *rivals), key=lambda k: k.started)
    yield Finding(
        "two-keepalived",
        Severity.CRITICAL,
        f"{len(both)} keepalived run in this network namespace: PID {listed(str(k.pid) for k in both)}",
        tuple(
            f"PID {k.pid}: started {ago(max(0.0, seen.snapshot.time - k.started))} ago, {k.conf}, version "
            f"{k.version or '?'} (processes)"
            for k in both
        ),
        f"kill -TERM {both[0].pid}  # the older one, if its pod or service is gone: ps -o pid,ppid,lstart,args -p "
        f"{','.join(str(k.pid) for k in both)}",
        f"netns {chosen.netns}",
        tuple(v.address for v in seen.vips or ()),
    )


def _overlap(one: Keepalived, other: Keepalived) -> bool:
    """Both do VRRP, or both do IPVS; two configs side by side in one mount namespace are meant to be two."""
    roles = [{n for n in ("vrrp", "checker") if getattr(k.children, n) is not None} for k in (one, other)]
    meant = one.mntns == other.mntns and one.conf != other.conf
    return bool(roles[0] & roles[1]) and not meant


def child_missing(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The parent runs, the child that does the work does not."""
    chosen = seen.snapshot.chosen_keepalived
    conf = seen.snapshot.running or seen.snapshot.conf
    if chosen is None or conf is None:
        return
    wanted = (
        ("VRRP", chosen.children.vrrp, len(conf.instances), "instances"),
        ("checker", chosen.children.checker, len(conf.virtual_servers), "virtual servers"),
    )
    for what, pid, number, things in wanted:
        if pid is not None or not number or _left_out(chosen, what):
            continue
        yield Finding(
            "keepalived-child-missing",
            Severity.CRITICAL,
            f"keepalived (PID {chosen.pid}) has no {what} child: its {number} {things} are not looked after",
            (f"{number} {things} (conf)", f"no {what} process below PID {chosen.pid} (processes)"),
            f"ps -o pid,ppid,stat,args --ppid {chosen.pid}  # its log says why the child ends",
            f"{what} child",
            tuple(v.address for v in seen.vips or ()),
        )


def _left_out(chosen: Keepalived, what: str) -> bool:
    """``--vrrp`` runs VRRP alone, ``--check`` the checkers alone; either may be said twice over."""
    asked = {"VRRP": {"-P", "--vrrp"}, "checker": {"-C", "--check"}}
    said = set(chosen.argv)
    return bool(said & (asked["VRRP"] | asked["checker"])) and not said & asked[what]


def stale_pid_file(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A number that is not keepalived's: «daemon is already running» at the next start (keepalived#1527)."""
    chosen = seen.snapshot.chosen_keepalived
    stale = [f for f in chosen.pid_files if f.stale] if chosen else []
    if chosen is None or not stale:
        return
    paths = " ".join(quoted(chosen.outside(f.path)) for f in stale)
    yield Finding(
        "stale-pid-file",
        Severity.WARNING,
        f"{listed(f.path for f in stale)} of keepalived (PID {chosen.pid}) names another process",
        tuple(
            f"{f.path} says {'no number' if f.pid is None else f.pid}, which is not its process (processes)"
            for f in stale
        ),
        f"rm {paths}",
        stale[0].path,
    )


RULES = (
    Rule(not_running, PASSING),
    Rule(two_trees, ROLLOUT),
    Rule(child_missing, ROLLOUT),
    Rule(stale_pid_file, PASSING),
)
