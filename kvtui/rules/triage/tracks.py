"""Scripts, priorities and preemption that cannot move anything."""

from __future__ import annotations

from kvtui.model.finding import Severity
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import OWNER_PRIORITY, InstanceRouter, describe, each_router
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule


def _weights(router: InstanceRouter) -> dict[str, int]:
    """Returns what each tracked thing lowers the priority by when it fails, by its name."""
    weights = {f"{t.kind} {t.name}": abs(t.weight) for t in router.instance.tracked}
    return {name: weight for name, weight in weights.items() if weight}


def _has_tracked(router: InstanceRouter) -> bool:
    """Returns whether the instance is of a data dump, as these two show: only that has what is tracked."""
    return router.snapshot.instances is not None and bool(router.instance.group or router.instance.unicast_source)


def weight_moves_nothing(router: InstanceRouter) -> Findings:
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
        yield router.finding(
            "weight-moves-nothing",
            Severity.WARNING,
            f"{listed(idle)} of {router.instance.name} can fail, and {best.last.source} would not take over",
            f"priority {priority} here, {best.usual_priority} there: {gap} apart (dump, adverts)",
            f"weights: {', '.join(f'{name} {weight}' for name, weight in weights.items())} (dump)",
            describe(best, router.now),
            remedy=f"give the weights more than {gap} in sum, or weight 0 (a failure is then a FAULT); then: kvtui "
            "reload",
        )


def weight_with_nopreempt(router: InstanceRouter) -> Findings:
    """With nopreempt on all nodes a lower priority does not cause a failover (keepalived#2483, keepalived-vip#72)."""
    weights = _weights(router)
    if not weights or not router.view.nopreempt:
        return
    yield router.finding(
        "weight-with-nopreempt",
        Severity.WARNING,
        f"{listed(weights)} of {router.instance.name} cannot cause a failover if the other nodes also have nopreempt",
        f"weights: {', '.join(f'{name} {weight}' for name, weight in weights.items())} (dump)",
        "nopreempt here; a backup with nopreempt does not take over from a lower priority (dump)",
        remedy="use weight 0 (a failure is then a FAULT), or no nopreempt; then: kvtui reload on all nodes",
    )


def weight_of_owner(router: InstanceRouter) -> Findings:
    """Priority 255 owns the addresses: keepalived ignores weights and drops adverts from other nodes (measured)."""
    weights = _weights(router)
    if weights and router.view.priority == OWNER_PRIORITY:
        yield router.finding(
            "weight-with-priority-255",
            Severity.WARNING,
            f"{router.instance.name} has priority 255: {listed(weights)} cannot lower it",
            "priority 255: address owner (dump)",
            f"tracked: {listed(weights)} (dump)",
            remedy="use a priority of at most 254, then: kvtui reload",
        )


def weight_in_group(router: InstanceRouter) -> Findings:
    """In a sync group keepalived drops scripts that have a weight, and ignores it for interfaces (keepalived#2105)."""
    configured, group = router.configured, router.instance.sync_group
    if configured is None or not group or not _has_tracked(router):
        return
    weights = {(t.kind, t.name): t.weight for t in router.instance.tracked}
    ignored = [t.name for t in configured.tracks if t.kind == "script" and (t.kind, t.name) not in weights]
    ignored += [t.name for t in configured.tracks if t.weight and weights.get((t.kind, t.name)) == 0]
    if ignored:
        yield router.finding(
            "weight-in-sync-group",
            Severity.WARNING,
            f"keepalived ignores {listed(ignored)} in {router.instance.name}: weights do not count in a sync group",
            f"{configured.at}: {listed(ignored)} is tracked (conf)",
            f"{router.instance.name} is in sync group {group}, and runs without its weight (dump)",
            remedy="use weight 0, or sync_group_tracking_weight in the vrrp_sync_group; then: kvtui reload",
        )


def script_disabled(router: InstanceRouter) -> Findings:
    """Keepalived drops a script that it cannot find, may not execute, or finds insecure (``check_script_secure``).

    Since 2.3.0 also one below a symbolic link, such as /bin of Debian 12 and later, where root runs it (measured).
    """
    instance, configured, conf = router.instance, router.configured, router.snapshot.effective_conf
    if conf is None or configured is None or not _has_tracked(router) or instance.sync_group:
        return
    missing = {t.name for t in configured.tracks if t.kind == "script"}
    missing -= {t.name for t in instance.tracked if t.kind == "script"}
    for script in conf.scripts:
        if script.name in missing:
            yield router.finding(
                "script-disabled",
                Severity.WARNING,
                f"keepalived does not run script {script.name}: "
                f"{instance.name} keeps its VIPs even if the script would fail",
                f"{script.at}: {script.command} (conf)",
                f"{instance.name} runs without it (dump)",
                "keepalived drops a script that is missing, not executable or insecure",
                "since 2.3.0 also one that root runs from below a symbolic link, such as /bin",
                remedy=f"kvtui check {shell_word(script.name)}  # why? After fixing it: kvtui reload",
            )


def nopreempt_cleared(router: InstanceRouter) -> Findings:
    """Keepalived clears nopreempt with state MASTER, and logs it (measured with 2.2.7; keepalived#2379)."""
    configured = router.configured
    if configured is not None and configured.nopreempt_cleared and router.instance.nopreempt is not True:
        yield router.finding(
            "nopreempt-cleared",
            Severity.WARNING,
            f"{router.instance.name} has nopreempt with state MASTER: keepalived clears nopreempt, and preempts",
            f"{configured.at}: state MASTER and nopreempt (conf)",
            "it runs with preemption: after each outage of this node the VIPs move back",
            remedy="set state BACKUP on all nodes, then: kvtui reload",
        )


FINDERS = (
    weight_moves_nothing,
    weight_with_nopreempt,
    weight_of_owner,
    weight_in_group,
    script_disabled,
    nopreempt_cleared,
)
RULES = tuple(Rule(each_router(find), TRANSIENT_SECONDS) for find in FINDERS)
