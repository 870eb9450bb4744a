"""keepalived's processes: none, a missing child, or two parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.source import SourceName
from kvtui.model.units import ago
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.instances import unexplained_adverts

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation


def not_running(observation: Observation) -> Findings:
    """Without keepalived this node has no VIPs and no health checks."""
    if observation.snapshot.chosen is not None or unexplained_adverts(observation.snapshot):
        return  # adverts that leave this node without a known keepalived are reported as sources-contradict
    source = observation.snapshot.source(SourceName.KEEPALIVED)
    if source.read_at is None:
        return  # the processes were not read: they are late
    others = [str(k.pid) for k in observation.snapshot.keepalived]
    yield finding(
        "keepalived-not-running",
        Severity.CRITICAL,
        f"keepalived does not run on {observation.snapshot.node.name}",
        f"{source.detail} (processes)",
        *((f"in other network namespaces: PID {listed(others)} (processes)",) if others else ()),
        remedy=f"{log_command(observation.snapshot)}  # why did it end? then start keepalived",
        about=observation.snapshot.node.name,
        vips=(v.address for v in observation.vips or ()),
    )


def two_trees(observation: Observation) -> Findings:
    """Two keepalived run in one network namespace: an old one did not exit (keepalived#1028)."""
    chosen = observation.snapshot.chosen_keepalived
    if chosen is None or chosen.netns is None:
        return
    here = [k for k in observation.snapshot.keepalived if k.pid != chosen.pid and k.netns == chosen.netns]
    both = sorted((chosen, *(k for k in here if _overlap(k, chosen))), key=lambda k: k.started)
    if len(both) == 1:
        return
    yield finding(
        "two-keepalived",
        Severity.CRITICAL,
        f"{len(both)} keepalived run in this network namespace: PID {listed(str(k.pid) for k in both)}",
        *(
            f"PID {k.pid}: started {ago(max(0.0, observation.snapshot.time - k.started))} ago, {k.conf}, version "
            f"{k.version or '?'} (processes)"
            for k in both
        ),
        remedy=f"ps -o pid,ppid,etime,args -p {','.join(str(k.pid) for k in both)}  # which one has no pod or unit any "
        "more? Then: kill -TERM PID",
        about=f"netns {chosen.netns}",
        vips=(v.address for v in observation.vips or ()),
    )


def _overlap(one: Keepalived, other: Keepalived) -> bool:
    """Returns whether both do VRRP or both do IPVS; two configs in one mount namespace are intentional."""
    roles = [{n for n in ("vrrp", "checker") if getattr(k.children, n) is not None} for k in (one, other)]
    intentional = one.mntns == other.mntns and one.conf != other.conf
    return bool(roles[0] & roles[1]) and not intentional


def child_missing(observation: Observation) -> Findings:
    """The parent runs without its VRRP or checker child."""
    chosen = observation.snapshot.chosen_keepalived
    conf = observation.snapshot.effective_conf
    if chosen is None or conf is None:
        return
    wanted = (
        ("VRRP", chosen.children.vrrp, len(conf.instances), "instances"),
        ("checker", chosen.children.checker, len(conf.virtual_servers), "virtual servers"),
    )
    for what, pid, number, things in wanted:
        if pid is None and number and not _is_disabled(chosen, what):
            yield finding(
                "keepalived-child-missing",
                Severity.CRITICAL,
                f"keepalived (PID {chosen.pid}) has no {what} child: its {number} {things} do not work",
                f"{number} {things} (conf)",
                f"no {what} process below PID {chosen.pid} (processes)",
                remedy=f"ps -o pid,ppid,stat,args --ppid {chosen.pid}  # its log says why the child exits",
                about=f"{what} child",
                vips=(v.address for v in observation.vips or ()),
            )


def _is_disabled(chosen: Keepalived, child: str) -> bool:
    """Returns whether the options start only the other child: ``--vrrp`` only VRRP, ``--check`` only the checkers."""
    only = {"VRRP": {"-P", "--vrrp"}, "checker": {"-C", "--check"}}
    starts = {name for name, options in only.items() if options & {*chosen.argv}}
    return bool(starts) and child not in starts


def stale_pid_file(observation: Observation) -> Findings:
    """A wrong PID makes the next start fail with "daemon is already running" (keepalived#1527)."""
    chosen = observation.snapshot.chosen_keepalived
    stale = [f for f in chosen.pid_files if f.stale] if chosen else []
    if chosen is None or not stale:
        return
    paths = " ".join(shell_word(chosen.outside(f.path)) for f in stale)
    yield finding(
        "stale-pid-file",
        Severity.WARNING,
        f"PID file {listed(f.path for f in stale)} of keepalived (PID {chosen.pid}) names another process",
        *(
            f"{f.path} contains {'no number' if f.pid is None else f'{f.pid}, which is not its process'} (processes)"
            for f in stale
        ),
        remedy=f"rm {paths}",
        about=stale[0].path,
    )


RULES = (
    Rule(not_running, TRANSIENT_SECONDS),
    Rule(two_trees, ROLLOUT_SECONDS),
    Rule(child_missing, ROLLOUT_SECONDS),
    Rule(stale_pid_file, TRANSIENT_SECONDS),
)
