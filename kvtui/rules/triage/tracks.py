"""Scripts, priorities and preemption that cannot move anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import describe, each_router
from kvtui.rules.triage.rule import PASSING, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.rules.triage.routers import Router

OWNER = 255


def _weights(router: Router) -> dict[str, int]:
    """Returns what each tracked thing lowers the priority by when it fails, by its name."""
    weights = {f"{t.kind} {t.name}": abs(t.weight) for t in router.instance.tracked}
    return {name: weight for name, weight in weights.items() if weight}


def weight_moves_nothing(_observation: Observation, router: Router) -> Iterator[Finding]:
    """A check's weight is smaller than the distance to the next node: nobody takes over (keepalived#2599)."""
    priority = max(router.view.effective_priority or 0, router.view.priority or 0)
    others = [a for a in router.others if a.usual_priority and not a.last.carp]
    best = max(others, key=lambda a: a.usual_priority or 0, default=None)
    if best is None or not priority or router.view.nopreempt or (best.usual_priority or 0) >= priority:
        return
    gap = priority - (best.usual_priority or 0)
    weights = _weights(router)
    idle = [name for name, weight in weights.items() if weight < gap]
    if idle and sum(weights.values()) < gap:
        yield Finding(
            "weight-moves-nothing",
            Severity.WARNING,
            f"{listed(idle)} of {router.instance.name} can fail, and {best.last.source} would not take over",
            (
                f"priority {priority} here, {best.usual_priority} there: {gap} apart (dump, adverts)",
                f"weights: {', '.join(f'{name} {weight}' for name, weight in weights.items())} (dump)",
                describe(best, router.now),
            ),
            f"give the weights more than {gap} in sum, or weight 0 (a failure is then a FAULT); then: kvtui reload",
            router.instance.name,
            router.vips,
        )


def weight_with_nopreempt(_observation: Observation, router: Router) -> Iterator[Finding]:
    """With nopreempt on all nodes a lowered priority moves nothing (keepalived#2483, keepalived-vip#72)."""
    weights = _weights(router)
    if not weights or not router.view.nopreempt:
        return
    yield Finding(
        "weight-with-nopreempt",
        Severity.WARNING,
        f"{listed(list(weights))} of {router.instance.name} moves nothing where the other nodes have nopreempt too",
        (
            f"weights: {', '.join(f'{name} {weight}' for name, weight in weights.items())} (dump)",
            "nopreempt here; a backup with nopreempt does not take over from a lower priority (dump)",
        ),
        "use weight 0 (a failure is then a FAULT), or no nopreempt; then: kvtui reload on all nodes",
        router.instance.name,
        router.vips,
    )


def weight_of_owner(_observation: Observation, router: Router) -> Iterator[Finding]:
    """Priority 255 owns the addresses: keepalived ignores every weight, and drops the adverts of others (measured)."""
    weights = _weights(router)
    if weights and router.view.priority == OWNER:
        yield Finding(
            "weight-with-priority-255",
            Severity.WARNING,
            f"{router.instance.name} has priority 255: {listed(list(weights))} cannot lower it",
            ("priority 255: address owner (dump)", f"tracked: {listed(list(weights))} (dump)"),
            "use a priority of at most 254, then: kvtui reload",
            router.instance.name,
            router.vips,
        )


def weight_in_group(observation: Observation, router: Router) -> Iterator[Finding]:
    """In a sync group keepalived drops scripts that have a weight, and ignores it for interfaces (keepalived#2105)."""
    conf = observation.snapshot.effective_conf
    configured = conf.instance(router.instance.name) if conf else None
    group = router.instance.sync_group
    if configured is None or not group or observation.snapshot.instances is None:
        return
    weights = {(t.kind, t.name): t.weight for t in router.instance.tracked}
    dumped = router.instance.group or router.instance.unicast_source  # by a data dump: it has what is tracked
    ignored = [t.name for t in configured.tracks if t.kind == "script" and (t.kind, t.name) not in weights]
    ignored += [t.name for t in configured.tracks if t.weight and weights.get((t.kind, t.name)) == 0]
    if dumped and ignored:
        yield Finding(
            "weight-in-sync-group",
            Severity.WARNING,
            f"keepalived ignores {listed(ignored)} in {router.instance.name}: weights do not count in a sync group",
            (
                f"{configured.at}: {listed(ignored)} is tracked (conf)",
                f"{router.instance.name} is in sync group {group}, and runs without its weight (dump)",
            ),
            "use weight 0, or sync_group_tracking_weight in the vrrp_sync_group; then: kvtui reload",
            router.instance.name,
            router.vips,
        )


def script_disabled(observation: Observation, router: Router) -> Iterator[Finding]:
    """Keepalived drops a script that it cannot find, may not execute, or finds insecure (``check_script_secure``).

    Since 2.3.0 also one below a symbolic link, such as /bin of Debian 12 and later, where root runs it (measured).
    """
    conf = observation.snapshot.effective_conf
    configured = conf.instance(router.instance.name) if conf else None
    instance = router.instance
    dumped = instance.group or instance.unicast_source  # by a data dump: it has what is tracked
    if conf is None or configured is None or not dumped or instance.sync_group:
        return
    running = {t.name for t in instance.tracked if t.kind == "script"}
    for script in conf.scripts:
        tracked = any((t.kind, t.name) == ("script", script.name) for t in configured.tracks)
        if tracked and script.name not in running:
            yield Finding(
                "script-disabled",
                Severity.WARNING,
                f"keepalived does not run script {script.name}: {instance.name} keeps its VIPs whatever it would say",
                (
                    f"{script.at}: {script.command} (conf)",
                    f"{instance.name} runs without it (dump)",
                    "keepalived drops a script that is missing, not executable or insecure",
                    "since 2.3.0 also one that root runs from below a symbolic link, such as /bin",
                ),
                f"kvtui check {shell_word(script.name)}  # why? When it is mended: kvtui reload",
                instance.name,
                router.vips,
            )


def nopreempt_cleared(observation: Observation, router: Router) -> Iterator[Finding]:
    """Keepalived clears nopreempt with state MASTER, and logs it (measured with 2.2.7; keepalived#2379)."""
    conf = observation.snapshot.effective_conf
    configured = conf.instance(router.instance.name) if conf else None
    if configured is not None and configured.nopreempt_cleared and router.instance.nopreempt is not True:
        yield Finding(
            "nopreempt-cleared",
            Severity.WARNING,
            f"{router.instance.name} has nopreempt with state MASTER: keepalived clears nopreempt, and preempts",
            (
                f"{configured.at}: state MASTER and nopreempt (conf)",
                "it runs with preemption: after each outage of this node the VIPs move back",
            ),
            "set state BACKUP on all nodes, then: kvtui reload",
            router.instance.name,
            router.vips,
        )


RULES = (
    Rule(each_router(weight_moves_nothing), PASSING),
    Rule(each_router(weight_with_nopreempt), PASSING),
    Rule(each_router(weight_of_owner), PASSING),
    Rule(each_router(weight_in_group), PASSING),
    Rule(each_router(script_disabled), PASSING),
    Rule(each_router(nopreempt_cleared), PASSING),
)
